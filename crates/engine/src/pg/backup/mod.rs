//! Backups of a database: taken in one snapshot, sealed, stored, and read back.

mod contents;
mod digest;
mod dump;
mod error;
pub(crate) mod flow;
pub(crate) mod keep;
mod make;
pub(crate) mod name;
mod snapshot;
mod tools;
mod vault;

pub use error::BackupError;
pub use flow::Opened;
pub use keep::candidates;
pub use make::{BackupEvent, Hearing, Order, Source, back_up};
pub use snapshot::{Alone, Snapshot};
pub use tools::{Running, Tools};
pub use vault::{Listing, Shelved, Unusable, Vault};

#[cfg(test)]
mod tests;
