//! What came of restoring a backup.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Difference;
use crate::identity::BackupId;

/// One drill: a small object beside the backup, written when it has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    pub format: u32,
    pub backup: BackupId,
    /// RFC 3339.
    pub began_at: String,
    pub ended_at: String,
    pub made_by: String,
    pub verdict: Verdict,
    /// From nothing to a database that answers: the measured time of a recovery. Of a restore that was broken off, none.
    pub restore_ms: Option<u64>,
    pub total_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was restored, and everything was compared.
    Proven,
    /// It was restored, and is not what was backed up.
    Different(Vec<Difference>),
    /// It could not be restored: what was being done, and the tool's own words.
    Failed { doing: String, words: String },
}

impl Proof {
    pub fn is_proven(&self) -> bool {
        self.verdict == Verdict::Proven
    }

    /// # Errors
    /// When it is none, in words.
    pub fn read(bytes: &[u8]) -> Result<Proof, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Proven => f.write_str("proven"),
            Verdict::Different(differences) => {
                write!(f, "what was restored is not what was backed up: ")?;
                match differences.as_slice() {
                    [] => f.write_str("nobody wrote down in what"),
                    [one] => write!(f, "{one}"),
                    [one, rest @ ..] => write!(f, "{one}, and {} more", rest.len()),
                }
            }
            Verdict::Failed { doing, words } => write!(f, "{doing} failed: {words}"),
        }
    }
}
