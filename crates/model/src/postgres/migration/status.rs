//! How a set of files stands to a ledger.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::file::MigrationFile;
use super::ledger::{LedgerRow, Note};
use super::set::MigrationSet;

/// Each file, and each row of the ledger without a file, in the byte order of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    pub files: BTreeMap<String, Standing>,
    /// The applied file whose name comes last.
    pub latest: Option<String>,
}

/// How one file stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Standing {
    Applied {
        at: String,
    },
    /// Applied, as a row without a hash says, which was made by hand or by another tool: whether the file is still
    /// what ran cannot be told.
    Adopted {
        at: String,
    },
    /// Applied, and another text since.
    Changed {
        at: String,
        drift: Drift,
    },
    Pending,
    /// Not applied, while a file whose name comes later was.
    OutOfOrder {
        after: String,
    },
    /// In the ledger, and not in the folder: a newer version of the software has been here.
    Unknown {
        at: String,
    },
}

/// What a change of an applied file amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drift {
    /// Comments, spaces, or the case of words.
    Cosmetic,
    /// Other statements.
    Semantic,
    /// The row does not say enough.
    Untold,
}

impl Status {
    /// Holds the files against the rows.
    pub fn of(set: &MigrationSet, ledger: &[LedgerRow]) -> Status {
        let rows: BTreeMap<&str, &LedgerRow> = ledger.iter().map(|row| (row.filename.as_str(), row)).collect();
        // Rows that no file explains do not make files come late: who wrote them may count differently.
        let latest = rows.keys().filter(|name| set.knows(name)).max().map(|name| (*name).to_owned());
        let names: BTreeSet<&str> = set.names().into_iter().chain(rows.keys().copied()).collect();
        let files = names.into_iter().map(|name| {
            let standing = match (rows.get(name), set.files.get(name)) {
                (Some(row), Some(file)) => applied(row, file),
                (Some(row), None) if set.settled.contains(name) => Standing::Applied { at: row.applied_at.clone() },
                (Some(row), None) if set.faulty.contains_key(name) => Standing::Adopted { at: row.applied_at.clone() },
                (Some(row), None) => Standing::Unknown { at: row.applied_at.clone() },
                (None, _) => match &latest {
                    Some(latest) if latest.as_str() > name => Standing::OutOfOrder { after: latest.clone() },
                    _ => Standing::Pending,
                },
            };
            (name.to_owned(), standing)
        });
        Status { files: files.collect(), latest }
    }

    /// The names that were not applied, in the order in which they would be.
    pub fn pending(&self) -> Vec<&str> {
        self.named(|standing| matches!(standing, Standing::Pending | Standing::OutOfOrder { .. }))
    }

    /// How many files were applied, those that are not in the folder included.
    pub fn applied(&self) -> usize {
        self.files.len() - self.pending().len()
    }

    /// The names whose standing is so.
    pub fn named(&self, is_so: impl Fn(&Standing) -> bool) -> Vec<&str> {
        self.files.iter().filter(|(_, standing)| is_so(standing)).map(|(name, _)| name.as_str()).collect()
    }
}

fn applied(row: &LedgerRow, file: &MigrationFile) -> Standing {
    let at = row.applied_at.clone();
    let Some(hash) = &row.sha256 else { return Standing::Adopted { at } };
    if hash.eq_ignore_ascii_case(&file.sha256) || hash.eq_ignore_ascii_case(&file.raw_sha256) {
        return Standing::Applied { at };
    }
    let drift = match row.notes.as_deref().and_then(Note::tokens_in) {
        Some(tokens) if tokens == file.tokens_sha256 => Drift::Cosmetic,
        Some(_) => Drift::Semantic,
        None => Drift::Untold,
    };
    Standing::Changed { at, drift }
}
