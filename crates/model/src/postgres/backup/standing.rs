//! Whether a database, or a bucket, has the backups that it should have.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is known, all times in seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    pub now: i64,
    /// When the newest backup took its snapshot.
    pub last_backup: Option<i64>,
    /// When the oldest one that is there did.
    pub first_backup: Option<i64>,
    /// When the newest proof that held was made.
    pub last_proof: Option<i64>,
    /// What the last drill found, when that did not hold.
    pub failed_proof: Option<String>,
    /// When the schedule last wanted a backup, and a drill; nothing without a schedule.
    pub backup_due: Option<i64>,
    pub drill_due: Option<i64>,
    /// Why the last attempt at a backup failed, when nothing came after it.
    pub failed_backup: Option<String>,
    /// Why the last attempt at a drill made no proof, when none was made after it.
    pub failed_drill: Option<String>,
    /// Why the newest one cannot be read, when that is so.
    pub unreadable: Option<String>,
    /// Whether a schedule says when they are drilled.
    pub is_drilled: bool,
}

/// Something that is wrong with the backups of a database or a bucket, until it is mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trouble {
    /// There is none at all.
    NoBackup,
    /// The schedule wanted one, and none came.
    Late { due: i64 },
    /// The last attempt failed.
    Failed { words: String },
    /// The newest one cannot even be read.
    Unreadable { words: String },
    /// No drill has ever held.
    NeverProven,
    /// The schedule wanted a drill, and none has held since.
    ProofLate { due: i64 },
    /// The last drill did not hold.
    ProofFailed { words: String },
    /// The last drill made no proof: it says nothing of the backup.
    DrillFailed { words: String },
    /// No schedule asks for drills, and for a long time nobody else has made one that held.
    Unproven { since: i64 },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::NoBackup => f.write_str("there is none"),
            Trouble::Late { .. } => f.write_str("the one that was due did not come"),
            Trouble::Failed { words } => write!(f, "the last attempt failed: {words}"),
            Trouble::Unreadable { words } => write!(f, "the newest one cannot be read: {words}"),
            Trouble::NeverProven => f.write_str("no drill has ever held: nothing is proven"),
            Trouble::ProofLate { .. } => f.write_str("the drill that was due has not held"),
            Trouble::ProofFailed { words } => write!(f, "the last drill did not hold: {words}"),
            Trouble::DrillFailed { words } => write!(f, "the last drill could not be made: {words}"),
            Trouble::Unproven { .. } => {
                write!(f, "nothing was proven for more than {UNPROVEN_DAYS} days, and no `drill` is declared")
            }
        }
    }
}

/// For so long after it was due, one that is not there may still be under way.
pub const GRACE_SECONDS: i64 = 3600;

/// After so many days without a proof, something is wrong where no schedule says when backups are drilled.
pub const UNPROVEN_DAYS: i64 = 8;
const UNPROVEN_SECONDS: i64 = UNPROVEN_DAYS * 24 * 3600;

/// When backups count as unproven for too long, unless something is proven before.
pub fn unproven_at(known: &Known) -> Option<i64> {
    let since = known.last_proof.or(known.first_backup).filter(|_| !known.is_drilled)?;
    Some(since + UNPROVEN_SECONDS)
}

/// Everything that is wrong, the worst first.
pub fn troubles(known: &Known) -> Vec<Trouble> {
    let mut found = Vec::new();
    let overdue = |due: Option<i64>, last: Option<i64>| {
        due.filter(|due| known.now > due + GRACE_SECONDS && last.is_none_or(|last| last < *due))
    };
    if let Some(words) = &known.failed_proof {
        found.push(Trouble::ProofFailed { words: words.clone() });
    } else if let Some(words) = &known.failed_drill {
        found.push(Trouble::DrillFailed { words: words.clone() });
    }
    if let Some(words) = &known.failed_backup {
        found.push(Trouble::Failed { words: words.clone() });
    }
    if let Some(words) = &known.unreadable {
        found.push(Trouble::Unreadable { words: words.clone() });
    }
    match (known.last_backup, overdue(known.backup_due, known.last_backup)) {
        (None, _) => found.push(Trouble::NoBackup),
        (Some(_), Some(due)) => found.push(Trouble::Late { due }),
        (Some(_), None) => {}
    }
    match (known.last_proof, overdue(known.drill_due, known.last_proof)) {
        (None, Some(_)) if known.last_backup.is_some() => found.push(Trouble::NeverProven),
        (Some(_), Some(due)) => found.push(Trouble::ProofLate { due }),
        _ => {}
    }
    if let Some(at) = unproven_at(known).filter(|at| known.now > *at) {
        found.push(Trouble::Unproven { since: at - UNPROVEN_SECONDS });
    }
    found
}
