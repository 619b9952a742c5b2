//! The journal for those who only read: without the lock, so that `plan`, `ps` and `history` never stand in the way
//! of the owner, and the owner never in theirs.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mainstay_model::identity::StackName;
use rusqlite::Connection;

use super::{
    Entry, FILE_NAME, HistoryFilter, JournalError, KnownStack, Logged, Release, history, phases, releases, schema,
    stacks,
};

/// A view of a state folder's journal, whoever owns it. It sees what is committed at each call.
pub struct Reading {
    path: PathBuf,
    /// `None` where no journal was ever kept: then nothing is known, and nothing is made by looking.
    connection: Option<Mutex<Connection>>,
}

impl Reading {
    /// # Errors
    /// When there is a file and it cannot be read.
    pub fn open(state_dir: &Path) -> Result<Reading, JournalError> {
        let path = state_dir.join(FILE_NAME);
        let is_there = path.try_exists().map_err(|error| {
            JournalError::of_file(format!("the journal `{}` cannot be reached", path.display()), error)
        })?;
        let connection = if is_there { Some(Mutex::new(schema::open_for_reading(&path)?)) } else { None };
        Ok(Reading { path, connection })
    }

    /// Opens the file when it was made since.
    ///
    /// # Errors
    /// When there is a file now and it cannot be read.
    pub fn look_for_file(&mut self) -> Result<(), JournalError> {
        if self.connection.is_none() && self.path.exists() {
            self.connection = Some(Mutex::new(schema::open_for_reading(&self.path)?));
        }
        Ok(())
    }

    /// By name.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn stacks(&self) -> Result<Vec<KnownStack>, JournalError> {
        self.read(stacks::all)
    }

    /// Newest last.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn history(&self, filter: &HistoryFilter) -> Result<Vec<Entry>, JournalError> {
        self.read(|connection| history::select(connection, filter))
    }

    /// The release that is in effect: the newest that was committed, also when its stack was taken down since.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn release_that_serves(&self, stack: &StackName) -> Result<Option<Release>, JournalError> {
        self.read(|connection| match schema::is_up_to_date(connection)? {
            true => releases::that_serves(connection, stack),
            false => Ok(None),
        })
    }

    /// The newest so many releases of a stack, or of all, newest first, with the time that each part of them took.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn release_log(&self, stack: Option<&StackName>, limit: u32) -> Result<Vec<Logged>, JournalError> {
        self.read(|connection| match schema::is_up_to_date(connection)? {
            true => phases::log(connection, stack, limit),
            false => Ok(Vec::new()),
        })
    }

    fn read<T: Default>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, JournalError> {
        let Some(connection) = &self.connection else { return Ok(T::default()) };
        let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        read(&connection).map_err(|source| JournalError::of(&self.path, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{EntryKind, Journal, NewEntry};

    #[test]
    fn a_folder_without_a_journal_is_read_as_empty_and_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let reading = Reading::open(folder.path()).expect("a view");
        assert!(reading.stacks().expect("none").is_empty());
        assert!(!folder.path().join(FILE_NAME).exists());
    }

    #[tokio::test]
    async fn a_reader_sees_what_the_owner_writes_while_it_owns() {
        let folder = tempfile::tempdir().expect("a folder");
        let owner = Journal::open(folder.path()).expect("a journal");
        let reading = Reading::open(folder.path()).expect("a view");
        owner.record(NewEntry::new(EntryKind::Repair, None, "attached `a`")).await.expect("written");
        let told = reading.history(&HistoryFilter::default()).expect("entries");
        assert_eq!(told.last().map(|entry| entry.summary.as_str()), Some("attached `a`"));
        drop(owner);
        assert!(reading.stacks().expect("still readable").is_empty());
    }
}
