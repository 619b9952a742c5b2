//! Everything is remembered here: one SQLite file (WAL) in the state folder, and the lock that makes its owner the
//! only writer. The only room with SQL of ours.

use std::path::Path;

use mainstay_model::identity::{OperationId, StackName};
use mainstay_model::plan::HeldService;
use serde::{Deserialize, Serialize};

use crate::keeper::KeeperError;

pub struct Journal {}

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct JournalError {
    pub message: String,
    #[source]
    pub source: Option<rusqlite::Error>,
}

/// A line of history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub id: i64,
    /// RFC 3339, UTC.
    pub at: String,
    pub stack: Option<StackName>,
    /// The container, network, volume or service concerned; empty for a whole operation.
    pub subject: String,
    pub kind: EntryKind,
    /// One sentence: "attached `nocodb-nocodb-1` to `supabase_default`".
    pub summary: String,
    /// Why: "`docker network disconnect` by someone else", "`environment.X` differs".
    pub cause: Option<String>,
    pub operation: Option<OperationId>,
    /// Facts for `--json`: ids, times, the event as the engine told it. Never a secret.
    pub evidence: serde_json::Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// An order was taken, finished, failed or was cancelled.
    Operation,
    /// A step of an operation began or ended.
    Step,
    /// The loop brought something back.
    Repair,
    /// The engine told of something that somebody did.
    Event,
    /// Something is not as declared and cannot be repaired live.
    Problem,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HistoryFilter {
    pub stack: Option<StackName>,
    pub service: Option<String>,
    pub operation: Option<OperationId>,
    /// Only entries after this id, for following.
    pub after: Option<i64>,
    /// The newest so many.
    pub limit: Option<u32>,
    /// Steps of operations too.
    pub steps: bool,
}

/// A stack that was brought up here: where its files are, and what is held of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownStack {
    pub stack: StackName,
    pub directory: String,
    pub files: Vec<String>,
    /// `--env`.
    pub env: Option<String>,
    pub profiles: Vec<String>,
    pub requires: Vec<StackName>,
    /// What the loop holds; empty after `down`.
    pub held: Vec<HeldService>,
    /// RFC 3339: the last successful `up`.
    pub up_at: Option<String>,
}

impl Journal {
    /// Takes the lock, opens or makes the file, and brings its schema up to date.
    ///
    /// # Errors
    /// [`KeeperError::Locked`], or why the file cannot be used.
    pub fn open(_state_dir: &Path) -> Result<Journal, KeeperError> {
        Ok(Journal {})
    }

    /// # Errors
    /// When the file cannot be read.
    pub fn stacks(&self) -> Result<Vec<KnownStack>, JournalError> {
        Ok(Vec::new())
    }

    /// # Errors
    /// When the file cannot be read.
    pub fn history(&self, _filter: &HistoryFilter) -> Result<Vec<Entry>, JournalError> {
        Ok(Vec::new())
    }
}
