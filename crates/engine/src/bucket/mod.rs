//! Buckets of an S3 server: made as declared, backed up, read back and compared, restored.
//!
//! A [`Cabinet`] has the backups of one bucket. It lies in a store of our own; the bucket itself is another
//! [`Store`](crate::blobs::Store), which is only read, but for a restore.

mod backup;
mod cabinet;
mod drill;
mod error;
mod keep;
mod make;
mod opening;
mod place;
mod restore;
mod settings;

pub use backup::{Backed, News};
pub use cabinet::{Cabinet, Listing, Shelved, Turn};
pub use drill::{Proof, Verdict};
pub use error::BucketError;
pub use keep::candidates;
pub use make::{Made, Server};
pub use place::{Place, place};
pub use restore::Restored;

#[cfg(test)]
mod tests;
