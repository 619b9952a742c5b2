//! SQL of this machine that is used on another one: read whole, within a limit, and from nowhere but where it is said to
//! be.

use std::fmt;
use std::path::{Path, PathBuf};

use mainstay_model::compose::FileProblem;
use mainstay_model::declared::SqlFile;

use super::disk::read_regular;
use super::sql_files::sql_paths;

/// No more goes along with one command.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// No folder has more files.
const MOST_FILES: usize = 5000;

/// What one command takes along.
#[derive(Debug)]
pub struct Luggage {
    left: u64,
}

/// Why something does not go along.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error("`{}` is too large to go along: with what else goes, it is more than {} MiB", .place.display(), MOST_BYTES >> 20)]
    TooLarge { place: PathBuf },
    #[error("`{}` has {files} files, and no more than {MOST_FILES} go along", .place.display())]
    TooMany { place: PathBuf, files: usize },
    #[error("`{}` is a link that leads out of its folder, and what is elsewhere does not go along", .link.display())]
    LeadsOut { link: PathBuf },
    /// There is no such folder or file.
    #[error("`{}` does not exist", .place.display())]
    Missing { place: PathBuf },
    #[error("{0}")]
    Unreadable(String),
}

impl Default for Luggage {
    fn default() -> Luggage {
        Luggage { left: MOST_BYTES }
    }
}

impl Luggage {
    /// What every command about a folder of migrations reads of it.
    ///
    /// # Errors
    /// When it cannot be read, or is too much.
    pub fn folder(&mut self, dir: &Path) -> Result<Vec<SqlFile>, NotTaken> {
        let root = whole(dir)?;
        let paths = sql_paths(dir).map_err(|error| NotTaken::Unreadable(error.to_string()))?;
        if paths.len() > MOST_FILES {
            return Err(NotTaken::TooMany { place: dir.to_owned(), files: paths.len() });
        }
        let take = |(name, path): (String, PathBuf)| Ok(SqlFile::new(name, self.bytes(&root, &path, dir)?));
        paths.into_iter().map(take).collect()
    }

    /// One file.
    ///
    /// # Errors
    /// As [`Luggage::folder`].
    pub fn file(&mut self, path: &Path) -> Result<SqlFile, NotTaken> {
        let root = whole(path.parent().unwrap_or(path))?;
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(NotTaken::Unreadable(format!("`{}` has no name that is text", path.display())));
        };
        Ok(SqlFile::new(name, self.bytes(&root, path, path)?))
    }

    /// `place` is what is named when it is too much.
    fn bytes(&mut self, root: &Path, path: &Path, place: &Path) -> Result<Vec<u8>, NotTaken> {
        let real = whole(path)?;
        if !real.starts_with(root) {
            return Err(NotTaken::LeadsOut { link: path.to_owned() });
        }
        let bytes = read_regular(&real, self.left).map_err(|problem| match problem {
            FileProblem::TooLarge { .. } => NotTaken::TooLarge { place: place.to_owned() },
            FileProblem::Missing => NotTaken::Missing { place: path.to_owned() },
            problem => unreadable(path, &problem),
        })?;
        self.left -= bytes.len() as u64;
        Ok(bytes)
    }
}

/// Where a path leads.
fn whole(path: &Path) -> Result<PathBuf, NotTaken> {
    path.canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            NotTaken::Missing { place: path.to_owned() }
        }
        _ => unreadable(path, &error),
    })
}

fn unreadable(path: &Path, why: &dyn fmt::Display) -> NotTaken {
    NotTaken::Unreadable(format!("`{}`: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("sql")).expect("a folder");
        fs::write(folder.path().join("sql/2 äö;\n.sql"), b"select 2;\r\n").expect("a file");
        fs::write(folder.path().join("sql/1.SQL"), b"\xef\xbb\xbfselect 1;").expect("a file");
        fs::write(folder.path().join("sql/notes.txt"), "not a migration").expect("a file");
        fs::create_dir(folder.path().join("sql/deep.sql")).expect("a folder");
        folder
    }

    fn taken(dir: &Path) -> Result<Vec<(String, Vec<u8>)>, NotTaken> {
        let files = Luggage::default().folder(dir)?;
        Ok(files.into_iter().map(|file| (file.name.clone(), file.bytes())).collect())
    }

    #[test]
    fn a_folder_must_be_taken_as_it_is_and_nothing_beside_its_files() {
        let folder = folder();
        let dir = folder.path().join("sql");
        let expected = super::super::sql_files(&dir).expect("the files");
        assert_eq!(expected.len(), 2);
        assert_eq!(taken(&dir).expect("taken"), expected);
        symlink(&dir, folder.path().join("link")).expect("a link");
        assert_eq!(taken(&folder.path().join("link")).expect("taken"), expected, "what is declared may be a link");
        fs::write(folder.path().join("before.sql"), "create schema old;").expect("a file");
        let before = Luggage::default().file(&folder.path().join("before.sql")).expect("taken");
        assert_eq!((before.name.as_str(), before.bytes().as_slice()), ("before.sql", &b"create schema old;"[..]));
    }

    #[test]
    fn a_link_must_not_lead_out_of_its_folder() {
        let folder = folder();
        let dir = folder.path().join("sql");
        symlink("1.SQL", dir.join("3.sql")).expect("a link");
        assert_eq!(taken(&dir).expect("taken").len(), 3, "one that stays in the folder is a file");
        fs::write(folder.path().join("key.sql"), "a secret").expect("a file");
        for target in ["../key.sql", folder.path().join("key.sql").to_str().expect("text")] {
            symlink(target, dir.join("4.sql")).expect("a link");
            let error = taken(&dir).expect_err("refused");
            assert!(matches!(&error, NotTaken::LeadsOut { link } if link.ends_with("4.sql")), "{error}");
            assert!(!error.to_string().contains("secret"));
            let before = Luggage::default().file(&dir.join("4.sql")).expect_err("refused");
            assert!(matches!(before, NotTaken::LeadsOut { .. }), "{before}");
            fs::remove_file(dir.join("4.sql")).expect("it was there");
        }
        symlink("nowhere", dir.join("5.sql")).expect("a link");
        assert!(taken(&dir).expect_err("refused").to_string().contains("5.sql"));
    }

    #[test]
    fn what_is_too_much_must_be_named_with_its_folder_and_the_limit() {
        let folder = folder();
        let dir = folder.path().join("sql");
        for number in 3..6 {
            fs::File::create(dir.join(format!("{number}.sql")))
                .and_then(|file| file.set_len(MOST_BYTES / 2))
                .expect("a file");
        }
        let error = taken(&dir).expect_err("refused").to_string();
        assert!(error.contains("/sql` is too large") && error.contains("16 MiB"), "{error}");
        // The limit is one for everything that goes along.
        let mut luggage = Luggage { left: 20 };
        assert!(luggage.file(&dir.join("1.SQL")).is_ok());
        assert!(matches!(luggage.file(&dir.join("1.SQL")), Err(NotTaken::TooLarge { .. })));
        let many = folder.path().join("many");
        fs::create_dir(&many).expect("a folder");
        for number in 0..=MOST_FILES {
            fs::File::create(many.join(format!("{number}.sql"))).expect("a file");
        }
        let error = taken(&many).expect_err("refused").to_string();
        assert!(error.contains("many` has 5001 files, and no more than 5000 go along"), "{error}");
    }

    #[test]
    fn what_is_not_there_must_be_told_apart() {
        let folder = folder();
        let missing = |error: NotTaken| matches!(error, NotTaken::Missing { .. });
        assert!(missing(taken(&folder.path().join("other")).expect_err("refused")));
        assert!(missing(Luggage::default().file(&folder.path().join("other.sql")).expect_err("refused")));
        assert!(matches!(taken(&folder.path().join("sql/notes.txt")), Err(NotTaken::Unreadable(_))));
    }
}
