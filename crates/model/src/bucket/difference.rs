//! A backup beside the bucket of today, and beside what was read back of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::listing::Listed;
use super::manifest::{BucketManifest, Object};

/// What a restore would do to a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Restoring {
    /// Not there any more.
    pub missing: Vec<String>,
    /// There, and perhaps another: what stands there is overwritten.
    pub different: Vec<String>,
    /// There, as it was.
    pub same: Vec<String>,
    /// There, and not in the backup: left alone.
    pub later: Vec<String>,
    /// Of what is written.
    pub bytes: u64,
}

impl Restoring {
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.different.is_empty()
    }

    /// The keys that are written.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().chain(&self.different).map(String::as_str)
    }
}

/// `prefix`: only keys that begin with it.
pub fn restoring(manifest: &BucketManifest, listing: &[Listed], prefix: &str) -> Restoring {
    let mut restoring = Restoring::default();
    let there: BTreeMap<&str, &Listed> = listing.iter().map(|one| (one.key.as_str(), one)).collect();
    for (key, object) in manifest.objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
        match there.get(key.as_str()) {
            Some(listed) if has_same_bytes(listed, object) => {
                restoring.same.push(key.clone());
                continue;
            }
            Some(_) => restoring.different.push(key.clone()),
            None => restoring.missing.push(key.clone()),
        }
        restoring.bytes += object.bytes;
    }
    let later = listing.iter().filter(|one| one.key.starts_with(prefix) && !manifest.objects.contains_key(&one.key));
    restoring.later = later.map(|one| one.key.clone()).collect();
    restoring
}

/// A server makes the ETag of the bytes, whenever they were written.
fn has_same_bytes(listed: &Listed, object: &Object) -> bool {
    listed.etag.is_some() && listed.etag == object.etag && listed.bytes == object.bytes
}

/// What is wrong with an object of a backup that was read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Difference {
    Missing { key: String, stored: String },
    Unreadable { key: String, stored: String, words: String },
    Size { key: String, recorded: u64, found: u64 },
    Bytes { key: String, recorded: String, found: String },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Missing { key, stored } => write!(f, "`{key}`: its bytes (`{stored}`) are gone"),
            Difference::Unreadable { key, stored, words } => write!(f, "`{key}`: `{stored}` cannot be read: {words}"),
            Difference::Size { key, recorded, found } => write!(f, "`{key}` has {found} bytes instead of {recorded}"),
            Difference::Bytes { key, recorded, found } => {
                write!(f, "`{key}` has other bytes: sha256 {found} instead of {recorded}")
            }
        }
    }
}
