//! What a look at the backups of a database, or of a bucket, told.

use jiff::Timestamp;

use super::memory::Last;
use crate::{bucket, pg::backup};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub newest: Option<Last>,
    pub oldest: Option<Last>,
    /// By their time, the oldest first.
    pub drills: Vec<Drilled>,
    /// Why the newest of all cannot be read, when that is so.
    pub unreadable: Option<String>,
}

/// One drill that made a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drilled {
    /// What was drilled, and when that ended.
    pub of: Last,
    /// What did not hold; nothing when everything did.
    pub failed: Option<String>,
    /// From nothing to a database that answers.
    pub restore_ms: Option<u64>,
}

impl From<&backup::Listing> for Seen {
    fn from(listing: &backup::Listing) -> Seen {
        let last =
            |one: &backup::Shelved| Last { id: one.manifest.id.to_string(), at: seconds(&one.manifest.snapshot_at) };
        let drilled = |proof: &mainstay_model::postgres::backup::Proof| Drilled {
            of: Last { id: proof.backup.to_string(), at: seconds(&proof.ended_at) },
            failed: (!proof.is_proven()).then(|| proof.verdict.to_string()),
            restore_ms: proof.restore_ms,
        };
        let unusable = listing.unusable.iter().map(|one| (one.id.to_string(), one.why.as_str()));
        Seen {
            newest: listing.backups.first().map(last),
            oldest: listing.backups.last().map(last),
            drills: listing.backups.iter().flat_map(|one| &one.proofs).map(drilled).collect(),
            unreadable: newest_of(unusable),
        }
        .in_order()
    }
}

impl From<&bucket::Listing> for Seen {
    fn from(listing: &bucket::Listing) -> Seen {
        let last =
            |one: &bucket::Shelved| Last { id: one.manifest.id.to_string(), at: seconds(&one.manifest.began_at) };
        let drilled = |proof: &bucket::Proof| Drilled {
            of: Last { id: proof.backup.to_string(), at: seconds(&proof.ended_at) },
            failed: (!proof.is_proven()).then(|| proof.verdict.to_string()),
            restore_ms: None,
        };
        let unusable = listing.unusable.iter().map(|(id, why)| (id.to_string(), why.as_str()));
        Seen {
            newest: listing.backups.first().map(last),
            oldest: listing.backups.last().map(last),
            drills: listing.backups.iter().flat_map(|one| &one.proofs).map(drilled).collect(),
            unreadable: newest_of(unusable),
        }
        .in_order()
    }
}

impl Seen {
    fn in_order(mut self) -> Seen {
        self.drills.sort_by_key(|one| one.of.at);
        // An id begins with its time. What is older than one that can be read is nobody's next restore.
        let newest = self.newest.as_ref().map(|last| last.id.as_str());
        self.unreadable = self.unreadable.filter(|words| newest.is_none_or(|newest| words.as_str() > newest));
        self
    }
}

/// `ID: why` of the newest.
fn newest_of<'a>(unusable: impl Iterator<Item = (String, &'a str)>) -> Option<String> {
    unusable.max().map(|(id, why)| format!("{id}: {why}"))
}

fn seconds(text: &str) -> i64 {
    text.parse::<Timestamp>().map(Timestamp::as_second).unwrap_or_default()
}
