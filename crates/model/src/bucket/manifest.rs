//! The list that is a backup.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::identity::BackupId;
use crate::postgres::backup::{Reason, Unreadable, read_format};

/// What is written now. A reader takes it and those before it.
pub const FORMAT: u32 = 1;

/// Written last: where it is, there is a backup; where it is not, there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketManifest {
    pub format: u32,
    pub id: BackupId,
    pub stack: String,
    pub env: Option<String>,
    /// The name under `x-mainstay.buckets`.
    pub bucket: String,
    pub reason: Reason,
    /// RFC 3339.
    pub began_at: String,
    pub ended_at: String,
    /// The version of Mainstay that made it.
    pub made_by: String,
    /// The age recipients that the contents are sealed for.
    pub recipients: Vec<String>,
    /// By key.
    pub objects: BTreeMap<String, Object>,
}

/// One object, as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    pub bytes: u64,
    /// Of its plain bytes. What the server calls an ETag is no hash of an object that came in parts.
    pub sha256: String,
    /// Where the sealed bytes lie, below the place of the bucket's backups.
    pub stored: String,
    pub etag: Option<String>,
    /// In milliseconds since 1970.
    pub modified_ms: i64,
    /// `content-type`, `cache-control` and their like.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// What the user has attached: `x-amz-meta-…`, without that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl BucketManifest {
    /// # Errors
    /// When it is of a newer format, or none.
    pub fn read(bytes: &[u8]) -> Result<BucketManifest, Unreadable> {
        read_format(bytes, FORMAT)
    }

    pub fn text(&self) -> String {
        // Nothing in it can fail to be written: its keys are texts.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Of all objects.
    pub fn bytes(&self) -> u64 {
        self.objects.values().map(|object| object.bytes).sum()
    }

    /// Each stored content once, with what it holds.
    pub fn contents(&self) -> BTreeMap<&str, &Object> {
        self.objects.values().map(|object| (object.stored.as_str(), object)).collect()
    }

    /// What lies in a place and is in none of the lists that stay: `lists` must be all of them.
    pub fn unused<'a>(lists: &[BucketManifest], lying: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let used: BTreeSet<&str> =
            lists.iter().flat_map(|list| list.objects.values()).map(|object| object.stored.as_str()).collect();
        lying.into_iter().filter(|stored| !used.contains(stored)).collect()
    }
}
