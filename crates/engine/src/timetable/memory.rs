//! What is remembered of the backups of one database, or bucket, between two looks at their store:
//! `<state>/backups/<stack>[@env]/<name>.json`, and `…/buckets/<name>.json`. It holds no secret, and losing it loses nothing but what is asked of the store again.

use std::path::{Path, PathBuf};

use mainstay_model::bucket::Cellar;
use mainstay_model::postgres::backup::layout::Shelf;
use mainstay_model::postgres::backup::standing::{Known, Trouble, troubles, unproven_at};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::seen::Seen;
use crate::secrets::{SecretsError, disk};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    pub stack: String,
    pub env: Option<String>,
    /// Its name under `x-mainstay.databases`, or `x-mainstay.buckets`.
    #[serde(alias = "database")]
    pub name: String,
    pub kind: Kind,
    /// Whether the store was looked at since it was declared here: there may be backups of an earlier server.
    pub is_met: bool,
    pub backup: Track,
    pub drill: Track,
    pub last_backup: Option<Last>,
    pub first_backup: Option<Last>,
    /// Why the newest one cannot be read.
    pub unreadable: Option<String>,
    pub last_proof: Option<Last>,
    /// What the last drill found, when that did not hold.
    pub failed_proof: Option<String>,
    /// As measured by the last drill that held.
    pub restore_ms: Option<u64>,
    /// What was wrong when it was looked at last.
    pub troubles: Vec<Trouble>,
}

/// What it is that is backed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    #[default]
    Database,
    Bucket,
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
    /// That of a database or a bucket; a new one when there is none, or none that can be read.
    pub fn read(state_dir: &Path, kind: Kind, stack: &str, env: Option<&str>, name: &str) -> Memory {
        let path = path(state_dir, kind, stack, env, name);
        let bytes = disk::read(&path).ok().flatten();
        let memory = bytes.and_then(|bytes| serde_json::from_slice::<Memory>(&bytes).ok());
        let (stack, env, name) = (stack.to_owned(), env.map(str::to_owned), name.to_owned());
        Memory { stack, env, name, kind, ..memory.unwrap_or_default() }
    }

    /// For sentences: what is backed up.
    pub fn of(&self) -> String {
        self.kind.of(&self.name)
    }

    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, state_dir: &Path) -> Result<(), SecretsError> {
        let path = path(state_dir, self.kind, &self.stack, self.env.as_deref(), &self.name);
        if let Some(folder) = path.parent() {
            disk::make_folder(folder)?;
        }
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| SecretsError::Damaged { path: path.clone(), why: error.to_string() })?;
        disk::replace(&path, &text)
    }

    /// All of them, sorted by their files.
    pub fn all(state_dir: &Path) -> Vec<Memory> {
        let within = |folder: &Path| -> Vec<PathBuf> {
            std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
        };
        let mut paths: Vec<PathBuf> = Vec::new();
        for stack in within(&folder(state_dir)) {
            for path in within(&stack) {
                // The one folder in it is that of buckets.
                paths.extend(within(&path));
                paths.push(path);
            }
        }
        paths.sort();
        let read = |path: &PathBuf| serde_json::from_slice(&disk::read(path).ok()??).ok();
        paths.iter().filter_map(read).collect()
    }

    /// What a look at the store told.
    pub fn learn(&mut self, seen: Seen) {
        self.is_met = true;
        self.unreadable = seen.unreadable;
        self.failed_proof = seen.drills.last().and_then(|drill| drill.failed.clone());
        let proven = seen.drills.iter().rev().find(|drill| drill.failed.is_none());
        self.last_proof = proven.map(|drill| drill.of.clone());
        self.restore_ms = proven.and_then(|drill| drill.restore_ms);
        // What came after it mends what failed.
        self.backup.mended_by(seen.newest.as_ref());
        self.drill.mended_by(seen.drills.last().map(|drill| &drill.of));
        (self.last_backup, self.first_backup) = (seen.newest, seen.oldest);
    }

    /// What is known now, with what the schedules ask for.
    fn known(&self, backup: Option<&Clock>, drill: Option<&Clock>, now: jiff::Timestamp) -> Known {
        let due = |clock: Option<&Clock>, track: &Track| {
            let last = clock?.last(now)?.as_second();
            // What was due before anybody declared it is not missed.
            (track.answered.is_none_or(|first| last >= first)).then_some(last)
        };
        let at = |last: &Option<Last>| last.as_ref().map(|last| last.at);
        let words = |track: &Track| track.failed.as_ref().map(|failed| failed.words.clone());
        Known {
            now: now.as_second(),
            last_backup: at(&self.last_backup),
            first_backup: at(&self.first_backup),
            last_proof: at(&self.last_proof),
            failed_proof: self.failed_proof.clone(),
            backup_due: due(backup, &self.backup),
            drill_due: due(drill, &self.drill),
            failed_backup: words(&self.backup),
            failed_drill: words(&self.drill),
            unreadable: self.unreadable.clone(),
            is_drilled: drill.is_some(),
        }
    }

    /// Judges anew, and says what is wrong now.
    pub fn judge(&mut self, backup: Option<&Clock>, drill: Option<&Clock>, now: jiff::Timestamp) -> &[Trouble] {
        self.troubles = troubles(&self.known(backup, drill, now));
        &self.troubles
    }

    /// When they count as unproven for too long, unless something is proven before.
    pub fn unproven_at(&self, drill: Option<&Clock>, now: jiff::Timestamp) -> Option<i64> {
        unproven_at(&self.known(None, drill, now))
    }
}

impl Kind {
    /// For sentences.
    pub fn of(self, name: &str) -> String {
        match self {
            Kind::Database => format!("`{name}`"),
            Kind::Bucket => format!("the bucket `{name}`"),
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Kind::Database => "database",
            Kind::Bucket => "bucket",
        }
    }

    /// What shows more.
    pub fn command(self) -> &'static str {
        match self {
            Kind::Database => "mainstay db status",
            Kind::Bucket => "mainstay bucket ls",
        }
    }
}

impl Track {
    fn mended_by(&mut self, last: Option<&Last>) {
        if self.failed.as_ref().is_some_and(|failed| last.is_some_and(|last| last.at >= failed.at)) {
            self.failed = None;
        }
    }
}

fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("backups")
}

fn path(state_dir: &Path, kind: Kind, stack: &str, env: Option<&str>, name: &str) -> PathBuf {
    // The same words as in a store: no name leads out of the folder.
    let place = match kind {
        Kind::Database => Shelf::new(stack, env, name).as_str().to_owned(),
        Kind::Bucket => Cellar::new(stack, env, name).as_str().to_owned(),
    };
    folder(state_dir).join(format!("{place}.json"))
}

#[cfg(test)]
mod tests {
    use super::super::seen::Drilled;
    use super::*;

    fn last(id: &str, at: i64) -> Last {
        Last { id: id.into(), at }
    }

    fn drilled(at: i64, failed: Option<&str>) -> Drilled {
        Drilled { of: last("b", at), failed: failed.map(str::to_owned), restore_ms: Some(7) }
    }

    fn failed(at: i64) -> Track {
        Track { failed: Some(Failed { at, words: "no room".into() }), tries: 1, answered: Some(at) }
    }

    #[test]
    fn what_came_after_a_failure_mends_it_and_what_came_before_does_not() {
        let mut memory = Memory { backup: failed(100), drill: failed(100), ..Memory::default() };
        let seen = |backup, drill| Seen {
            newest: Some(last("b", backup)),
            drills: vec![drilled(drill, None)],
            ..Seen::default()
        };
        memory.learn(seen(99, 99));
        assert!(memory.backup.failed.is_some() && memory.drill.failed.is_some());
        memory.learn(seen(100, 99));
        assert!(memory.backup.failed.is_none() && memory.drill.failed.is_some());
        memory.learn(seen(100, 101));
        assert_eq!((memory.drill.failed, memory.restore_ms, memory.is_met), (None, Some(7), true));
    }

    #[test]
    fn the_last_drill_counts_and_the_last_one_that_held_is_the_proof() {
        let mut memory = Memory::default();
        let drills = vec![drilled(50, None), drilled(60, Some("a table"))];
        memory.learn(Seen { newest: Some(last("b", 10)), drills, ..Seen::default() });
        assert_eq!((memory.last_proof.clone(), memory.failed_proof.as_deref()), (Some(last("b", 50)), Some("a table")));
        let now = jiff::Timestamp::from_second(70).unwrap_or_default();
        assert_eq!(memory.judge(None, None, now), [Trouble::ProofFailed { words: "a table".into() }]);
    }

    #[test]
    fn a_database_and_a_bucket_of_one_name_have_their_own_and_an_older_file_is_read() {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let read = |kind| Memory::read(folder.path(), kind, "shop", Some("dev"), "files");
        for (kind, at) in [(Kind::Database, 1), (Kind::Bucket, 2)] {
            let memory = Memory { last_backup: Some(last("b", at)), ..read(kind) };
            memory.write(folder.path()).unwrap_or_else(|error| panic!("{error}"));
        }
        let all = Memory::all(folder.path());
        assert_eq!(all.len(), 2);
        assert_eq!(
            (read(Kind::Database).last_backup, read(Kind::Bucket).last_backup),
            (Some(last("b", 1)), Some(last("b", 2)))
        );
        let older: Memory = serde_json::from_str(r#"{"stack": "shop", "database": "crm", "last_proof": null}"#)
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((older.of().as_str(), older.kind), ("`crm`", Kind::Database));
    }
}
