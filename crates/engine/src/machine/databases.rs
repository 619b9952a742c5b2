//! The databases of stacks: what their ledgers say, and the migrations that a release applies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mainstay_model::declared::{Database, Migrations, SqlFile};
use mainstay_model::observed::{Ledger, LedgerPlace, Observed, ObservedDatabase};
use mainstay_model::plan::{PlannedMigration, Target};
use mainstay_model::postgres::migration::{MigrationPlan, MigrationSet};
use standing_pool::Kind;

use super::Machine;
use crate::docker::id_of;
use crate::pg::{MigrationEvent, Migrator, Patience, PgError, Reached, Server};
use crate::reconcile::Watched;
use crate::world::{Acted, Context, Progress, WorldError};

/// So long a database that has just come up may refuse connections: an image makes its data folder first.
const COMES_UP_WITHIN: Duration = Duration::from_mins(1);
const ASK_EVERY: Duration = Duration::from_millis(500);

/// What a step says about its migrations.
pub(super) struct Migrating<'s> {
    pub database: &'s str,
    pub at: Option<&'s Target>,
    pub files: &'s [PlannedMigration],
}

/// Asks every database side by side. One that does not answer soon is not seen.
pub(super) async fn ledgers(
    places: &BTreeMap<String, LedgerPlace>,
    observed: &Observed,
) -> BTreeMap<String, ObservedDatabase> {
    let asked = places.iter().map(|(name, place)| async move { (name.clone(), ledger(place, observed).await) });
    join_all(asked).await.into_iter().collect()
}

async fn ledger(place: &LedgerPlace, observed: &Observed) -> ObservedDatabase {
    let server = match Server::of(&place.whereabouts, &observed.stack, &observed.containers) {
        Ok(server) => server.for_a_look(),
        Err(why) => return ObservedDatabase::Unseen { why: why.to_string() },
    };
    let migrator = Migrator::new(server, place.ledger.clone(), Patience::default(), String::new());
    match migrator.ledger().await {
        Ok(ledger) => ObservedDatabase::Seen(ledger),
        Err(error) => {
            let words = std::iter::once(error.to_string()).chain(error.causes().into_iter().take(1));
            ObservedDatabase::Unseen { why: words.collect::<Vec<_>>().join(": ") }
        }
    }
}

impl Machine {
    /// Applies what is pending of the files that the plan names. What it applied before a failure stays, and is told.
    pub(super) async fn migrate(
        &self,
        migrating: &Migrating<'_>,
        context: &Context,
        progress: &Progress,
    ) -> Result<Acted, WorldError> {
        let name = migrating.database;
        let (migrations, files) = carried(context, name)?;
        let database = context.declared.as_deref().and_then(|declared| declared.databases.get(name));
        let database = database.ok_or_else(|| WorldError::new(format!("the database `{name}` is not declared")))?;
        let server = self.reached(database, migrating.at, context).await;
        let server = server.map_err(|why| why.within(format!("`{name}` cannot be migrated")))?;
        let server = Server::new(server.settings);
        let migrator =
            Migrator::new(server, migrations.ledger.clone(), Patience::default(), context.by.replace('`', ""));
        let ledger = self.once_it_answers(name, migrating.at.is_some(), &migrator, context, progress).await?;
        let Ledger { target, rows, attempts } = ledger;
        let set = MigrationSet::beside(files, &rows);
        let plan = MigrationPlan::decide(target, &set, &rows, &attempts, &BTreeSet::new());
        must_be_as_shown(migrating, &plan)?;
        let mut applied: Vec<String> = Vec::new();
        let told = |event: MigrationEvent| {
            if let MigrationEvent::Done { file, .. } = &event {
                applied.push(file.clone());
            }
            if let Some(line) = line(&event) {
                progress.tell(format!("{name}: {line}"));
            }
        };
        match migrator.apply(&set, &plan, &context.cancel, told).await {
            Ok(_) if plan.steps.is_empty() => Ok(done("nothing is pending".to_owned())),
            Ok(_) if applied.is_empty() => Ok(done("another run applied them meanwhile".to_owned())),
            Ok(_) => Ok(done(format!("applied {}", listed(&applied)))),
            Err(error) => Err(failed(name, error, &applied)),
        }
    }

    /// Where a database is, in the container that a step names.
    pub(super) async fn reached(
        &self,
        database: &Database,
        at: Option<&Target>,
        context: &Context,
    ) -> Result<Reached, WorldError> {
        let container = match at {
            Some(target) => self.glance(id_of(target, context)?).await?.map(|glance| glance.container),
            None => None,
        };
        Reached::at(&database.whereabouts, container.as_ref()).map_err(|why| WorldError::new(why.to_string()))
    }

    /// How it stands now. A container of the stack, which may have been started a moment ago, gets its time.
    pub(super) async fn once_it_answers(
        &self,
        name: &str,
        is_a_container: bool,
        migrator: &Migrator,
        context: &Context,
        progress: &Progress,
    ) -> Result<Ledger, WorldError> {
        let began = Instant::now();
        let mut told = false;
        loop {
            let asked = tokio::select! {
                asked = migrator.ledger() => asked,
                () = context.cancel.cancelled() => return Err(cancelled(name)),
            };
            match asked {
                Ok(ledger) => return Ok(ledger),
                Err(PgError::Connect { failure, .. })
                    if is_a_container
                        && matches!(failure.kind, Kind::Refused | Kind::Closed | Kind::StartingUp)
                        && began.elapsed() < COMES_UP_WITHIN =>
                {
                    if !told {
                        progress.tell(format!("{name}: does not answer yet: {}", failure.message));
                        told = true;
                    }
                }
                Err(error) => return Err(failed(name, error, &[])),
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_EVERY) => {}
                () = context.cancel.cancelled() => return Err(cancelled(name)),
            }
        }
    }
}

/// The migrations of a database, with the files that came with the order.
pub(super) fn carried<'c>(context: &'c Context, name: &str) -> Result<(&'c Migrations, &'c [SqlFile]), WorldError> {
    let database = context.declared.as_deref().and_then(|declared| declared.databases.get(name));
    let migrations = database.and_then(|database| database.migrations.as_ref());
    migrations
        .and_then(|migrations| Some((migrations, migrations.files.as_deref()?)))
        .ok_or_else(|| WorldError::new(format!("the migrations of `{name}` are not declared in what is applied")))
}

/// Nothing is applied that was not shown.
fn must_be_as_shown(migrating: &Migrating<'_>, plan: &MigrationPlan) -> Result<(), WorldError> {
    let name = migrating.database;
    if !plan.refusals.is_empty() {
        let mut error = WorldError::new(format!("`{name}` is not migrated: {}", plan.refusals[0]));
        error.hints.extend(plan.refusals.iter().map(mainstay_model::postgres::migration::Refusal::hint));
        error.source = plan.refusals.get(1).map(|next| format!("and {next}").into());
        return Err(error);
    }
    let is_shown = |file: &str| migrating.files.iter().any(|planned| planned.file == file);
    let unseen: Vec<String> =
        plan.steps.iter().filter(|step| !is_shown(&step.file)).map(|step| step.file.clone()).collect();
    if unseen.is_empty() {
        return Ok(());
    }
    let are = if unseen.len() == 1 { "is pending and was" } else { "are pending and were" };
    let message = format!("`{name}`: {} {are} not shown", listed(&unseen));
    Err(WorldError::new(message).contradicting().hint("the same command again shows and applies them"))
}

fn line(event: &MigrationEvent) -> Option<String> {
    Some(match event {
        MigrationEvent::Waiting { holder } => format!("waiting for another run: {holder}"),
        MigrationEvent::Began { .. } => return None,
        MigrationEvent::Statement { file, number, of } => format!("{file}: statement {} of {of}", number + 1),
        MigrationEvent::Retried { file, why, again_in } => {
            format!("{file}: {why}; tried again in {:.0} s", again_in.as_secs_f64())
        }
        MigrationEvent::DroppedInvalid { file, index } => format!("{file}: dropped the invalid index {index}"),
        MigrationEvent::Done { file, took_ms } => format!("{file} applied in {took_ms} ms"),
        MigrationEvent::ByAnother { file } => format!("{file} was applied by another run meanwhile"),
    })
}

fn done(detail: String) -> Acted {
    Acted { detail: Some(detail), ..Acted::default() }
}

fn cancelled(name: &str) -> WorldError {
    WorldError { cancelled: true, ..WorldError::new(format!("the migration of `{name}` was cancelled")) }
}

fn failed(name: &str, error: PgError, applied: &[String]) -> WorldError {
    let is_cancelled = matches!(error, PgError::Interrupted { .. });
    let mut told = WorldError::new(format!("`{name}`: {error}"));
    told.hints.extend(error.hints());
    if applied.is_empty() {
        told.hints.push(format!("no migration was applied to `{name}`"));
    }
    let causes = error.causes();
    told.source = (!causes.is_empty()).then(|| causes.join("; ").into());
    WorldError { cancelled: is_cancelled, ..told }
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
