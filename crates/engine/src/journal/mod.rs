//! Everything is remembered here: one SQLite file (WAL) in the state folder, and the lock that makes its owner the
//! only writer. The only room with SQL of ours.
//!
//! Writes go through one thread that puts whatever is waiting into one transaction ([`writer`]), so that a hundred
//! steps side by side do not queue up behind a hundred commits, and no async caller ever sits on a disk. Reads have a
//! connection of their own: WAL lets them see the last commit while a write is under way.

mod heard;
mod history;
mod id;
mod lock;
mod operations;
mod phases;
mod reading;
mod releases;
mod schema;
mod stacks;
#[cfg(test)]
mod tests;
mod time;
mod trouble;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use mainstay_model::identity::{OperationId, StackName, digest};
use mainstay_model::plan::HeldService;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use heard::PastAct;
pub use history::NewEntry;
pub use id::new_operation_id;
pub(crate) use operations::verdict_text;
pub use operations::{Beginning, KnownChange, OperationRecord, StepEnd, StepOutcome, StepRecord};
pub use phases::{Logged, Phase};
pub use reading::Reading;
pub use releases::{KEPT, NewRelease, Release, ReleaseState, SeenAtEnd};
pub(crate) use time::{now_text, text_of};
pub use trouble::JournalError;

use crate::keeper::KeeperError;
use crate::secrets::Redactions;
pub use lock::LOCK_NAME;
use lock::StateLock;
use writer::Writer;

/// The file's name inside the state folder.
pub const FILE_NAME: &str = "journal.db";

/// Dropping it writes out what is still queued and gives the lock back.
pub struct Journal {
    /// What never stands in it.
    pub redactions: Redactions,
    path: PathBuf,
    keeper: Arc<str>,
    // The order of the fields is the order of their ends: the writer flushes, the reader closes, then the lock goes.
    writer: Writer,
    reader: Mutex<Connection>,
    _lock: StateLock,
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

impl HistoryFilter {
    /// Asks for what comes after these entries; for following.
    pub fn go_on_after(&mut self, entries: &[Entry]) {
        self.limit = None;
        self.after = entries.last().map(|entry| entry.id).or(self.after).or(Some(0));
    }
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
    /// Takes the lock, opens or makes the file, brings its schema up to date, and tells of operations whose process
    /// ended in the middle.
    ///
    /// # Errors
    /// [`KeeperError::Locked`], or why the file cannot be used.
    pub fn open(state_dir: &Path) -> Result<Journal, KeeperError> {
        let lock = StateLock::take(state_dir)?;
        let opened = |source| KeeperError::Journal { doing: "opened", source };
        let path = state_dir.join(FILE_NAME);
        let mut connection = schema::open_for_writing(&path).map_err(opened)?;
        schema::bring_up_to_date(&mut connection, &path).map_err(opened)?;
        heard::begin(&connection)
            .and_then(|()| operations::close_interrupted(&mut connection))
            .and_then(|()| history::trim(&connection))
            .map_err(|source| opened(JournalError::of(&path, source)))?;
        let reader = schema::open_for_reading(&path).map_err(opened)?;
        let writer = lock.mark().and_then(|mark| Writer::start(connection, path.clone(), mark)).map_err(opened)?;
        // By its path, so that a folder whose content was lost still knows what it kept.
        let folder = std::fs::canonicalize(state_dir).unwrap_or_else(|_| state_dir.to_owned());
        let keeper = digest(&folder.to_string_lossy()).into();
        Ok(Journal { redactions: Redactions::default(), path, keeper, writer, reader: Mutex::new(reader), _lock: lock })
    }

    /// Whose folder this is, as the label of the containers that it keeps says.
    pub fn keeper(&self) -> Arc<str> {
        self.keeper.clone()
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Changes whenever something was written down, for those who follow the history.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.writer.commits()
    }

    /// From now on the disk is full, or has room again.
    #[cfg(test)]
    pub(crate) async fn fill_up(&self, full: bool) {
        // SQLite answers a reached page limit with the very error of a full disk.
        let pages = if full { 1 } else { 1_000_000 };
        let job = move |connection: &Connection| {
            // Room that earlier rows left would be used up first.
            connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get(0))
        };
        let done = self.writer.write(false, job).await;
        assert!(done.is_ok(), "{done:?}");
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        // A panic while reading leaves a connection that can still read.
        self.reader.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, JournalError> {
        read(&self.reader()).map_err(|source| JournalError::of(&self.path, source))
    }
}
