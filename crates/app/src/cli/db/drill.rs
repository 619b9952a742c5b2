//! `mainstay db drill`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::pg::backup::{BackupError, Shelved as Kept, Vault};
use mainstay_engine::pg::drill::{Drill, Drilled, Told, Wanted};
use mainstay_model::identity::BackupId;
use mainstay_model::postgres::backup::{Difference, Manifest, Verdict};
use serde::Serialize;

use super::shelf::{Opening, Shelf, Shelved};
use super::status::remember;
use super::travel::Typed;
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::meter::Meter;
use crate::ui::show::count;
use crate::ui::since::took;

/// So many differences are shown; `--json` has all.
const SHOWN: usize = 30;

/// Prove a backup: restore it elsewhere, compare everything, keep what came of it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay db drill                               the newest one\n  mainstay db drill 20261126-030000-x7k2ma\n  mainstay db drill --identity recovery.txt       with the key that is kept elsewhere\n  mainstay db drill --image postgres:17 --json\n\nA server of the database's own image is started without a network, the backup is restored into it with its\nroles, and rows, contents, schema, sequences, large objects, indexes and the declared `probes` are compared.\nThe server is thrown away. The database is not touched, and need not even be there. Ends with 0 when the\nbackup holds, with 1 when it does not (docs/RESTORE.md)."
)]
pub struct DrillArgs {
    #[command(flatten)]
    shelved: Shelved,
    #[command(flatten)]
    opening: Opening,
    /// Which backup; default: the newest
    #[arg(value_name = "ID")]
    id: Option<BackupId>,
    /// The newest, as without an id
    #[arg(long, conflicts_with = "id")]
    latest: bool,
    /// Restore into a server of this image; default: the one that was backed up
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
}

/// As `--json` gives it.
#[derive(Serialize)]
struct Answer<'d> {
    id: &'d str,
    of: &'d str,
    proven: bool,
    restore_ms: Option<u64>,
    total_ms: u64,
    differences: &'d [Difference],
    failure: Option<Failure<'d>>,
    notes: &'d [String],
}

#[derive(Serialize)]
struct Failure<'d> {
    doing: &'d str,
    words: &'d str,
}

impl DrillArgs {
    pub fn typed(&self) -> Typed<'_> {
        Typed { file: self.opening.file(), ..self.shelved.typed() }
    }
}

pub async fn run(boot: &Boot, args: DrillArgs) -> Outcome {
    let shelf = args.shelved.find(boot).await?;
    let vault = args.opening.apply(boot, shelf.vault.clone())?;
    let kept = chosen(&vault, args.id.as_ref(), |_| true).await?;
    if boot.settings.dry_run {
        boot.ui.talk(&format!("would restore {} of {} into a throw-away server", kept.manifest.id, vault.of()));
        return Ok(ExitCode::SUCCESS);
    }
    let drilled = drill(boot, &shelf, &vault, &kept.manifest, args.image.as_deref()).await?;
    remember(boot, &shelf).await;
    if boot.ui.json {
        boot.ui.json_document(&answer(&drilled, vault.of()))?;
    }
    tell(boot, &drilled, &kept.manifest)
}

/// The backup that is meant: by its id, else the newest that `fits`, else the newest.
///
/// # Errors
/// When there is none, or none can be read, or a newer one than all that can be: nobody is to take the one before it for
/// the newest unawares.
pub async fn chosen(vault: &Vault, id: Option<&BackupId>, fits: impl Fn(&Manifest) -> bool) -> Result<Kept, Problem> {
    if let Some(id) = id {
        return Ok(vault.get(id).await?);
    }
    let listing = vault.list().await?;
    let newest = listing.backups.iter().find(|one| fits(&one.manifest)).or(listing.backups.first());
    let broken = listing.unusable.iter().max_by(|one, other| one.id.cmp(&other.id));
    if let Some(newest) = newest {
        return match broken.filter(|one| one.id > newest.manifest.id) {
            Some(one) => Err(Problem::new(
                Kind::World,
                "newest-unusable",
                format!("the newest backup of {}, {}, cannot be used: {}", vault.of(), one.id, one.why),
            )
            .hint(format!(
                "the one before it, by its id: {}; `mainstay db backups` lists them all",
                newest.manifest.id
            ))),
            None => Ok(newest.clone()),
        };
    }
    let (of, place) = (vault.of().to_owned(), vault.place().to_owned());
    let mut problem = Problem::from(BackupError::NoBackup { of, place });
    if let Some(one) = listing.unusable.first() {
        problem.kind = Kind::World;
        problem.message = format!("no backup of {} at {} can be read", vault.of(), vault.place());
        problem.causes.push(format!("{}: {}", one.id, one.why));
        problem.hints.push("say where a recovery key is: `--identity FILE`".into());
    }
    Err(problem)
}

/// Drills one, telling how far it is.
///
/// # Errors
/// What says nothing of the backup.
pub async fn drill(
    boot: &Boot,
    shelf: &Shelf,
    vault: &Vault,
    manifest: &Manifest,
    image: Option<&str>,
) -> Result<Drilled, Problem> {
    let docker = boot.docker().await?;
    let probes = shelf.found.declared.as_ref().map(|entry| entry.database.probes.clone()).unwrap_or_default();
    let wanted = Wanted { docker: &docker, vault, manifest, image, purpose: "drill" };
    let interrupt = Interrupt::listen(&boot.ui);
    let meter = Meter::new(&boot.ui);
    let drill = Drill { wanted, probes: &probes, made_by: env!("CARGO_PKG_VERSION") };
    let mut hear = |told| match told {
        Told::Doing(doing) => meter.set(|| doing),
        Told::Compared { tables, of } => meter.set(|| format!("compared {tables} of {}", count(of, "table"))),
    };
    match drill.run(interrupt.token(), &mut hear).await {
        Ok(drilled) => Ok(drilled),
        Err(BackupError::Interrupted) => Err(Problem::new(
            Kind::Interrupted,
            "interrupted",
            "interrupted; the copy is thrown away, and the backup is as proven as it was",
        )),
        Err(error) => Err(error.into()),
    }
}

fn answer<'d>(drilled: &'d Drilled, of: &'d str) -> Answer<'d> {
    let proof = &drilled.proof;
    let (differences, failure) = match &proof.verdict {
        Verdict::Proven => (&[] as &[Difference], None),
        Verdict::Different(differences) => (differences.as_slice(), None),
        Verdict::Failed { doing, words } => (&[] as &[Difference], Some(Failure { doing, words })),
    };
    Answer {
        id: proof.backup.as_str(),
        of,
        proven: proof.is_proven(),
        restore_ms: proof.restore_ms,
        total_ms: proof.total_ms,
        differences,
        failure,
        notes: &drilled.notes,
    }
}

fn tell(boot: &Boot, drilled: &Drilled, manifest: &Manifest) -> Outcome {
    for note in &drilled.notes {
        boot.ui.note(note);
    }
    let proof = &drilled.proof;
    match &proof.verdict {
        Verdict::Proven => {
            let tables = count(manifest.contents.tables.len(), "table");
            boot.ui.talk(&format!(
                "✔ {} of {} is proven: restored in {}, {tables} compared, {} in all",
                proof.backup,
                manifest.of(),
                proof.restore_ms.map(took).unwrap_or_default(),
                took(proof.total_ms)
            ));
            Ok(ExitCode::SUCCESS)
        }
        Verdict::Different(differences) => {
            let message = format!(
                "backup {} does not hold: {} between it and its copy",
                proof.backup,
                count(differences.len(), "difference")
            );
            let mut problem = Problem::new(Kind::Failed, "drill-different", message);
            problem.exhibit = Some(shown(differences));
            Err(problem.hint("make a new one, and drill that: `mainstay db backup && mainstay db drill`"))
        }
        Verdict::Failed { doing, words } => {
            let message = format!("backup {} does not hold: it failed at {doing}", proof.backup);
            let mut problem = Problem::new(Kind::Failed, "drill-failed", message);
            problem.exhibit = Some(words.clone());
            if words.contains("extension") {
                problem = problem.hint(
                    "the image of the server has no such extension: name one that has it, `--image IMAGE`, or build it in",
                );
            }
            Err(problem.hint("`mainstay db backups` shows which one was proven"))
        }
    }
}

/// A line each, as many as are read.
pub fn shown(differences: &[Difference]) -> String {
    let mut lines: Vec<String> = differences.iter().take(SHOWN).map(|one| format!("  {one}")).collect();
    if differences.len() > SHOWN {
        lines.push(format!("  and {} more (`--json` has all)", differences.len() - SHOWN));
    }
    lines.join("\n")
}
