//! The file of a stack's values.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mainstay_model::declared::Hidden;
use serde::{Deserialize, Serialize};

use super::SecretsError;

/// Counts up when a file of this version could not be read by the last one: a sealed file will be 2.
const FORMAT: u32 = 1;
/// Ours alone.
const PRIVATE: u32 = 0o600;

/// What a file holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    format: u32,
    pub(super) values: BTreeMap<String, Value>,
}

impl Default for Kept {
    fn default() -> Self {
        Kept { format: FORMAT, values: BTreeMap::new() }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Value {
    pub(super) value: Hidden,
    pub(super) from: Origin,
    /// RFC 3339.
    pub(super) at: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Origin {
    Generated,
    /// A container carried it.
    Container,
}

/// The file under its lock, which ends with this value or with the process.
pub(super) struct Store {
    path: PathBuf,
    _lock: File,
}

impl Store {
    /// Makes the folder and waits for the lock: whoever has it holds it for as long as a file takes to write.
    pub(super) fn open(folder: &Path, path: PathBuf) -> Result<Self, SecretsError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(trouble(folder, "made"))?;
        let lock_path = path.with_extension("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(PRIVATE).open(&lock_path);
        let lock = lock.map_err(trouble(&lock_path, "opened"))?;
        lock.lock().map_err(trouble(&lock_path, "locked"))?;
        Ok(Store { path, _lock: lock })
    }

    pub(super) fn read(&self) -> Result<Option<Kept>, SecretsError> {
        read(&self.path)
    }

    /// Writes the whole file beside the old one and puts it in its place. After a power cut one of the two is there.
    pub(super) fn write(&self, kept: &Kept) -> Result<(), SecretsError> {
        let half = self.path.with_extension("new");
        let failed = |doing| trouble(&self.path, doing);
        let text = serde_json::to_vec_pretty(kept)
            .map_err(|error| SecretsError::Unreadable { path: self.path.clone(), why: error.to_string() })?;
        // One that a crash left may have any mode.
        match fs::remove_file(&half) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed("written")(error)),
            _ => {}
        }
        let file = OpenOptions::new().create_new(true).write(true).mode(PRIVATE).open(&half);
        let written = file.and_then(|mut file| {
            file.write_all(&text)?;
            file.write_all(b"\n")?;
            file.sync_all()
        });
        written.map_err(failed("written"))?;
        fs::rename(&half, &self.path).map_err(failed("put in its place"))?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("brought to the disk"))
    }
}

/// What a file holds; nothing when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Kept>, SecretsError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(trouble(path, "read")(error)),
    };
    let mode = fs::metadata(path).map_err(trouble(path, "read"))?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(PRIVATE)).map_err(trouble(path, "made private"))?;
    }
    let unreadable = |why: String| SecretsError::Unreadable { path: path.to_owned(), why };
    // Not what serde says: it may quote what it could not read.
    let kept: Kept = serde_json::from_slice(&text)
        .map_err(|error| unreadable(format!("line {}, column {}", error.line(), error.column())))?;
    if kept.format > FORMAT {
        return Err(unreadable(format!("its format is {}, and this version knows {FORMAT}", kept.format)));
    }
    Ok(Some(kept))
}

fn trouble(path: &Path, doing: &'static str) -> impl Fn(std::io::Error) -> SecretsError + use<> {
    let path = path.to_owned();
    move |source| SecretsError::Disk { path: path.clone(), doing, source }
}
