//! The only room that speaks to Postgres. It migrates ([`Migrator`]), backs up ([`backup`]), and makes servers that are thrown
//! away ([`ThrowawayServer`]) to prove what was backed up.

pub mod backup;
pub mod drill;
mod error;
mod ledger;
mod lock;
mod migrator;
mod reach;
mod session;
mod single;
mod throwaway;
mod tool;
mod tunnel;

pub use error::{Holder, PgError};
pub use migrator::{Accepted, Adoption, MigrationEvent, Migrator, Patience};
pub use reach::{Inside, ReachError, Reached, reach};
pub use session::Server;
pub use throwaway::{Need, ThrowawayServer, Whereto};
pub use tool::{Ran, ToolError};
