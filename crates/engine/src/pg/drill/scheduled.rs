//! The drill of a schedule: the newest backup, when its time has come.

use std::sync::Arc;

use mainstay_model::postgres::backup::Proof;

use super::{Drill, Wanted};
use crate::docker::Docker;
use crate::pg::backup::BackupError;
use crate::timetable;

/// What a timetable calls.
pub fn scheduled(docker: Docker, made_by: &'static str) -> timetable::Drilling {
    Arc::new(move |drill| {
        let docker = docker.clone();
        Box::pin(async move { newest(&docker, &drill, made_by).await })
    })
}

async fn newest(docker: &Docker, drill: &timetable::Drill, made_by: &str) -> Result<Proof, BackupError> {
    let vault = &drill.vault;
    let listing = vault.list().await?;
    let Some(kept) = listing.backups.first() else {
        return Err(BackupError::NoBackup { of: vault.of().to_owned(), place: vault.place().to_owned() });
    };
    // What a process before this one may have left.
    docker.sweep().await?;
    let wanted = Wanted { docker, vault, manifest: &kept.manifest, image: None, purpose: "drill" };
    let drilled = Drill { wanted, probes: &drill.database.probes, made_by }.run(&drill.cancelled, &mut |_| {}).await?;
    Ok(drilled.proof)
}
