//! The one who does what is due.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use mainstay_model::declared::{Database, Declared, Destination};
use mainstay_model::postgres::backup::Proof;
use mainstay_model::postgres::backup::retention::RetentionPlan;
use mainstay_model::postgres::backup::standing::GRACE_SECONDS;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::memory::{Failed, Memory, Track};
use super::row::{Row, Wish};
use super::seen::Seen;
use crate::journal::{EntryKind, NewEntry};
use crate::keeper::Keeper;
use crate::machine::Machine;
use crate::pg::backup::{BackupError, Vault};
use crate::secrets::Secrets;

/// What failed is tried so often before it waits for its next time, and after such pauses.
const TRIES: u32 = 3;
const AGAIN_AFTER_SECONDS: i64 = 15 * 60;
/// Clocks are set, and machines sleep: what is due is looked at again after no longer than this.
const LONGEST_SLEEP: Duration = Duration::from_mins(10);

/// Lays what the environment knows over a place that lacks its keys.
pub type Keys = Arc<dyn Fn(Destination) -> Destination + Send + Sync>;

/// The drill that is due: the newest backup of this database.
pub struct Drill {
    pub declared: Declared,
    pub env: Option<String>,
    pub name: String,
    pub database: Database,
    pub vault: Vault,
    pub cancelled: CancellationToken,
}

/// What does a drill: restores, compares, and writes the proof down in the vault. An error is one that made no proof.
pub type Drilling = Arc<dyn Fn(Drill) -> BoxFuture<'static, Result<Proof, BackupError>> + Send + Sync>;

/// The schedules of every stack of a state folder. Cheap to clone.
#[derive(Clone)]
pub struct Timetable {
    pub(super) keeper: Keeper<Machine>,
    pub(super) secrets: Secrets,
    pub(super) state_dir: PathBuf,
    pub(super) made_by: String,
    keys: Keys,
    pub(super) drilling: Option<Drilling>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Backup,
    Drill,
}

impl Timetable {
    pub fn new(keeper: Keeper<Machine>, secrets: Secrets, state_dir: PathBuf, made_by: &str, keys: Keys) -> Timetable {
        Timetable { keeper, secrets, state_dir, made_by: made_by.to_owned(), keys, drilling: None }
    }

    /// With somebody who does the drills of databases; without, none is done by itself.
    #[must_use]
    pub fn drilling(mut self, drilling: Drilling) -> Timetable {
        self.drilling = Some(drilling);
        self
    }

    /// Does what is due when it is, until cancelled.
    pub async fn keep(&self, cancelled: CancellationToken) {
        let mut changes = self.keeper.journal.changes();
        loop {
            changes.mark_unchanged();
            let rows = self.rows();
            let mut next: Option<i64> = None;
            for row in &rows {
                self.meet(row).await;
                for what in [What::Backup, What::Drill] {
                    if cancelled.is_cancelled() {
                        return;
                    }
                    let due = self.tend(row, what, &cancelled).await;
                    next = next.into_iter().chain(due).min();
                }
                next = next.into_iter().chain(self.judge(row).await).min();
            }
            let seconds =
                next.map(|next| u64::try_from(next - Timestamp::now().as_second()).unwrap_or_default().max(1));
            let sleep = seconds.map_or(LONGEST_SLEEP, Duration::from_secs).min(LONGEST_SLEEP);
            tokio::select! {
                () = cancelled.cancelled() => return,
                () = tokio::time::sleep(sleep) => {}
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (namespace, declared) in self.secrets.timetables() {
            // One that cannot be opened is told by whoever needs its secrets.
            let Ok(declared) = declared else { continue };
            self.keeper.journal.redactions.learn(declared.secrets.values.values());
            self.keeper.journal.redactions.learn(declared.buckets.values().map(|bucket| &bucket.secret_key));
            rows.extend(Row::of(&namespace, &declared));
        }
        rows
    }

    fn memory(&self, row: &Row) -> Memory {
        let (stack, env) = (row.namespace.stack.as_str(), row.namespace.env());
        Memory::read(&self.state_dir, row.kind(), stack, env, &row.name)
    }

    /// The first look: there may be backups already, of an earlier server, or made by hand.
    async fn meet(&self, row: &Row) {
        let mut memory = self.memory(row);
        if memory.is_met {
            return;
        }
        if let Ok(seen) = self.look(row).await {
            memory.learn(seen);
            self.keep_memory(&memory);
        }
    }

    /// Does it when it is due; gives when it has to be looked at next.
    async fn tend(&self, row: &Row, what: What, cancelled: &CancellationToken) -> Option<i64> {
        let clock = match what {
            What::Backup => row.clocks.0.as_ref()?,
            What::Drill => row.clocks.1.as_ref()?,
        };
        let mut memory = self.memory(row);
        let now = Timestamp::now();
        let track = track(&mut memory, what);
        let Some(answered) = track.answered else {
            // From now on; what was due before it was declared is not made up.
            track.answered = Some(now.as_second());
            self.keep_memory(&memory);
            return clock.next(now).map(Timestamp::as_second);
        };
        let last = clock.last(now).map(Timestamp::as_second).filter(|last| *last > answered);
        let again = track.failed.as_ref().filter(|_| track.tries < TRIES).map(|failed| failed.at + AGAIN_AFTER_SECONDS);
        let is_due = last.is_some() || again.is_some_and(|again| again <= now.as_second() && track.tries > 0);
        if !is_due {
            return clock.next(now).map(Timestamp::as_second).into_iter().chain(again).min();
        }
        let tries = if last.is_some() { 0 } else { track.tries };
        let done = match (&row.wish, what) {
            (Wish::Database(database), What::Backup) => self.back_up_database(row, database, cancelled).await,
            (Wish::Database(database), What::Drill) => self.drill_database(row, database, cancelled).await,
            (Wish::Bucket(bucket), What::Backup) => self.back_up_bucket(row, bucket, cancelled).await,
            (Wish::Bucket(_), What::Drill) => self.drill_bucket(row, cancelled).await,
        };
        if cancelled.is_cancelled() && done.is_err() {
            // It was not its fault: the next server makes it up.
            return None;
        }
        self.remember(row, what, last.unwrap_or(answered), tries, done).await;
        let now = Timestamp::now();
        let again = Some(now.as_second() + AGAIN_AFTER_SECONDS);
        clock.next(now).map(Timestamp::as_second).into_iter().chain(again).min()
    }

    async fn remember(&self, row: &Row, what: What, answered: i64, tries: u32, done: Result<String, String>) {
        let seen = self.look(row).await.ok();
        // Read anew: a command may have written meanwhile.
        let mut memory = self.memory(row);
        let entry = {
            let track = track(&mut memory, what);
            track.answered = Some(answered);
            match done {
                Ok(summary) => {
                    *track = Track { answered: Some(answered), ..Track::default() };
                    self.entry(row, EntryKind::Event, summary, None)
                }
                Err(words) => {
                    track.failed = Some(Failed { at: Timestamp::now().as_second(), words: words.clone() });
                    track.tries = tries + 1;
                    let noun = if what == What::Backup { "backup" } else { "drill" };
                    self.entry(
                        row,
                        EntryKind::Problem,
                        format!("the scheduled {noun} of {} failed", row.of_what()),
                        Some(words),
                    )
                }
            }
        };
        if let Some(seen) = seen {
            memory.learn(seen);
        }
        self.keep_memory(&memory);
        self.keeper.journal.post(entry);
    }

    /// What came of taking away what has no place any more. What stands against it is told, and nothing went.
    pub(super) fn told_of_retention(&self, row: &Row, retained: Result<Option<RetentionPlan>, String>) {
        let of = row.of_what();
        let entry = match retained {
            Ok(Some(plan)) if !plan.refusals.is_empty() => {
                let summary = format!("no backup of {of} was taken away, though some have no place any more");
                self.entry(row, EntryKind::Problem, summary, Some(plan.refusals.join("; ")))
            }
            Ok(Some(plan)) if !plan.going().is_empty() => {
                let summary = format!("took away {} backups of {of} that have no place any more", plan.going().len());
                self.entry(row, EntryKind::Event, summary, None)
            }
            Ok(_) => return,
            Err(words) => {
                let summary = format!("backups of {of} could not be taken away");
                self.entry(row, EntryKind::Problem, summary, Some(words))
            }
        };
        self.keeper.journal.post(entry);
    }

    /// Looks for what is late; gives when that can change next by itself.
    async fn judge(&self, row: &Row) -> Option<i64> {
        let mut memory = self.memory(row);
        let before = memory.troubles.clone();
        let (backup, drill) = (row.clocks.0.as_ref(), row.clocks.1.as_ref());
        let now = Timestamp::now();
        if memory.judge(backup, drill, now) != before {
            // A backup or a drill may have been made elsewhere.
            if let Ok(seen) = self.look(row).await {
                memory.learn(seen);
                memory.judge(backup, drill, now);
            }
            self.keep_memory(&memory);
            for trouble in memory.troubles.iter().filter(|trouble| !before.contains(trouble)) {
                let summary = format!("backups of {}: {trouble}", row.of_what());
                self.keeper.journal.post(self.entry(row, EntryKind::Problem, summary, None));
            }
        }
        let late = |clock: Option<&Clock>| Some(clock?.last(now)?.as_second() + GRACE_SECONDS + 1);
        let unproven = memory.unproven_at(drill, now).map(|at| at + 1);
        let times = [late(backup), late(drill), unproven];
        times.into_iter().flatten().filter(|at| *at > now.as_second()).min()
    }

    /// Where its backups go, with the keys that the environment knows.
    pub(super) fn destination(&self, row: &Row) -> Destination {
        let to = (self.keys)(row.backup.to.clone());
        if let Destination::S3(bucket) = &to {
            self.keeper.journal.redactions.learn(&bucket.secret_key);
        }
        to
    }

    /// What is there.
    async fn look(&self, row: &Row) -> Result<Seen, String> {
        match &row.wish {
            Wish::Database(_) => {
                let listed = async { self.vault(row)?.list().await };
                listed.await.map(|listing| Seen::from(&listing)).map_err(|error| error.to_string())
            }
            Wish::Bucket(_) => {
                let listed = async { self.cabinet(row)?.list().await };
                listed.await.map(|listing| Seen::from(&listing)).map_err(|error| error.to_string())
            }
        }
    }

    fn keep_memory(&self, memory: &Memory) {
        // It can be made of the store again; a full disk is told by the journal.
        let _ = memory.write(&self.state_dir);
    }

    fn entry(&self, row: &Row, kind: EntryKind, summary: String, cause: Option<String>) -> NewEntry {
        let mut entry = NewEntry::new(kind, Some(row.namespace.stack.clone()), summary);
        entry.subject = row.name.clone();
        entry.cause = cause;
        let kind = row.kind();
        entry.evidence =
            json!({ kind.word(): row.name, "env": row.namespace.env(), "place": row.backup.to.to_string() });
        entry
    }
}

fn track(memory: &mut Memory, what: What) -> &mut Track {
    match what {
        What::Backup => &mut memory.backup,
        What::Drill => &mut memory.drill,
    }
}
