//! Files that came from another machine, and the SQL that came along with them.
//!
//! They lie in a folder of their own below `.sent`, so that whoever reads them, now or later, finds the SQL that was sent
//! with them and not a folder of this machine that happens to have the same name.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use mainstay_model::declared::Declared;
use serde::{Deserialize, Serialize};

/// Which SQL came along, by the name of its database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Arrived {
    pub databases: BTreeMap<String, ArrivedSql>,
}

/// Paths below [`Arrived::FOLDER`]; `None` for what did not come along.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrivedSql {
    /// In the place of `migrations.dir`.
    pub dir: Option<String>,
    /// In the place of `drift.before`.
    pub before: Option<String>,
}

impl Arrived {
    /// Has the sets that came, each in a folder.
    pub const SETS: &str = ".sent";
    /// Has the SQL of a set.
    pub const FOLDER: &str = ".sql";
    /// Stands in that folder, and is this as JSON.
    pub const INDEX: &str = "index.json";

    /// What came along in the set that is in this folder.
    fn of(set: &Path) -> io::Result<Arrived> {
        match std::fs::read(set.join(Arrived::FOLDER).join(Arrived::INDEX)) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Arrived::default()),
            Err(error) => Err(error),
        }
    }
}

/// Lets a declaration of files that came from another machine name the SQL that came with them.
pub(super) fn settle(declared: &mut Declared) -> io::Result<()> {
    let Some(set) = declared.files.first().and_then(|file| set_of(Path::new(file))) else { return Ok(()) };
    let place = |path: String| set.join(Arrived::FOLDER).join(path).to_string_lossy().into_owned();
    for (name, sql) in Arrived::of(&set)?.databases {
        let Some(database) = declared.databases.get_mut(&name) else { continue };
        if let (Some(dir), Some(migrations)) = (sql.dir, &mut database.migrations) {
            migrations.dir = place(dir);
        }
        if let (Some(before), Some(drift)) = (sql.before, &mut database.drift) {
            drift.before = Some(place(before));
        }
    }
    Ok(())
}

/// The folder of the set that a file is in.
fn set_of(file: &Path) -> Option<PathBuf> {
    let is_set = |folder: &&Path| folder.parent().and_then(Path::file_name).is_some_and(|name| name == Arrived::SETS);
    file.ancestors().skip(1).find(is_set).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::super::{Find, read};
    use super::*;

    const COMPOSE: &str = "services:\n  db: { image: 'postgres:17' }\nx-mainstay:\n  databases:\n    crm: { service: db, \
                           migrations: { dir: ./sql }, drift: { before: ./before.sql } }\n";

    fn declared(set: &Path) -> Declared {
        std::fs::create_dir_all(set.join("app")).expect("a folder");
        std::fs::write(set.join("app/compose.yaml"), COMPOSE).expect("a file");
        let find = Find {
            working_directory: "/srv/shop".to_owned(),
            project_directory: Some("/srv/shop".to_owned()),
            files: vec![set.join("app/compose.yaml").display().to_string()],
            ..Find::default()
        };
        read(&find).expect("it is read").declared
    }

    fn places(declared: &Declared) -> (String, String) {
        let database = &declared.databases["crm"];
        let before = database.drift.as_ref().and_then(|drift| drift.before.clone()).expect("a file");
        (database.migrations.as_ref().expect("migrations").dir.clone(), before)
    }

    #[test]
    fn what_came_along_must_stand_for_what_the_files_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let set = folder.path().join(".sent/0a1b");
        std::fs::create_dir_all(set.join(".sql")).expect("a folder");
        let index = r#"{"crm": {"dir": "0", "before": "1/before.sql"}, "gone": {"dir": "2", "before": null}}"#;
        std::fs::write(set.join(".sql/index.json"), index).expect("a file");
        let place = |path: &str| set.join(".sql").join(path).display().to_string();
        assert_eq!(places(&declared(&set)), (place("0"), place("1/before.sql")));
    }

    #[test]
    fn what_did_not_come_along_must_be_that_of_this_machine() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mine, written) = (("/srv/shop/sql".to_owned(), "/srv/shop/before.sql".to_owned()), "{}");
        assert_eq!(places(&declared(&folder.path().join(".sent/0a1b"))), mine);
        // A folder of the same name that no other machine sent.
        let other = folder.path().join("other/0a1b");
        std::fs::create_dir_all(other.join(".sql")).expect("a folder");
        std::fs::write(other.join(".sql/index.json"), r#"{"crm": {"dir": "0", "before": null}}"#).expect("a file");
        assert_eq!(places(&declared(&other)), mine);
        std::fs::create_dir_all(folder.path().join(".sent/2c3d/.sql")).expect("a folder");
        std::fs::write(folder.path().join(".sent/2c3d/.sql/index.json"), written).expect("a file");
        assert_eq!(places(&declared(&folder.path().join(".sent/2c3d"))), mine);
    }
}
