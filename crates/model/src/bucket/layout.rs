//! Under which keys a store holds backups of buckets.
//!
//! ```text
//! STACK[@ENV]/buckets/BUCKET/ID.manifest.age           the list, written last
//! STACK[@ENV]/buckets/BUCKET/ID.proof-TIME.age         what came of reading it all back
//! STACK[@ENV]/buckets/BUCKET/contents/7f/7fa0….age     bytes, by their hash
//! ```

use crate::identity::BackupId;
use crate::postgres::backup::layout::Shelf;

const MANIFEST: &str = "manifest.age";
const PROOF: &str = "proof-";
const SEALED: &str = ".age";
/// Where the bytes lie.
pub const CONTENTS: &str = "contents";

/// One object of a backup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Manifest,
    /// With its time as digits, `20261126T050000Z`.
    Proof(String),
}

/// Where the backups of a bucket lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cellar(String);

impl Cellar {
    pub fn new(stack: &str, env: Option<&str>, bucket: &str) -> Cellar {
        // A name is written so that a store can have it, as for a database.
        let owner = Shelf::new(stack, env, "buckets");
        let name = Shelf::new(bucket, None, "").as_str().split('/').next().unwrap_or_default().to_owned();
        Cellar(format!("{}/{name}", owner.as_str()))
    }

    /// The folder, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn key(&self, id: &BackupId, part: &Part) -> String {
        match part {
            Part::Manifest => format!("{}/{id}.{MANIFEST}", self.0),
            Part::Proof(time) => format!("{}/{id}.{PROOF}{time}{SEALED}", self.0),
        }
    }

    /// The backup and the part that a key belongs to; nothing when it is none of ours.
    pub fn read(&self, key: &str) -> Option<(BackupId, Part)> {
        let name = key.strip_prefix(self.0.as_str())?.strip_prefix('/')?;
        let (id, rest) = name.split_once('.')?;
        let part = match rest {
            MANIFEST => Part::Manifest,
            _ => {
                let time = rest.strip_prefix(PROOF)?.strip_suffix(SEALED)?;
                let is_time = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_alphanumeric());
                is_time.then(|| Part::Proof(time.to_owned()))?
            }
        };
        Some((id.parse().ok()?, part))
    }

    /// The name of a content below the folder. Two of one hash are one.
    pub fn content(sha256: &str) -> String {
        format!("{CONTENTS}/{}/{sha256}{SEALED}", sha256.get(..2).unwrap_or_default())
    }

    /// The key of what a list calls `stored`.
    pub fn stored(&self, stored: &str) -> String {
        format!("{}/{stored}", self.0)
    }

    /// What a list calls the content of a key; nothing when it is none.
    pub fn stored_of<'a>(&self, key: &'a str) -> Option<&'a str> {
        let stored = key.strip_prefix(self.0.as_str())?.strip_prefix('/')?;
        stored.strip_prefix(CONTENTS)?.starts_with('/').then_some(stored)
    }
}
