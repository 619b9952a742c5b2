//! Where backups lie: a folder, a bucket of an S3 server, or memory. The only room that names the storage library.
//!
//! A [`Store`] reads, writes, lists and deletes; it knows nothing of what lies in it. An [`Upload`] is seen by nobody until
//! it is finished, and one that was broken off can be cleared away by what it was begun with.

mod asking;
mod error;
mod objects;
mod open;
mod store;
mod upload;

pub use error::BlobError;
pub use objects::{Attached, Putting};
pub(crate) use open::choose_tls;
pub use store::{Found, Reading, Store};
pub use upload::{Begun, PART_BYTES, Upload};

#[cfg(test)]
mod tests;
