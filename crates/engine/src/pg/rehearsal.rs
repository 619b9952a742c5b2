//! Rehearsals: files run on a copy of the database, made from a backup, that is thrown away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mainstay_model::postgres::migration::{LedgerName, MigrationPlan, MigrationSet, Standing, Status};
use mainstay_model::postgres::rehearsal::Rehearsed;
use tokio_util::sync::CancellationToken;

use super::backup::BackupError;
use super::drill::{RestoredCopy, Wanted};
use super::error::PgError;
use super::migrator::{MigrationEvent, Migrator, Patience};
use super::onlooker::Onlooker;
use super::restore::RestoreError;

const APPLICATION: &str = "mainstay db migrate rehearse";

/// What is rehearsed, and on what.
#[derive(Clone, Copy)]
pub struct Rehearsal<'r> {
    pub wanted: Wanted<'r>,
    pub set: &'r MigrationSet,
    pub ledger: &'r LedgerName,
    /// The role that the files run as where the database lives.
    pub role: &'r str,
    /// The files that are to be applied there. Those that were, since the backup, run before them.
    pub pending: &'r BTreeSet<String>,
    /// For the rows of the copy's ledger.
    pub by: &'r str,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// From nothing to a copy that answers.
    pub restored_in: Duration,
    /// What would have run, in order.
    pub plan: MigrationPlan,
    /// What ran.
    pub files: Vec<Rehearsed>,
    /// The file that failed, as far as it came.
    pub broken: Option<Rehearsed>,
    pub failure: Option<PgError>,
}

/// One thing that is told on the way.
#[derive(Clone, Debug)]
pub enum RehearsalEvent {
    Doing(String),
    Migration(MigrationEvent),
}

impl Rehearsal<'_> {
    /// Makes the copy, runs the files on it, and takes it away. A file that fails is no error here.
    ///
    /// # Errors
    /// What says nothing of the files: no engine, no image, a backup that cannot be restored, or none that they can run on.
    pub async fn run(
        self,
        cancelled: &CancellationToken,
        told: &mut (dyn FnMut(RehearsalEvent) + Send),
    ) -> Result<Outcome, RestoreError> {
        self.must_know_the_role()?;
        tokio::select! {
            outcome = self.on_a_copy(told) => outcome,
            // The copy goes with what is dropped here.
            () = cancelled.cancelled() => Err(BackupError::Interrupted.into()),
        }
    }

    async fn on_a_copy(&self, told: &mut (dyn FnMut(RehearsalEvent) + Send)) -> Result<Outcome, RestoreError> {
        let mut doing = |text: &str| told(RehearsalEvent::Doing(text.to_owned()));
        let copy = RestoredCopy::make(self.wanted, &mut doing).await?;
        let ended = self.on(&copy, told).await;
        copy.remove().await?;
        ended
    }

    async fn on(
        &self,
        copy: &RestoredCopy,
        told: &mut (dyn FnMut(RehearsalEvent) + Send),
    ) -> Result<Outcome, RestoreError> {
        let contents = &self.wanted.manifest.contents;
        let onlooker = Arc::new(Onlooker::new(&copy.server().called(APPLICATION), contents, self.ledger).await?);
        let server = copy.server_as(self.role).called(APPLICATION);
        let migrator = Migrator::new(server, self.ledger.clone(), Patience::default(), self.by.to_owned());
        let migrator = migrator.watched_by(onlooker.clone());
        let plan = self.plan(&migrator).await?;
        // There is nobody to wait for, and who interrupts drops all of it.
        let never = CancellationToken::new();
        let applied = migrator.apply(self.set, &plan, &never, |event| told(RehearsalEvent::Migration(event))).await;
        let (files, broken) = onlooker.seen();
        Ok(Outcome { restored_in: copy.took, plan, files, broken, failure: applied.err() })
    }

    /// What runs on the copy: what is pending there, where all that is pending in the database is, too.
    async fn plan(&self, migrator: &Migrator) -> Result<MigrationPlan, RestoreError> {
        let status = Status::of(self.set, &migrator.rows().await?);
        // Whether they may come late was settled where the database lives.
        let late = status.named(|standing| matches!(standing, Standing::OutOfOrder { .. }));
        let late = late.into_iter().map(str::to_owned).collect();
        let plan = migrator.plan(self.set, &late).await?;
        let backup = &self.wanted.manifest.id;
        if !plan.refusals.is_empty() {
            let words = plan.refusals.iter().map(ToString::to_string);
            let message = format!("the files cannot be applied on backup {backup}; nothing was rehearsed");
            return Err(RestoreError::refused(message)
                .because(words)
                .hint("rehearse on one that was made since: `mainstay db backup`, then again"));
        }
        let has = |file: &String| plan.steps.iter().any(|step| step.file == *file);
        if let Some(file) = self.pending.iter().find(|file| !has(file)) {
            let message = format!("backup {backup} has {file} applied already, and the database has not");
            return Err(RestoreError::refused(message)
                .hint("rehearse on another one: `--backup ID`; `mainstay db backups` lists them"));
        }
        Ok(plan)
    }

    fn must_know_the_role(&self) -> Result<(), RestoreError> {
        let manifest = self.wanted.manifest;
        if manifest.contents.roles.contains_key(self.role) || manifest.contents.roles.is_empty() {
            return Ok(());
        }
        let message = format!("backup {} has no role `{}`, as which the files would run", manifest.id, self.role);
        Err(RestoreError::refused(message).hint("make a backup that has it: `mainstay db backup`"))
    }
}
