//! The backup that a release makes of a database before it migrates it.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mainstay_model::declared::{Backup, Bucket, Database, Destination};
use mainstay_model::observed::Ledger;
use mainstay_model::plan::Target;
use mainstay_model::postgres::backup::{Manifest, Reason};
use mainstay_model::postgres::migration::{MigrationPlan, MigrationSet};

use super::Machine;
use super::databases::carried;
use crate::pg::backup::{Alone, BackupError, BackupEvent, Order, Source, Vault, back_up};
use crate::pg::{Migrator, Patience, Reached, Server};
use crate::secrets::Secrets;
use crate::timetable::{Keys, Kind, Memory, Seen, clocks};
use crate::world::{Acted, Context, Progress, WorldError};

/// The mark by which retention knows the way back from a migration, whoever made it.
const BEFORE: &str = "migration";
/// How far it is is told no more often.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// What backups need of the process that makes them.
pub struct Vaults {
    secrets: Secrets,
    keys: Keys,
    made_by: String,
}

impl Vaults {
    /// Without anything that the environment knows.
    pub fn of(secrets: Secrets) -> Vaults {
        Vaults { secrets, keys: std::sync::Arc::new(|to| to), made_by: env!("CARGO_PKG_VERSION").to_owned() }
    }

    /// With the keys that the environment lays over a place, and the version that is written into a manifest.
    #[must_use]
    pub fn with(self, keys: Keys, made_by: &str) -> Vaults {
        Vaults { keys, made_by: made_by.to_owned(), ..self }
    }
}

impl std::fmt::Debug for Vaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vaults").field("made_by", &self.made_by).finish_non_exhaustive()
    }
}

/// What a step says about its backup.
pub(super) struct BackingUp<'s> {
    pub database: &'s str,
    pub at: Option<&'s Target>,
}

impl Machine {
    /// Backs a database up to where it is declared, unless nothing is pending any more.
    pub(super) async fn back_up(
        &self,
        wanted: &BackingUp<'_>,
        context: &Context,
        progress: &Progress,
    ) -> Result<Acted, WorldError> {
        let name = wanted.database;
        let declared = context.declared.as_deref().and_then(|declared| declared.databases.get(name));
        let (database, backup) = declared
            .and_then(|database| Some((database, database.backup.as_ref()?)))
            .ok_or_else(|| WorldError::new(format!("the backup of `{name}` is not declared in what is applied")))?;
        let reached = self.reached(database, wanted.at, context).await;
        let reached = reached.map_err(|why| why.within(format!("`{name}` cannot be backed up")))?;
        if !self.is_behind(wanted, &reached, context, progress).await? {
            return Ok(done("nothing is pending, so none was made".to_owned()));
        }
        let vault = self.vault(name, backup, context).map_err(|error| failed(name, &error))?;
        let made = self.backed_up(&vault, name, database, reached, context, progress).await;
        let manifest = made.map_err(|error| failed(name, &error))?;
        self.remember(&vault, name, backup, context).await;
        Ok(done(told(&manifest)))
    }

    /// Whether a file is pending, once the database answers.
    async fn is_behind(
        &self,
        wanted: &BackingUp<'_>,
        reached: &Reached,
        context: &Context,
        progress: &Progress,
    ) -> Result<bool, WorldError> {
        let name = wanted.database;
        let (migrations, files) = carried(context, name)?;
        let server = Server::new(reached.settings.clone());
        let migrator = Migrator::new(server, migrations.ledger.clone(), Patience::default(), String::new());
        let ledger = self.once_it_answers(name, wanted.at.is_some(), &migrator, context, progress).await?;
        let Ledger { target, rows, attempts } = ledger;
        let set = MigrationSet::beside(files, &rows);
        let plan = MigrationPlan::decide(target, &set, &rows, &attempts, &BTreeSet::new());
        Ok(!plan.steps.is_empty() || !plan.refusals.is_empty())
    }

    fn vault(&self, name: &str, backup: &Backup, context: &Context) -> Result<Vault, BackupError> {
        let to = (self.vaults.keys)(backup.to.clone());
        if let Destination::S3(Bucket { secret_key, .. }) = &to {
            context.redactions.learn(secret_key);
        }
        let seals = self.vaults.secrets.seals(&backup.recipients)?;
        Vault::open(&to, context.stack.as_str(), context.env.as_deref(), name, seals)
    }

    async fn backed_up(
        &self,
        vault: &Vault,
        name: &str,
        database: &Database,
        reached: Reached,
        context: &Context,
        progress: &Progress,
    ) -> Result<Manifest, BackupError> {
        let opening = Source::open(&self.docker, reached, database.image.as_deref(), vault.of());
        // A server elsewhere may need an image first.
        let source = tokio::select! {
            source = opening => source?,
            () = context.cancel.cancelled() => return Err(BackupError::Interrupted),
        };
        let order = Order {
            stack: Some(context.stack.to_string()),
            env: context.env.as_deref().map(str::to_owned),
            database: name.to_owned(),
            reason: Reason::Before(BEFORE.to_owned()),
            made_by: self.vaults.made_by.clone(),
            alone: Alone::Yes { patience: Patience::default().runner },
        };
        let teller = Teller { name, progress, told: Mutex::new(None) };
        let made = back_up(&source, vault, &order, &context.cancel, &|event| teller.hear(&event)).await;
        source.give_back().await;
        made
    }

    /// For `mainstay ps` and the timetable, which do not ask the store.
    async fn remember(&self, vault: &Vault, name: &str, backup: &Backup, context: &Context) {
        let Ok(listing) = vault.list().await else { return };
        let (stack, env) = (context.stack.as_str(), context.env.as_deref());
        let mut memory = Memory::read(&self.state_dir, Kind::Database, stack, env, name);
        memory.learn(Seen::from(&listing));
        let (scheduled, drilled) = clocks(Some(backup));
        memory.judge(scheduled.as_ref(), drilled.as_ref(), jiff::Timestamp::now());
        // It can be made of the store again.
        let _ = memory.write(&self.state_dir);
    }
}

/// Tells how far it is, heard from several tasks.
struct Teller<'t> {
    name: &'t str,
    progress: &'t Progress,
    told: Mutex<Option<Instant>>,
}

impl Teller<'_> {
    fn hear(&self, event: &BackupEvent) {
        let is_news = matches!(event, BackupEvent::Waiting { .. });
        let Some(line) = line(event).filter(|_| is_news || self.is_time()) else { return };
        self.progress.tell(format!("{}: {line}", self.name));
    }

    fn is_time(&self) -> bool {
        let Ok(mut told) = self.told.lock() else { return false };
        let is_time = told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if is_time {
            *told = Some(Instant::now());
        }
        is_time
    }
}

fn line(event: &BackupEvent) -> Option<String> {
    Some(match event {
        BackupEvent::Waiting { holder } => format!("waiting for {holder}"),
        BackupEvent::Swept { .. } | BackupEvent::Began { .. } => return None,
        BackupEvent::Dumped { bytes } => format!("dumped {}", size(*bytes)),
        BackupEvent::Digested { tables, of } => format!("read {tables} of {of} tables"),
        BackupEvent::ReadBack { bytes, of } => format!("read back {} of {}", size(*bytes), size(*of)),
    })
}

/// `12 kB`, `3.4 MB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        bytes => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

fn told(manifest: &Manifest) -> String {
    let seconds = manifest.durations.total_ms as f64 / 1000.0;
    format!("backup {}, {} in {seconds:.1} s", manifest.id, size(manifest.stored.bytes))
}

fn done(detail: String) -> Acted {
    Acted { detail: Some(detail), ..Acted::default() }
}

fn failed(name: &str, error: &BackupError) -> WorldError {
    let mut told = WorldError::new(format!("`{name}` could not be backed up, so it is not migrated: {error}"));
    told.hints = match error {
        // No flag of `up` waits longer.
        BackupError::Busy { .. } => vec!["run it again when that one has ended".to_owned()],
        error => error.hints(),
    };
    told.hints.push("when there is another way back: `--no-backup`".to_owned());
    told.source = match error {
        BackupError::Dump { words, .. } if !words.is_empty() => Some(words.clone().into()),
        BackupError::Busy { holder: Some(holder) } => Some(format!("it is {holder}").into()),
        _ => None,
    };
    WorldError { cancelled: matches!(error, BackupError::Interrupted), ..told }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mainstay_model::identity::BackupId;

    use super::*;

    #[test]
    fn how_far_it_is_is_told_now_and_then_and_whom_it_waits_for_always() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = lines.clone();
        let progress = Progress::new(move |told| {
            if let crate::world::Told::Line(line) = told {
                heard.lock().unwrap_or_else(|error| panic!("{error}")).push(line);
            }
        });
        let teller = Teller { name: "crm", progress: &progress, told: Mutex::new(None) };
        let id: BackupId = "20261126-030000-x7k2ma".parse().unwrap_or_else(|error| panic!("{error}"));
        teller.hear(&BackupEvent::Began { id, bytes: 7 });
        teller.hear(&BackupEvent::Dumped { bytes: 999_001 });
        teller.hear(&BackupEvent::Dumped { bytes: 3_400_000 });
        teller.hear(&BackupEvent::Waiting { holder: "a migration".into() });
        let lines = lines.lock().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(*lines, ["crm: dumped 1000 kB", "crm: waiting for a migration"]);
    }

    #[test]
    fn a_failure_says_what_did_not_happen_and_what_to_do() {
        let busy = failed("crm", &BackupError::Busy { holder: Some("a backup".into()) });
        assert!(busy.message.starts_with("`crm` could not be backed up, so it is not migrated"), "{busy}");
        assert!(!busy.cancelled && busy.hints.iter().all(|hint| !hint.contains("--wait")), "{:?}", busy.hints);
        assert_eq!(busy.source.map(|why| why.to_string()).as_deref(), Some("it is a backup"));
        assert!(failed("crm", &BackupError::Interrupted).cancelled);
    }
}
