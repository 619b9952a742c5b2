//! Looks at a folder with an app in it, and writes the files that it begins with.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use mainstay_model::starter::found::SKIPPED;
use mainstay_model::starter::{Found, StarterFile};

/// Levels below the folder that are looked at.
const DEPTH: usize = 3;
/// More files than this in one folder say nothing more about the app.
const MOST_ENTRIES: usize = 2_000;
/// Larger ones are data.
const LARGEST_BYTES: u64 = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum StarterError {
    #[error("the folder `{}` cannot be read", folder.display())]
    Unreadable { folder: PathBuf, source: io::Error },
    #[error("`{}` could not be written", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
}

/// What lies in the folder. Links are not followed: they may lead anywhere.
///
/// # Errors
/// When the folder itself cannot be read; what is below it and cannot be read is passed over.
pub fn look(folder: &Path) -> Result<Found, StarterError> {
    let unreadable = |source| StarterError::Unreadable { folder: folder.to_owned(), source };
    let whole = fs::canonicalize(folder).map_err(unreadable)?;
    let name = whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut found = Found { folder: name, ..Found::default() };
    walk(folder, "", DEPTH, &mut found).map_err(unreadable)?;
    // The one file of git's that says where the repository lives.
    read(folder, ".git/config", &mut found);
    Ok(found)
}

fn walk(folder: &Path, below: &str, depth: usize, found: &mut Found) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(below))?.flatten().take(MOST_ENTRIES) {
        let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else { continue };
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        found.paths.insert(path.clone());
        if kind.is_dir() && depth > 1 && !SKIPPED.contains(&name.as_str()) {
            let _ = walk(folder, &path, depth - 1, found);
        }
        if kind.is_file() && Found::is_worth_reading(&path) {
            read(folder, &path, found);
        }
    }
    Ok(())
}

fn read(folder: &Path, path: &str, found: &mut Found) {
    let whole = folder.join(path);
    let is_small = fs::metadata(&whole).is_ok_and(|about| about.is_file() && about.len() <= LARGEST_BYTES);
    if let (true, Ok(text)) = (is_small, fs::read_to_string(&whole)) {
        found.texts.insert(path.to_owned(), text);
    }
}

/// Writes a file whole or not at all. Without `over`, one that came there meanwhile is left as it is and is an error.
///
/// # Errors
/// When it cannot be written.
pub fn write(folder: &Path, file: &StarterFile, over: bool) -> Result<(), StarterError> {
    let path = folder.join(&file.path);
    let written = || {
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent)?;
        if !over {
            let mut made = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
            return made.write_all(file.content.as_bytes());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let temporary = parent.join(format!(".{name}.mainstay-new"));
        fs::write(&temporary, &file.content)?;
        fs::rename(&temporary, &path)
    };
    written().map_err(|source| StarterError::Unwritable { path: path.clone(), source })
}
