//! Following the history: woken by whoever writes, never by a clock.
//!
//! A server tells its followers itself. Where none runs, some command writes to the journal now and then; its owner marks
//! each commit on the folder's lock file, and the kernel tells of that.

use std::os::fd::OwnedFd;
use std::path::Path;

use mainstay_engine::journal::{Entry, HistoryFilter, LOCK_NAME, Reading};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use super::served::Lines;
use super::unreadable;
use crate::problem::Problem;

/// What comes after some entries.
pub enum Follow {
    Served(Lines),
    Folder(Box<Folder>),
}

impl Follow {
    /// The next entries, at least one; `None` when the server went away.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<Entry>>, Problem> {
        match self {
            Follow::Served(lines) => lines.next_entry().await.map(|entry| entry.map(|entry| vec![entry])),
            Follow::Folder(folder) => folder.next().await.map(Some),
        }
    }
}

/// A state folder that no server serves.
pub struct Folder {
    reading: Reading,
    filter: HistoryFilter,
    watch: AsyncFd<OwnedFd>,
    /// Something may have been written since the last reading.
    changed: bool,
}

impl Folder {
    /// # Errors
    /// When there is no such folder, or it cannot be watched.
    pub fn new(state_dir: &Path, filter: HistoryFilter) -> Result<Folder, Problem> {
        let watch = watch(state_dir).map_err(|error| unwatchable(state_dir, error))?;
        // Opened behind the watch, so that nothing falls between the two.
        let reading = Reading::open(state_dir).map_err(unreadable)?;
        Ok(Folder { reading, filter, watch, changed: true })
    }

    async fn next(&mut self) -> Result<Vec<Entry>, Problem> {
        loop {
            if !self.changed {
                self.wait().await.map_err(|error| {
                    Problem::world("no-watch", "the journal cannot be watched any more").caused_by(&error)
                })?;
            }
            self.changed = false;
            self.reading.look_for_file().map_err(unreadable)?;
            let entries = self.reading.history(&self.filter).map_err(unreadable)?;
            self.filter.go_on_after(&entries);
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
    }

    /// Until something was committed.
    async fn wait(&mut self) -> std::io::Result<()> {
        while !self.changed {
            let mut ready = self.watch.readable().await?;
            let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
            let mut events = Reader::new(ready.get_inner(), &mut buffer);
            loop {
                match events.next() {
                    Ok(event) => {
                        let name = event.file_name().map(|name| name.to_string_lossy());
                        // Too many at once lose their names.
                        self.changed |= name.is_none_or(|name| name == LOCK_NAME);
                    }
                    Err(Errno::AGAIN) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            ready.clear_ready();
        }
        Ok(())
    }
}

#[expect(deprecated, reason = "an owned descriptor stays what it is, which is all that the successor asks to be sworn")]
fn watch(folder: &Path) -> std::io::Result<AsyncFd<OwnedFd>> {
    let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    // A new time of change alone is told as a change of the file.
    inotify::add_watch(&watch, folder, WatchFlags::MODIFY)?;
    AsyncFd::new(watch)
}

fn unwatchable(folder: &Path, error: std::io::Error) -> Problem {
    let folder = folder.display();
    if error.kind() == std::io::ErrorKind::NotFound {
        return Problem::world("no-journal", format!("there is no journal to follow: `{folder}` does not exist"))
            .hint("`mainstay up` or `mainstay serve` begins one; `--state-dir` names another folder");
    }
    Problem::world("no-watch", format!("`{folder}` cannot be watched")).caused_by(&error)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainstay_engine::journal::{EntryKind, Journal, NewEntry};

    use super::*;

    #[tokio::test]
    async fn a_follower_must_hear_of_what_another_writes_from_the_birth_of_the_journal_on() {
        let state = tempfile::tempdir().expect("a folder");
        let mut follow = Folder::new(state.path(), HistoryFilter::default()).expect("a follower");
        let waiting = tokio::time::timeout(Duration::from_millis(100), follow.next()).await;
        assert!(waiting.is_err(), "there is nothing yet");
        let journal = Journal::open(state.path()).expect("a journal");
        for words in ["one", "two"] {
            journal.record(NewEntry::new(EntryKind::Repair, None, words)).await.expect("written");
            let told = tokio::time::timeout(Duration::from_secs(5), follow.next()).await.expect("it wakes");
            let told: Vec<String> = told.expect("entries").into_iter().map(|entry| entry.summary).collect();
            assert_eq!(told, [words]);
        }
    }

    #[test]
    fn a_folder_that_is_not_there_must_be_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let absent = folder.path().join("absent");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let problem = runtime.block_on(async { Folder::new(&absent, HistoryFilter::default()).err() });
        let problem = problem.expect("nothing to follow");
        assert!(problem.message.contains("absent"), "{}", problem.message);
        assert!(!absent.exists(), "looking makes nothing");
    }
}
