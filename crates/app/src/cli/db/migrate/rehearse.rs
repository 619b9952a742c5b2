//! `mainstay db migrate rehearse`

pub mod last;
mod show;

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use mainstay_engine::pg::backup::{BackupError, Shelved as Kept, Vault};
use mainstay_engine::pg::drill::Wanted;
use mainstay_engine::pg::restore::RestoreError;
use mainstay_engine::pg::{MigrationEvent, Outcome as Ran, Patience, PgError, Rehearsal, RehearsalEvent};
use mainstay_model::identity::BackupId;

use super::super::found::Found;
use super::super::recording::Recording;
use super::super::shelf::{self, Opening};
use super::super::travel::Typed;
use super::super::which::Which;
use super::super::{drill, shelf::Shelf};
use super::{Scene, must_be_possible};
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::meter::Meter;
use crate::ui::show::count;
use crate::ui::since::{took, when};

/// Run what is pending on a copy, restored from a backup, and tell how long it takes and what it locks.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay db migrate rehearse                    on the newest backup\n  mainstay db backup && mainstay db migrate rehearse\n  mainstay db migrate rehearse --backup 20261126-030000-x7k2ma\n  mainstay db migrate rehearse --json | jq '.files[].locks'\n\nThe backup is restored into a throw-away server of the same image, as a drill does it: without a\nnetwork, without jobs, with its roles. The files that were applied since the backup run first, then\nthose that are pending, as the role that would apply them. The database itself is only asked what is\npending. Ends with 0 when all of them run, with 1 when one fails, and shows it as `apply` would\n(docs/MIGRATIONS.md)."
)]
pub struct Rehearse {
    #[command(flatten)]
    which: Which,
    /// The backup to run them on; default: the newest
    #[arg(long, value_name = "ID")]
    backup: Option<BackupId>,
    /// Where the backups are, a folder or `s3://BUCKET/PREFIX`; default: as declared
    #[arg(long, value_name = "PLACE")]
    to: Option<String>,
    #[command(flatten)]
    opening: Opening,
    /// Restore into a server of this image; default: the one that was backed up
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Let this file be applied although later ones were
    #[arg(long, value_name = "FILE")]
    out_of_order: Vec<String>,
}

impl Rehearse {
    pub fn typed(&self) -> Typed<'_> {
        Typed { to: self.to.as_deref(), file: self.opening.file(), ..self.which.typed() }
    }
}

pub async fn run(boot: &Boot, args: Rehearse) -> Outcome {
    let mut scene = Scene::of(boot, &args.which).await?;
    let allowed: BTreeSet<String> = args.out_of_order.iter().cloned().collect();
    let migrator = scene.migrator(boot, Patience::default());
    let plan = migrator.plan(&scene.set, &allowed).await?;
    boot.ui.talk(&scene.shown());
    must_be_possible(&plan)?;
    let pending: BTreeSet<String> = plan.steps.iter().map(|step| step.file.clone()).collect();
    if pending.is_empty() {
        return nothing(boot);
    }
    let found = std::mem::replace(&mut scene.chosen.found, Found { declared: None });
    let shelf = shelf::shelf(boot, found, args.to.as_deref())?;
    let vault = args.opening.apply(boot, shelf.vault.clone())?;
    let kept = drill::chosen(&vault, args.backup.as_ref(), |_| true).await?;
    let made = when(&kept.manifest.snapshot_at, Timestamp::now());
    boot.ui.talk(&format!("on backup {} of {}, made {made}, at {}", kept.manifest.id, vault.of(), vault.place()));
    if boot.settings.dry_run {
        boot.ui.talk(&format!("would run {} on a copy of it", count(pending.len(), "migration")));
        return Ok(ExitCode::SUCCESS);
    }
    let recording = Recording::new(boot, &scene.chosen, "rehearse", pending.iter().cloned().collect()).of(&plan);
    let ran = rehearse(boot, &scene, &args, &vault, &kept, &pending).await?;
    let done: Vec<String> = ran.files.iter().map(|file| file.file.clone()).collect();
    recording.ends(&done, ran.failure.as_ref()).await;
    show::show(boot, &kept.manifest, &ran, &pending)?;
    ended(boot, &shelf, &kept, ran, &pending)
}

fn nothing(boot: &Boot) -> Outcome {
    if boot.ui.json {
        show::nothing(boot)?;
    }
    boot.ui.talk("the database is up to date: there is nothing to rehearse");
    Ok(ExitCode::SUCCESS)
}

async fn rehearse(
    boot: &Boot,
    scene: &Scene,
    args: &Rehearse,
    vault: &Vault,
    kept: &Kept,
    pending: &BTreeSet<String>,
) -> Result<Ran, Problem> {
    let docker = boot.docker().await?;
    let wanted =
        Wanted { docker: &docker, vault, manifest: &kept.manifest, image: args.image.as_deref(), purpose: "rehearsal" };
    let role = scene.migrator(boot, Patience::default()).role().await?;
    let by = boot.environment.user();
    let rehearsal = Rehearsal { wanted, set: &scene.set, ledger: &scene.chosen.ledger, role: &role, pending, by: &by };
    let interrupt = Interrupt::listen(&boot.ui);
    let meter = Meter::new(&boot.ui);
    let ran = rehearsal.run(interrupt.token(), &mut |event| tell(&meter, event)).await;
    match ran {
        Err(RestoreError::Backup(BackupError::Interrupted)) => Err(Problem::new(
            Kind::Interrupted,
            "interrupted",
            "interrupted; the copy is thrown away, and the database is as it was",
        )),
        ran => Ok(ran?),
    }
}

fn tell(meter: &Meter, event: RehearsalEvent) {
    match event {
        RehearsalEvent::Doing(doing) => meter.set(|| doing),
        RehearsalEvent::Migration(MigrationEvent::Began { file }) => meter.set(|| format!("running {file}")),
        RehearsalEvent::Migration(MigrationEvent::Statement { file, number, of }) => {
            meter.set(|| format!("running {file}: statement {} of {of}", number + 1));
        }
        RehearsalEvent::Migration(MigrationEvent::Retried { file, why, .. }) => {
            meter.say(&format!("  {file}: {why}; tried again"));
        }
        RehearsalEvent::Migration(_) => {}
    }
}

/// The last sentence: of all of them, or of the one that failed.
fn ended(boot: &Boot, shelf: &Shelf, kept: &Kept, ran: Ran, pending: &BTreeSet<String>) -> Outcome {
    let Some(error) = ran.failure else {
        boot.ui.talk(&format!(
            "✔ {} of `{}` ran on a copy of backup {}, restored in {}; the database is as it was",
            count(pending.len(), "pending migration"),
            shelf.name,
            kept.manifest.id,
            took(u64::try_from(ran.restored_in.as_millis()).unwrap_or(u64::MAX)),
        ));
        boot.ui.note(
            "the copy has nobody else's load and does not wait for its disk: expect more where the database lives",
        );
        return Ok(ExitCode::SUCCESS);
    };
    let applied = match &error {
        PgError::Statement(failed) => !pending.contains(&failed.file),
        _ => false,
    };
    let mut problem = Problem::from(error);
    let hint = "this was a copy: the database is as it was";
    problem.hints.insert(0, hint.to_owned());
    if applied {
        problem.hints.push(
            "this file is applied in the database already, and does not run on what the backup has: make a newer one, `mainstay db backup`".into(),
        );
    }
    Err(problem)
}
