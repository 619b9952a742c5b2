//! `mainstay bucket restore`

use std::process::ExitCode;

use clap::Args;
use mainstay_model::bucket::Restoring;
use mainstay_model::identity::BackupId;
use mainstay_model::postgres::backup::Reason;
use serde::Serialize;

use super::backup::back_up;
use super::which::one;
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::cli::db::shelf::Opening;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::ask;
use crate::ui::meter::{Meter, rate, size};
use crate::ui::show::count;
use crate::ui::since::took;

/// So many keys of a kind are shown; `--json` has all.
const SHOWN: usize = 10;

/// Bring objects back as they were in a backup: what is gone, and what is another now.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay bucket restore artifacts --dry-run            what would be written\n  mainstay bucket restore artifacts\n  mainstay bucket restore artifacts 20261126-030000-x7k2ma --prefix installers/ --yes\n\nObjects that came later stay. Before anything is overwritten, a backup of the bucket as it is is made.\nA second run goes on where one was broken off."
)]
pub struct Restore {
    /// The name under `x-mainstay.buckets`; default: the only one
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Which backup; default: the newest
    #[arg(value_name = "ID")]
    id: Option<BackupId>,
    /// Only objects whose keys begin with this
    #[arg(long, value_name = "TEXT", default_value = "")]
    prefix: String,
    /// Overwrite without a backup of what is there
    #[arg(long)]
    no_backup: bool,
    #[command(flatten)]
    opening: Opening,
}

#[derive(Serialize)]
struct Told<'a> {
    backup: &'a BackupId,
    #[serde(flatten)]
    restoring: &'a Restoring,
    written: usize,
}

pub async fn run(boot: &Boot, args: Restore) -> Outcome {
    let chosen = one(boot, args.name.as_ref()).await?;
    let mut cabinet = chosen.cabinet(boot)?;
    if let Some(seals) = args.opening.seals(boot)? {
        cabinet = cabinet.opened_with(&seals);
    }
    let shelved = match &args.id {
        Some(id) => cabinet.get(Some(id)).await?,
        None => cabinet.newest_to_restore().await?,
    };
    let manifest = shelved.manifest;
    let bucket = chosen.objects(boot).await?;
    let wanted = cabinet.restoring(&bucket, &manifest, &args.prefix).await?;
    boot.ui.talk(&format!("backup {} of {}", manifest.id, chosen.of()));
    show(boot, &wanted);
    let mut written = 0;
    let mut damaged = Vec::new();
    if !wanted.is_empty() && !boot.settings.dry_run {
        consent(boot, &wanted)?;
        if !wanted.different.is_empty() && !args.no_backup {
            back_up(boot, &chosen, Reason::Before("restore".into())).await.map_err(not_backed_up)?;
        }
        let _turn = cabinet.turn(&boot.settings.state_dir)?;
        // What was agreed to is what is done.
        if cabinet.restoring(&bucket, &manifest, &args.prefix).await? != wanted {
            return Err(Problem::new(
                Kind::World,
                "bucket-changed",
                "the bucket is another than was shown; nothing was written",
            )
            .hint("run it again: it shows what would be overwritten now"));
        }
        let meter = Meter::new(&boot.ui);
        let told = |objects: usize, bytes: u64| {
            meter.set(|| {
                format!(
                    "{}, {} of {}, {}",
                    count(objects, "object"),
                    size(bytes),
                    size(wanted.bytes),
                    rate(bytes, meter.elapsed())
                )
            });
        };
        let interrupt = Interrupt::listen(&boot.ui);
        let restored = tokio::select! {
            restored = cabinet.restore(&bucket, &manifest, wanted.keys(), told) => restored?,
            () = interrupt.token().cancelled() => {
                return Err(Problem::new(Kind::Interrupted, "interrupted", "the restore was broken off")
                    .hint("every object is as it was or as it is in the backup; a second run goes on"));
            }
        };
        let elapsed = u64::try_from(meter.elapsed().as_millis()).unwrap_or(u64::MAX);
        drop(meter);
        written = restored.objects;
        damaged = restored.damaged;
        boot.ui.talk(&format!("✔ wrote {}, {}  {}", count(written, "object"), size(restored.bytes), took(elapsed)));
    }
    if boot.ui.json {
        boot.ui.json_document(&Told { backup: &manifest.id, restoring: &wanted, written })?;
    }
    let several = damaged.len();
    let causes: Vec<String> = damaged.iter().skip(1).map(ToString::to_string).collect();
    let Some(first) = damaged.into_iter().next() else { return Ok(ExitCode::SUCCESS) };
    let mut problem = Problem::from(first);
    problem.causes.extend(causes);
    problem.hints.push(format!("{} in the bucket as it was; the others were written", stays(several)));
    Err(problem)
}

fn stays(objects: usize) -> String {
    format!("{} {}", count(objects, "object"), if objects == 1 { "stays" } else { "stay" })
}

fn not_backed_up(mut problem: Problem) -> Problem {
    problem.message = format!("no backup of what is there, so nothing was written: {}", problem.message);
    problem.hint("`--no-backup` overwrites without one")
}

fn show(boot: &Boot, wanted: &Restoring) {
    let kinds = [
        (&wanted.missing, "+", "gone, and written"),
        (&wanted.different, "!", "another now, and overwritten"),
        (&wanted.later, " ", "newer than the backup, and left"),
    ];
    for (keys, mark, words) in kinds {
        if keys.is_empty() {
            continue;
        }
        boot.ui.talk(&format!("{mark} {} {words}", count(keys.len(), "object")));
        for key in keys.iter().take(SHOWN) {
            boot.ui.talk(&format!("    {key}"));
        }
        if keys.len() > SHOWN {
            boot.ui.talk(&format!("    and {} more", keys.len() - SHOWN));
        }
    }
    boot.ui.talk(&format!("  {} as in the backup", count(wanted.same.len(), "object")));
}

fn consent(boot: &Boot, wanted: &Restoring) -> Result<(), Problem> {
    let question = match wanted.different.len() {
        0 => format!("write {}?", count(wanted.missing.len(), "object")),
        over => format!("write {}, {over} of them over what is there?", count(wanted.missing.len() + over, "object")),
    };
    if boot.settings.yes || (boot.ui.can_ask() && ask::yes_or_no(&boot.ui, &question)) {
        return Ok(());
    }
    Err(Problem::new(Kind::Consent, "not-consented", "nothing was written").hint("`--yes` says it beforehand"))
}
