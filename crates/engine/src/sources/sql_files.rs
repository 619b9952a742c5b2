//! The files of a migrations folder.

use std::io;
use std::path::{Path, PathBuf};

use mainstay_model::declared::{Declared, SqlFile};

/// No migration is longer; what is, is data, or no migration at all.
const LARGEST: u64 = 32 * 1024 * 1024;

/// Reads the files of every database that has migrations into its declaration, so that what is shown is what is applied.
/// A folder that cannot be read matters where a release is to apply it.
///
/// # Errors
/// The name of such a database, and what is wrong with its folder.
pub fn carry_sql(declared: &mut Declared) -> Result<(), (String, io::Error)> {
    for (name, database) in &mut declared.databases {
        let Some(migrations) = &mut database.migrations else { continue };
        match sql_files(Path::new(&migrations.dir)) {
            Ok(files) => {
                let files = files.into_iter().map(|(name, bytes)| SqlFile::new(name, bytes));
                migrations.files = Some(files.collect());
            }
            Err(error) if migrations.release => return Err((name.clone(), error)),
            Err(_) => {}
        }
    }
    Ok(())
}

/// Name and bytes of every file in a folder whose name ends with `.sql`; folders in it are not looked into.
///
/// # Errors
/// When there is no such folder, or one of the files cannot be read, is too large, or has a name that is no text.
pub fn sql_files(dir: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let read = |(name, path): (String, PathBuf)| match std::fs::read(&path) {
        Ok(bytes) => Ok((name, bytes)),
        Err(error) => Err(told(&path, &error)),
    };
    sql_paths(dir)?.into_iter().map(read).collect()
}

/// Name and path of each of them, in the order of the names.
pub(super) fn sql_paths(dir: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|error| told(dir, &error))? {
        let path = entry.map_err(|error| told(dir, &error))?.path();
        let is_sql = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("sql"));
        let about = std::fs::metadata(&path);
        if !is_sql || about.as_ref().is_ok_and(|about| !about.is_file()) {
            continue;
        }
        let size = about.map_err(|error| told(&path, &error))?.len();
        if size > LARGEST {
            let error = io::Error::other(format!("has {size} bytes, and {LARGEST} are the most for a migration"));
            return Err(told(&path, &error));
        }
        let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else {
            return Err(told(&path, &io::Error::other("its name is not UTF-8")));
        };
        files.push((name, path));
    }
    files.sort();
    Ok(files)
}

fn told(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
