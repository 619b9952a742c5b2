//! What is due of a bucket.

use std::time::{Duration, Instant};

use mainstay_model::bucket::Cellar;
use mainstay_model::declared::StackBucket;
use mainstay_model::postgres::backup::Reason;
use mainstay_model::postgres::backup::retention::{RetentionPlan, plan};
use tokio_util::sync::CancellationToken;

use super::row::Row;
use super::work::Timetable;
use crate::blobs::Store;
use crate::bucket::{Backed, BucketError, Cabinet, Turn, candidates, place};

/// For so long a scheduled backup waits for a command that is at the same bucket, and how often it looks.
const PATIENCE: Duration = Duration::from_mins(30);
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Timetable {
    pub(super) async fn back_up_bucket(
        &self,
        row: &Row,
        wish: &StackBucket,
        cancelled: &CancellationToken,
    ) -> Result<String, String> {
        let backed = tokio::select! {
            backed = self.backed(row, wish) => backed,
            () = cancelled.cancelled() => return Err("it was broken off".into()),
        };
        backed.map(|backed| told(&backed)).map_err(|error| error.to_string())
    }

    async fn backed(&self, row: &Row, wish: &StackBucket) -> Result<Backed, BucketError> {
        let cabinet = self.cabinet(row)?;
        let docker = async || Ok((*self.keeper.docker).clone());
        let bucket = place(docker, &row.declared, wish).await?.objects()?;
        let turn = self.turn(&cabinet).await?;
        let about = (row.namespace.stack.as_str(), row.namespace.env(), row.name.as_str());
        let backed = cabinet.back_up(&bucket, about, Reason::Scheduled, |_| {}).await?;
        let retained = retained(row, &cabinet).await.map_err(|error| error.to_string());
        drop(turn);
        self.told_of_retention(row, retained);
        Ok(backed)
    }

    pub(super) async fn drill_bucket(&self, row: &Row, cancelled: &CancellationToken) -> Result<String, String> {
        let drilled = async {
            let cabinet = self.cabinet(row)?;
            let newest = cabinet.get(None).await?;
            cabinet.drill(&newest, |_, _| {}).await
        };
        let proof = tokio::select! {
            proof = drilled => proof.map_err(|error| error.to_string())?,
            () = cancelled.cancelled() => return Err("it was broken off".into()),
        };
        match proof.is_proven() {
            true => Ok(format!("backup {} of {} was proven", proof.backup, row.of_what())),
            false => Err(format!("backup {}: {}", proof.backup, proof.verdict)),
        }
    }

    pub(super) fn cabinet(&self, row: &Row) -> Result<Cabinet, BucketError> {
        let store = Store::open(&self.destination(row))?;
        let seals = self.secrets.seals(&row.backup.recipients)?;
        let (stack, env) = (row.namespace.stack.as_str(), row.namespace.env());
        Ok(Cabinet::new(store, Cellar::new(stack, env, &row.name), seals, format!("{} of {stack}", row.name)))
    }

    async fn turn(&self, cabinet: &Cabinet) -> Result<Turn, BucketError> {
        let began = Instant::now();
        loop {
            match cabinet.turn(&self.state_dir) {
                Err(BucketError::Busy { .. }) if began.elapsed() < PATIENCE => tokio::time::sleep(LOOK_EVERY).await,
                turn => return turn,
            }
        }
    }
}

/// Takes away what has no place any more; nothing when nothing says how many stay.
async fn retained(row: &Row, cabinet: &Cabinet) -> Result<Option<RetentionPlan>, BucketError> {
    let Some(keep) = &row.backup.keep else { return Ok(None) };
    let listing = cabinet.list().await?;
    let plan = plan(&candidates(&listing.backups, row.zone())?, keep, false);
    let going: Vec<_> = plan.going().into_iter().cloned().collect();
    if !going.is_empty() {
        cabinet.remove(&going).await?;
    }
    Ok(Some(plan))
}

fn told(backed: &Backed) -> String {
    let manifest = &backed.manifest;
    let (objects, bytes) = (manifest.objects.len(), manifest.bytes());
    format!("backup {} of the bucket `{}`: {objects} objects, {bytes} bytes", manifest.id, manifest.bucket)
}
