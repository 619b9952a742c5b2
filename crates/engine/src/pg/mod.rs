//! The only room that speaks to Postgres. It migrates ([`Migrator`]) and backs up ([`backup`]).

pub mod backup;
mod error;
mod ledger;
mod lock;
mod migrator;
mod reach;
mod session;
mod single;

pub use error::{Holder, PgError};
pub use migrator::{Accepted, Adoption, MigrationEvent, Migrator, Patience};
pub use reach::{Inside, ReachError, Reached, reach};
pub use session::Server;
