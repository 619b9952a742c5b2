//! The lock that makes one process the owner of a state folder.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::JournalError;
use crate::keeper::KeeperError;

/// Held as long as it lives; the operating system gives it back when the process dies, however it dies.
pub(super) struct StateLock {
    file: File,
}

/// The file's name inside the state folder. Its time of change is that of the journal's last commit, so that whoever
/// watches it hears of each: SQLite's own files are written to before a commit can be seen.
pub const LOCK_NAME: &str = "lock";

impl StateLock {
    pub(super) fn take(folder: &Path) -> Result<StateLock, KeeperError> {
        let trouble = |doing: &str, source: std::io::Error| KeeperError::Journal {
            doing: "opened",
            source: JournalError::of_file(
                format!("the state folder `{}` could not be {doing}", folder.display()),
                source,
            ),
        };
        // Ours alone: the journal tells what runs here and how it failed. An existing folder keeps its mode, since it
        // may be shared for a reason; the files in it are 0600 either way.
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|source| trouble("made", source))?;
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(folder.join(LOCK_NAME))
            .map_err(|source| trouble("written to", source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(KeeperError::Locked { folder: folder.to_owned(), pid: pid_in(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(trouble("locked", source)),
        }
        // The pid is a courtesy to whoever comes second: a disk too full for it must not keep the owner out.
        let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(StateLock { file })
    }

    /// The same file, for the writer to mark commits on. To be dropped before the lock: it holds it as well.
    pub(super) fn mark(&self) -> Result<File, JournalError> {
        self.file
            .try_clone()
            .map_err(|source| JournalError::of_file("the state folder's lock could not be shared", source))
    }
}

fn pid_in(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.rewind();
    match file.take(32).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}
