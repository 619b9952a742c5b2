//! The files of a folder.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::{Fault, FaultKind};
use super::file::MigrationFile;
use super::ledger::LedgerRow;
use crate::declared::SqlFile;

/// The migrations of a folder, in the byte order of their names, whatever the locale.
#[derive(Clone, Debug, Default)]
pub struct MigrationSet {
    pub files: BTreeMap<String, MigrationFile>,
    /// Files that cannot be applied. One that was applied already is none to complain about.
    pub faulty: BTreeMap<String, Vec<Fault>>,
    /// Files that a ledger has as they are: nobody needs to read them.
    pub settled: BTreeSet<String>,
    /// Files in the folder that are no migrations, such as `….down.sql` of other tools.
    pub passed_over: Vec<String>,
}

impl MigrationSet {
    /// Reads the files of a folder: name and bytes, in any order.
    pub fn read<'f>(files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> MigrationSet {
        let mut set = MigrationSet::default();
        set.add(files);
        set
    }

    fn add<'f>(&mut self, files: impl IntoIterator<Item = (&'f str, &'f [u8])>) {
        for (name, bytes) in files {
            if !is_migration(name) {
                self.passed_over.push(name.to_owned());
                continue;
            }
            match MigrationFile::read(name, bytes) {
                Ok(file) => drop(self.files.insert(name.to_owned(), file)),
                Err(faults) => drop(self.faulty.insert(name.to_owned(), faults)),
            }
        }
        self.passed_over.sort();
        self.refuse_twins();
    }

    /// The files of a folder as an order carries them.
    pub fn of(files: &[SqlFile]) -> MigrationSet {
        let read: Vec<(&str, Vec<u8>)> = files.iter().map(|file| (file.name.as_str(), file.bytes())).collect();
        MigrationSet::read(read.iter().map(|(name, bytes)| (*name, bytes.as_slice())))
    }

    /// The same beside a ledger: what was applied as it is, is not read, which spares most of the time where there are
    /// many.
    pub fn beside(files: &[SqlFile], ledger: &[LedgerRow]) -> MigrationSet {
        let hashes: BTreeMap<&str, &str> =
            ledger.iter().filter_map(|row| Some((row.filename.as_str(), row.sha256.as_deref()?))).collect();
        let is_settled = |file: &&SqlFile| {
            let hash = hashes.get(file.name.as_str());
            hash.is_some_and(|hash| is_migration(&file.name) && MigrationFile::has_hash(&file.bytes(), hash))
        };
        let (settled, others): (Vec<&SqlFile>, Vec<&SqlFile>) = files.iter().partition(is_settled);
        let read: Vec<(&str, Vec<u8>)> = others.iter().map(|file| (file.name.as_str(), file.bytes())).collect();
        let mut set = MigrationSet {
            settled: settled.into_iter().map(|file| file.name.clone()).collect(),
            ..MigrationSet::default()
        };
        set.add(read.iter().map(|(name, bytes)| (*name, bytes.as_slice())));
        set
    }

    /// Whether there is a file of this name, faulty or not.
    pub fn knows(&self, name: &str) -> bool {
        self.files.contains_key(name) || self.faulty.contains_key(name) || self.settled.contains(name)
    }

    /// Every name, in the order in which files are applied.
    pub fn names(&self) -> Vec<&str> {
        let all = self.files.keys().chain(self.faulty.keys()).chain(&self.settled);
        let mut names: Vec<&str> = all.map(String::as_str).collect();
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
                self.settled.remove(&name);
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
