//! Files that only their owner may read, written whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::SecretsError;

/// Counts [`create`]s.
static CREATED: AtomicU32 = AtomicU32::new(0);
/// Ours alone.
pub(super) const PRIVATE: u32 = 0o600;

/// Makes a folder and those above it, for its owner alone.
pub(crate) fn make_folder(folder: &Path) -> Result<(), SecretsError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(trouble(folder, "made"))
}

/// The content of a file; nothing when there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, SecretsError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(trouble(path, "read")(error)),
    }
}

/// A lock that ends with this value or with the process. Whoever has it holds it for as long as a file takes to write.
pub(crate) fn lock(path: &Path) -> Result<File, SecretsError> {
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(PRIVATE).open(path);
    let lock = lock.map_err(trouble(path, "opened"))?;
    lock.lock().map_err(trouble(path, "locked"))?;
    Ok(lock)
}

/// Writes a file beside the old one and puts it in its place. After a power cut one of the two is there. Called under a
/// lock.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), SecretsError> {
    let half = beside(path, "new");
    let failed = |doing| trouble(path, doing);
    // One that a crash left may have any mode.
    remove(&half)?;
    write_new(&half, bytes).map_err(failed("written"))?;
    fs::rename(&half, path).map_err(failed("put in its place"))?;
    bring_to_disk(path)
}

/// Writes a file that must not be there yet: whole, or not at all. `false` when somebody else was first.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<bool, SecretsError> {
    // Of this call alone, so that two at once do not write into one file.
    let half = beside(path, &format!("new-{}-{}", std::process::id(), CREATED.fetch_add(1, Ordering::Relaxed)));
    remove(&half)?;
    write_new(&half, bytes).map_err(trouble(path, "written"))?;
    // Unlike a rename, a link never replaces what is there.
    let linked = fs::hard_link(&half, path);
    remove(&half)?;
    match linked {
        Ok(()) => bring_to_disk(path).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(trouble(path, "put in its place")(error)),
    }
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), SecretsError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(trouble(path, "removed")(error)),
        _ => Ok(()),
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(PRIVATE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn bring_to_disk(path: &Path) -> Result<(), SecretsError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(trouble(path, "brought to the disk"))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

pub(crate) fn trouble(path: &Path, doing: &'static str) -> impl Fn(io::Error) -> SecretsError + use<> {
    let path = path.to_owned();
    move |source| SecretsError::Disk { path: path.clone(), doing, source }
}
