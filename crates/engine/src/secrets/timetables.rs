//! What stacks last declared, where a database or a bucket of theirs is backed up: sealed like what a release declares,
//! because the server needs it with its values at three in the morning. `<state>/timetables/<stack>[@env].age`.

use std::fs;
use std::path::PathBuf;

use mainstay_model::declared::Declared;
use serde::{Deserialize, Serialize};

use super::{Namespace, Secrets, SecretsError, disk};

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Sheet {
    format: u32,
    declared: Declared,
}

impl Secrets {
    /// Keeps what a stack declares, or forgets what it declared when nothing of it is backed up any more.
    ///
    /// # Errors
    /// When it cannot be sealed and written.
    pub fn keep_timetable(&self, namespace: &Namespace, declared: &Declared) -> Result<(), SecretsError> {
        // Without a schedule, too: that nothing was proven for too long is told all the same.
        let databases = declared.databases.values().any(|database| database.backup.is_some());
        if !databases && !declared.buckets.values().any(|bucket| bucket.backup.is_some()) {
            return self.forget_timetable(namespace);
        }
        let path = self.timetable_path(namespace);
        disk::make_folder(&self.timetables_folder())?;
        let text = serde_json::to_vec(&Sheet { format: FORMAT, declared: declared.clone() })
            .map_err(|error| SecretsError::Damaged { path: path.clone(), why: error.to_string() })?;
        disk::replace(&path, &self.key_or_new()?.seal(&text)?)
    }

    /// # Errors
    /// When the file cannot be removed.
    pub fn forget_timetable(&self, namespace: &Namespace) -> Result<(), SecretsError> {
        disk::remove(&self.timetable_path(namespace))
    }

    /// All of them, sorted by their files. One that cannot be read is an error of its own.
    pub fn timetables(&self) -> Vec<(Namespace, Result<Declared, SecretsError>)> {
        let entries = fs::read_dir(self.timetables_folder()).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths.into_iter().filter_map(|path| Some((Namespace::of_path(&path)?, self.timetable(path)))).collect()
    }

    fn timetable(&self, path: PathBuf) -> Result<Declared, SecretsError> {
        let sealed = disk::read(&path)?.unwrap_or_default();
        let text = self.key_for(&path)?.open(&path, &self.key, &sealed)?;
        // Not what serde says: it may quote what it could not read.
        let damaged = |error: serde_json::Error| SecretsError::Damaged {
            path: path.clone(),
            why: format!("line {}, column {} of it", error.line(), error.column()),
        };
        let sheet: Sheet = serde_json::from_slice(&text).map_err(damaged)?;
        Ok(sheet.declared)
    }

    fn timetables_folder(&self) -> PathBuf {
        self.folder.with_file_name("timetables")
    }

    fn timetable_path(&self, namespace: &Namespace) -> PathBuf {
        namespace.path(&self.timetables_folder())
    }
}
