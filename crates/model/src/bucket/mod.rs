//! Buckets of an S3 server: what a backup of one holds, which objects of it are new, and what a restore has to bring
//! back. Pure; [`declared::buckets`](crate::declared::buckets) has the wish.
//!
//! A backup is a list of every object with the hash of its bytes. The bytes lie beside the lists, once for every content,
//! however many keys and backups hold it: an object that did not change is neither read nor written again.

mod difference;
mod layout;
mod listing;
mod manifest;

pub use difference::{Difference, Restoring, restoring};
pub use layout::{CONTENTS, Cellar, Part};
pub use listing::{Listed, Work, work};
pub use manifest::{BucketManifest, FORMAT, Object};

#[cfg(test)]
mod tests;
