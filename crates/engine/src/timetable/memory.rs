//! What is remembered of one database's backups between two looks at its store: `<state>/backups/<stack>[@env]/<name>.json`.
//! It holds no secret, and losing it loses nothing but what is asked of the store again.

use std::path::{Path, PathBuf};

use mainstay_model::postgres::backup::layout::Shelf;
use mainstay_model::postgres::backup::standing::{Known, Trouble, troubles};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use crate::pg::backup::Listing;
use crate::secrets::{SecretsError, disk};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    pub stack: String,
    pub env: Option<String>,
    pub database: String,
    pub backup: Track,
    pub drill: Track,
    pub last_backup: Option<Last>,
    pub last_proof: Option<Last>,
    /// What the last drill found, when that did not hold.
    pub failed_proof: Option<String>,
    /// As measured by the last drill that held.
    pub restore_ms: Option<u64>,
    /// What was wrong when it was looked at last.
    pub troubles: Vec<Trouble>,
}

/// One schedule. All times in seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Track {
    /// The time of the schedule that was last answered, done or failed; when it was first seen, at the beginning.
    pub answered: Option<i64>,
    /// The last attempt, when it failed.
    pub failed: Option<Failed>,
    /// Attempts at what is due, the failed ones.
    pub tries: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub at: i64,
    pub words: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    pub id: String,
    pub at: i64,
}

impl Memory {
    /// That of a database; a new one when there is none, or none that can be read.
    pub fn read(state_dir: &Path, stack: &str, env: Option<&str>, database: &str) -> Memory {
        let path = path(state_dir, stack, env, database);
        let bytes = disk::read(&path).ok().flatten();
        let memory = bytes.and_then(|bytes| serde_json::from_slice::<Memory>(&bytes).ok());
        let (stack, env, database) = (stack.to_owned(), env.map(str::to_owned), database.to_owned());
        Memory { stack, env, database, ..memory.unwrap_or_default() }
    }

    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, state_dir: &Path) -> Result<(), SecretsError> {
        let path = path(state_dir, &self.stack, self.env.as_deref(), &self.database);
        if let Some(folder) = path.parent() {
            disk::make_folder(folder)?;
        }
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| SecretsError::Damaged { path: path.clone(), why: error.to_string() })?;
        disk::replace(&path, &text)
    }

    /// Those of every database, sorted by their files.
    pub fn all(state_dir: &Path) -> Vec<Memory> {
        let folders = std::fs::read_dir(folder(state_dir)).into_iter().flatten().flatten();
        let files = folders.filter_map(|folder| std::fs::read_dir(folder.path()).ok()).flatten().flatten();
        let mut paths: Vec<PathBuf> = files.map(|file| file.path()).collect();
        paths.sort();
        let read = |path: &PathBuf| serde_json::from_slice(&disk::read(path).ok()??).ok();
        paths.iter().filter_map(read).collect()
    }

    /// What a look at the store told.
    pub fn learn(&mut self, listing: &Listing) {
        let seconds = |text: &str| text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second).unwrap_or_default();
        self.last_backup = listing
            .backups
            .first()
            .map(|newest| Last { id: newest.manifest.id.to_string(), at: seconds(&newest.manifest.snapshot_at) });
        let proofs = listing.backups.iter().flat_map(|one| &one.proofs);
        let mut proofs: Vec<_> = proofs.collect();
        proofs.sort_by(|one, other| one.ended_at.cmp(&other.ended_at));
        self.failed_proof = proofs.last().filter(|proof| !proof.is_proven()).map(|proof| proof.verdict.to_string());
        let proven = proofs.iter().rev().find(|proof| proof.is_proven());
        self.last_proof = proven.map(|proof| Last { id: proof.backup.to_string(), at: seconds(&proof.ended_at) });
        self.restore_ms = proven.and_then(|proof| proof.restore_ms);
        // A backup that came after it mends what failed.
        let newest = self.last_backup.as_ref().map(|last| last.at);
        if self.backup.failed.as_ref().is_some_and(|failed| newest.is_some_and(|at| at >= failed.at)) {
            self.backup.failed = None;
        }
    }

    /// Judges anew, and says what is wrong now.
    pub fn judge(&mut self, backup: Option<&Clock>, drill: Option<&Clock>, now: jiff::Timestamp) -> &[Trouble] {
        let due = |clock: Option<&Clock>, track: &Track| {
            let last = clock?.last(now)?.as_second();
            // What was due before anybody declared it is not missed.
            (track.answered.is_none_or(|first| last >= first)).then_some(last)
        };
        let known = Known {
            now: now.as_second(),
            last_backup: self.last_backup.as_ref().map(|last| last.at),
            last_proof: self.last_proof.as_ref().map(|last| last.at),
            failed_proof: self.failed_proof.clone(),
            backup_due: due(backup, &self.backup),
            drill_due: due(drill, &self.drill),
            failed_backup: self.backup.failed.as_ref().map(|failed| failed.words.clone()),
        };
        self.troubles = troubles(&known);
        &self.troubles
    }
}

fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("backups")
}

fn path(state_dir: &Path, stack: &str, env: Option<&str>, database: &str) -> PathBuf {
    // The same words as in a store: no name leads out of the folder.
    folder(state_dir).join(format!("{}.json", Shelf::new(stack, env, database).as_str()))
}
