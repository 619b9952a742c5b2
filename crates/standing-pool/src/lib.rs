//! A Postgres pool that stands: through a database that is absent at start, gone later, moved or misconfigured, without a
//! restart of the process, and with health answers that say what is wrong.
//!
//! - **One pool a target and process.** It is made by one task of its own. Twenty callers at once wait for the same
//!   attempt; none of them can cancel it by going away, and nobody waits while holding a lock.
//! - **Start, degraded mode, back.** See [`Settings`] for how long and how often. Each pool that is made has a number that
//!   rises (the *generation*), a name (the *pool id*) and the process it belongs to.
//! - **Connections that are worth having.** Idle ones are asked before they are given out, with a timeout. A connection
//!   whose error says that it leads nowhere (session ended, server read-only after a failover) goes to nobody else, and
//!   the server is asked at once. Statements that are older than a change of the schema are prepared anew.
//! - **The schema that is needed.** [`schema::Expectation`] asks whether it is there, and names the migration that brings what
//!   is not.
//! - **Answers from memory.** [`Health`] gives `/health/live`, `/health/ready` and `/health` without ever opening a
//!   connection. [`StandingPool::report`] is the look inside.
//!
//! ```no_run
//! use standing_pool::{Mode, Settings, StandingPool};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = StandingPool::open(&Settings::from_env()?);
//! if pool.started().await == Mode::Degraded {
//!     // The service runs all the same; readiness says why it should get no traffic.
//! }
//! let mut db = pool.get().await?;
//! let rows = db.query("SELECT id FROM bookings WHERE guest = $1", &[&"Ada"]).await?;
//! # Ok(()) }
//! ```
//!
//! The driver is `tokio-postgres`, which is exported, the queue of connections `deadpool`. What is logged goes through
//! `tracing` under the target `standing_pool`.

mod dial;
mod failure;
pub mod health;
mod lease;
mod pace;
mod pool;
mod registry;
pub mod schema;
mod settings;
mod shared;
mod state;
mod target;
mod tend;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;

pub use dial::connect;
pub use failure::{Failure, Kind};
pub use health::{Answer, Component, Condition, Health, SchemaBehind};
pub use lease::{Lease, Params, Transaction};
pub use pool::{Error, StandingPool};
pub use settings::{Access, Pooler, Settings, SettingsError};
pub use state::{Connections, LastError, Mode, PoolReport};
pub use target::{Target, TargetName};
pub use tokio_postgres;
