//! What a bucket has now, and what of it has to be read.

use std::collections::BTreeMap;

use super::manifest::{BucketManifest, Object};

/// An object as the server lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    pub bytes: u64,
    /// In milliseconds since 1970.
    pub modified_ms: i64,
    pub etag: Option<String>,
}

/// What a backup has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// As the last backup has them: not read again.
    pub known: BTreeMap<String, Object>,
    pub read: Vec<Listed>,
}

impl Work {
    pub fn bytes(&self) -> u64 {
        self.read.iter().map(|one| one.bytes).sum()
    }
}

/// Whether the server says that it is the very same object.
pub(super) fn is_same(listed: &Listed, object: &Object) -> bool {
    // Without an ETag two objects of one size and one moment could not be told apart.
    listed.etag.is_some()
        && listed.etag == object.etag
        && (listed.bytes, listed.modified_ms) == (object.bytes, object.modified_ms)
}

/// `last`: the newest backup whose contents are all still there.
pub fn work(listing: Vec<Listed>, last: Option<&BucketManifest>) -> Work {
    let mut work = Work::default();
    for listed in listing {
        match last.and_then(|last| last.objects.get(&listed.key)) {
            Some(object) if is_same(&listed, object) => {
                work.known.insert(listed.key, object.clone());
            }
            _ => work.read.push(listed),
        }
    }
    work
}
