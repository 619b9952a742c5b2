//! The files of a folder.

use std::collections::BTreeMap;

use super::fault::{Fault, FaultKind};
use super::file::MigrationFile;
use crate::declared::SqlFile;

/// The migrations of a folder, in the byte order of their names, whatever the locale.
#[derive(Clone, Debug, Default)]
pub struct MigrationSet {
    pub files: BTreeMap<String, MigrationFile>,
    /// Files that cannot be applied. One that was applied already is none to complain about.
    pub faulty: BTreeMap<String, Vec<Fault>>,
    /// Files in the folder that are no migrations, such as `….down.sql` of other tools.
    pub passed_over: Vec<String>,
}

impl MigrationSet {
    /// Reads the files of a folder: name and bytes, in any order.
    pub fn read<'f>(files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> MigrationSet {
        let mut set = MigrationSet::default();
        for (name, bytes) in files {
            if !is_migration(name) {
                set.passed_over.push(name.to_owned());
                continue;
            }
            match MigrationFile::read(name, bytes) {
                Ok(file) => drop(set.files.insert(name.to_owned(), file)),
                Err(faults) => drop(set.faulty.insert(name.to_owned(), faults)),
            }
        }
        set.passed_over.sort();
        set.refuse_twins();
        set
    }

    /// The files of a folder as an order carries them.
    pub fn of(files: &[SqlFile]) -> MigrationSet {
        let read: Vec<(&str, Vec<u8>)> = files.iter().map(|file| (file.name.as_str(), file.bytes())).collect();
        MigrationSet::read(read.iter().map(|(name, bytes)| (*name, bytes.as_slice())))
    }

    /// Whether there is a file of this name, faulty or not.
    pub fn knows(&self, name: &str) -> bool {
        self.files.contains_key(name) || self.faulty.contains_key(name)
    }

    /// Every name, in the order in which files are applied.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.files.keys().chain(self.faulty.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    fn refuse_twins(&mut self) {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        let names: Vec<String> = self.names().into_iter().map(str::to_owned).collect();
        for name in names {
            if let Some(first) = seen.get(&name.to_lowercase()) {
                let kind = FaultKind::SameName { as_file: first.clone() };
                self.files.remove(&name);
                self.faulty.entry(name.clone()).or_default().push(Fault { file: name, place: None, kind });
            } else {
                seen.insert(name.to_lowercase(), name);
            }
        }
    }
}

/// `….sql`, but neither hidden nor what undoes another file.
fn is_migration(name: &str) -> bool {
    let lower = name.to_lowercase();
    lower.ends_with(".sql") && !name.starts_with(['.', '_']) && !lower.ends_with(".down.sql")
}
