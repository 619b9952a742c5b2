//! The only room that speaks to Postgres. It migrates ([`Migrator`]), backs up ([`backup`]), makes servers that are thrown
//! away ([`ThrowawayServer`]) to prove what was backed up and to rehearse on ([`Rehearsal`]), and tells what a schema is and
//! what files make of an empty database ([`sides`]).

mod adoption;
pub mod backup;
mod catalogue;
mod drift;
pub mod drill;
mod error;
mod ground;
mod inventory;
mod ledger;
mod lock;
mod migrator;
mod onlooker;
mod reach;
mod rehearsal;
pub mod restore;
mod scratch;
mod session;
mod single;
mod throwaway;
mod tool;
mod tunnel;

pub use adoption::Adopting;
pub use drift::{ReplayEvent, Sides, Wanted, look, major, shortfalls, sides};
pub use error::{Holder, PgError};
pub use migrator::{Accepted, Adoption, MigrationEvent, Migrator, Patience};
pub use reach::{Inside, ReachError, Reached, reach};
pub use rehearsal::{Outcome, Rehearsal, RehearsalEvent};
pub use scratch::{ScratchError, Ways};
pub use session::Server;
pub use throwaway::{Need, ThrowawayServer, Whereto};
pub use tool::{Ran, ToolError};
