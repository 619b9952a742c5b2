//! The one who does what is due.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use mainstay_model::declared::{Backup, Database, Declared, Destination};
use mainstay_model::postgres::backup::retention::plan;
use mainstay_model::postgres::backup::standing::GRACE_SECONDS;
use mainstay_model::postgres::backup::{Manifest, Proof, Reason};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::memory::{Failed, Memory, Track};
use crate::journal::{EntryKind, NewEntry};
use crate::keeper::Keeper;
use crate::machine::Machine;
use crate::pg::backup::{BackupError, Listing, Order, Source, Vault, back_up, candidates};
use crate::pg::{ReachError, reach};
use crate::secrets::{Namespace, Secrets};

/// What failed is tried so often before it waits for its next time, and after such pauses.
const TRIES: u32 = 3;
const AGAIN_AFTER_SECONDS: i64 = 15 * 60;
/// Clocks are set, and machines sleep: what is due is looked at again after no longer than this.
const LONGEST_SLEEP: Duration = Duration::from_mins(10);
/// For so long a scheduled backup waits for a migration to end.
const PATIENCE: Duration = Duration::from_mins(30);

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
    keeper: Keeper<Machine>,
    secrets: Secrets,
    state_dir: PathBuf,
    made_by: String,
    keys: Keys,
    drilling: Option<Drilling>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Backup,
    Drill,
}

/// One database with its schedules.
struct Row {
    namespace: Namespace,
    declared: Declared,
    name: String,
    database: Database,
    backup: Backup,
    clocks: (Option<Clock>, Option<Clock>),
}

impl Timetable {
    pub fn new(keeper: Keeper<Machine>, secrets: Secrets, state_dir: PathBuf, made_by: &str, keys: Keys) -> Timetable {
        Timetable { keeper, secrets, state_dir, made_by: made_by.to_owned(), keys, drilling: None }
    }

    /// With somebody who does the drills; without, none is done by itself.
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
                for what in [What::Backup, What::Drill] {
                    if cancelled.is_cancelled() {
                        return;
                    }
                    let due = self.tend(row, what, &cancelled).await;
                    next = next.into_iter().chain(due).min();
                }
                next = next.into_iter().chain(self.judge(row)).min();
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
            for (name, database) in &declared.databases {
                let Some(backup) = database.backup.clone() else { continue };
                let clock = |schedule: &Option<_>| schedule.as_ref().and_then(|schedule| Clock::of(schedule).ok());
                let clocks = (clock(&backup.schedule), clock(&backup.drill));
                let (name, database) = (name.clone(), database.clone());
                rows.push(Row {
                    namespace: namespace.clone(),
                    declared: declared.clone(),
                    name,
                    database,
                    backup,
                    clocks,
                });
            }
        }
        rows
    }

    fn memory(&self, row: &Row) -> Memory {
        Memory::read(&self.state_dir, row.namespace.stack.as_str(), row.namespace.env(), &row.name)
    }

    /// Does it when it is due; gives when it has to be looked at next.
    async fn tend(&self, row: &Row, what: What, cancelled: &CancellationToken) -> Option<i64> {
        let clock = match what {
            What::Backup => row.clocks.0.as_ref()?,
            What::Drill => row.clocks.1.as_ref().filter(|_| self.drilling.is_some())?,
        };
        let mut memory = self.memory(row);
        let now = Timestamp::now();
        let track = track(&mut memory, what);
        let Some(answered) = track.answered else {
            // From now on; what was due before it was declared is not made up.
            track.answered = Some(now.as_second());
            // There may be some already: of an earlier server, or made by hand.
            if let Ok(listing) = self.listing(row).await {
                memory.learn(&listing);
            }
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
        let done = match what {
            What::Backup => self.back_up(row, cancelled).await.map(|manifest| told(&manifest)),
            What::Drill => self.drill(row, cancelled).await,
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
        let listing = self.listing(row).await.ok();
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
                        format!("the scheduled {noun} of `{}` failed", row.name),
                        Some(words),
                    )
                }
            }
        };
        if let Some(listing) = &listing {
            memory.learn(listing);
        }
        self.keep_memory(&memory);
        self.keeper.journal.post(entry);
    }

    async fn back_up(&self, row: &Row, cancelled: &CancellationToken) -> Result<Manifest, String> {
        let vault = self.vault(row).map_err(words)?;
        let docker = async || Ok((*self.keeper.docker).clone());
        let reached =
            reach(docker, &row.declared, &row.database).await.map_err(|error: ReachError| error.to_string())?;
        let docker = (*self.keeper.docker).clone();
        let source = Source::open(&docker, reached, row.database.image.as_deref(), vault.of()).await.map_err(words)?;
        let order = Order {
            stack: Some(row.namespace.stack.to_string()),
            env: row.namespace.env().map(str::to_owned),
            database: row.name.clone(),
            reason: Reason::Scheduled,
            made_by: self.made_by.clone(),
            patience: PATIENCE,
        };
        let made = back_up(&source, &vault, &order, cancelled, &|_| {}).await;
        source.give_back().await;
        let manifest = made.map_err(words)?;
        self.retain(row, &vault).await;
        Ok(manifest)
    }

    async fn drill(&self, row: &Row, cancelled: &CancellationToken) -> Result<String, String> {
        let drilling = self.drilling.as_ref().ok_or("nobody does drills here")?;
        let drill = Drill {
            declared: row.declared.clone(),
            env: row.namespace.env().map(str::to_owned),
            name: row.name.clone(),
            database: row.database.clone(),
            vault: self.vault(row).map_err(words)?,
            cancelled: cancelled.clone(),
        };
        let proof = drilling(drill).await.map_err(words)?;
        match proof.is_proven() {
            true => Ok(format!("backup {} of `{}` was proven", proof.backup, row.name)),
            false => Err(format!("backup {}: {}", proof.backup, proof.verdict)),
        }
    }

    /// Takes away what has no place any more. What stands against it is told, and nothing goes.
    async fn retain(&self, row: &Row, vault: &Vault) {
        let Some(keep) = &row.backup.keep else { return };
        let zone = row.backup.schedule.as_ref().and_then(|schedule| schedule.zone.as_deref());
        let retained = async {
            let listing = vault.list().await?;
            let plan = plan(&candidates(&listing.backups, zone)?, keep, false);
            for id in plan.going() {
                vault.delete(id).await?;
            }
            Ok::<_, BackupError>(plan)
        };
        let entry = match retained.await {
            Ok(plan) if !plan.refusals.is_empty() => {
                let summary = format!("no backup of `{}` was taken away, though some have no place any more", row.name);
                self.entry(row, EntryKind::Problem, summary, Some(plan.refusals.join("; ")))
            }
            Ok(plan) if !plan.going().is_empty() => {
                let summary =
                    format!("took away {} backups of `{}` that have no place any more", plan.going().len(), row.name);
                self.entry(row, EntryKind::Event, summary, None)
            }
            Ok(_) => return,
            Err(error) => {
                let summary = format!("backups of `{}` could not be taken away", row.name);
                self.entry(row, EntryKind::Problem, summary, Some(error.to_string()))
            }
        };
        self.keeper.journal.post(entry);
    }

    /// Looks for what is late; gives when that can change next by itself.
    fn judge(&self, row: &Row) -> Option<i64> {
        let mut memory = self.memory(row);
        let before = memory.troubles.clone();
        let now = Timestamp::now();
        memory.judge(row.clocks.0.as_ref(), row.clocks.1.as_ref(), now);
        if memory.troubles != before {
            self.keep_memory(&memory);
            for trouble in memory.troubles.iter().filter(|trouble| !before.contains(trouble)) {
                let summary = format!("backups of `{}`: {trouble}", row.name);
                self.keeper.journal.post(self.entry(row, EntryKind::Problem, summary, None));
            }
        }
        let late = |clock: &Option<Clock>| clock.as_ref()?.last(now).map(|last| last.as_second() + GRACE_SECONDS + 1);
        let late = [late(&row.clocks.0), late(&row.clocks.1)];
        late.into_iter().flatten().filter(|at| *at > now.as_second()).min()
    }

    fn vault(&self, row: &Row) -> Result<Vault, BackupError> {
        let to = (self.keys)(row.backup.to.clone());
        if let Destination::S3(bucket) = &to {
            self.keeper.journal.redactions.learn(&bucket.secret_key);
        }
        let seals = self.secrets.seals(&row.backup.recipients)?;
        Vault::open(&to, row.namespace.stack.as_str(), row.namespace.env(), &row.name, seals)
    }

    async fn listing(&self, row: &Row) -> Result<Listing, BackupError> {
        self.vault(row)?.list().await
    }

    fn keep_memory(&self, memory: &Memory) {
        // It can be made of the store again; a full disk is told by the journal.
        let _ = memory.write(&self.state_dir);
    }

    fn entry(&self, row: &Row, kind: EntryKind, summary: String, cause: Option<String>) -> NewEntry {
        let mut entry = NewEntry::new(kind, Some(row.namespace.stack.clone()), summary);
        entry.subject = row.name.clone();
        entry.cause = cause;
        entry.evidence =
            json!({ "database": row.name, "env": row.namespace.env(), "place": row.backup.to.to_string() });
        entry
    }
}

fn track(memory: &mut Memory, what: What) -> &mut Track {
    match what {
        What::Backup => &mut memory.backup,
        What::Drill => &mut memory.drill,
    }
}

fn told(manifest: &Manifest) -> String {
    let seconds = manifest.durations.total_ms as f64 / 1000.0;
    let bytes = manifest.stored.bytes;
    format!("backup {} of `{}`: {bytes} bytes in {seconds:.1} s", manifest.id, manifest.database)
}

/// With what a tool said of its own.
fn words(error: BackupError) -> String {
    match &error {
        BackupError::Dump { words, .. } if !words.is_empty() => format!("{error}: {words}"),
        _ => error.to_string(),
    }
}
