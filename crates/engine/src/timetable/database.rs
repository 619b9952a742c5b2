//! What is due of a database.

use std::time::Duration;

use mainstay_model::declared::Database;
use mainstay_model::postgres::backup::retention::{RetentionPlan, plan};
use mainstay_model::postgres::backup::{Manifest, Reason};
use tokio_util::sync::CancellationToken;

use super::row::Row;
use super::work::{Drill, Timetable};
use crate::pg::backup::{Alone, BackupError, Order, Source, Vault, back_up, candidates};
use crate::pg::{ReachError, reach};

/// For so long a scheduled backup waits for a migration to end.
const PATIENCE: Duration = Duration::from_mins(30);

impl Timetable {
    pub(super) async fn back_up_database(
        &self,
        row: &Row,
        database: &Database,
        cancelled: &CancellationToken,
    ) -> Result<String, String> {
        let vault = self.vault(row).map_err(words)?;
        let docker = async || Ok((*self.keeper.docker).clone());
        let reached = reach(docker, &row.declared, database).await.map_err(|error: ReachError| error.to_string())?;
        let docker = (*self.keeper.docker).clone();
        let source = Source::open(&docker, reached, database.image.as_deref(), vault.of()).await.map_err(words)?;
        let order = Order {
            stack: Some(row.namespace.stack.to_string()),
            env: row.namespace.env().map(str::to_owned),
            database: row.name.clone(),
            reason: Reason::Scheduled,
            made_by: self.made_by.clone(),
            alone: Alone::Yes { patience: PATIENCE },
        };
        let made = back_up(&source, &vault, &order, cancelled, &|_| {}).await;
        source.give_back().await;
        let manifest = made.map_err(words)?;
        self.told_of_retention(row, retained(row, &vault).await.map_err(words));
        Ok(told(&manifest))
    }

    pub(super) async fn drill_database(
        &self,
        row: &Row,
        database: &Database,
        cancelled: &CancellationToken,
    ) -> Result<String, String> {
        let drilling = self.drilling.as_ref().ok_or("nobody does drills here")?;
        let drill = Drill {
            declared: row.declared.clone(),
            env: row.namespace.env().map(str::to_owned),
            name: row.name.clone(),
            database: database.clone(),
            vault: self.vault(row).map_err(words)?,
            cancelled: cancelled.clone(),
        };
        let proof = drilling(drill).await.map_err(words)?;
        match proof.is_proven() {
            true => Ok(format!("backup {} of `{}` was proven", proof.backup, row.name)),
            false => Err(format!("backup {}: {}", proof.backup, proof.verdict)),
        }
    }

    pub(super) fn vault(&self, row: &Row) -> Result<Vault, BackupError> {
        let to = self.destination(row);
        let seals = self.secrets.seals(&row.backup.recipients)?;
        Vault::open(&to, row.namespace.stack.as_str(), row.namespace.env(), &row.name, seals)
    }
}

/// Takes away what has no place any more; nothing when nothing says how many stay.
async fn retained(row: &Row, vault: &Vault) -> Result<Option<RetentionPlan>, BackupError> {
    let Some(keep) = &row.backup.keep else { return Ok(None) };
    let listing = vault.list().await?;
    let plan = plan(&candidates(&listing.backups, row.zone())?, keep, false);
    for id in plan.going() {
        vault.delete(id).await?;
    }
    Ok(Some(plan))
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
