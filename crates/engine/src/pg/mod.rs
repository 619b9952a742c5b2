//! The only room that speaks to Postgres. So far it migrates: [`Migrator`].

mod error;
mod ledger;
mod lock;
mod migrator;
mod reach;
mod session;
mod single;

pub use error::{Holder, PgError};
pub use migrator::{Accepted, Adoption, MigrationEvent, Migrator, Patience};
pub use reach::Unreachable;
pub use session::Server;
