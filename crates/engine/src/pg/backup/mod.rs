//! Backups of a database: taken in one snapshot, sealed, stored, and read back.

mod error;
mod flow;
mod vault;

pub use error::BackupError;
pub use flow::Opened;
pub use vault::{Listing, Shelved, Unusable, Vault};
