//! `mainstay bucket drill`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::bucket::{Proof, Verdict};
use mainstay_model::identity::BackupId;

use super::which::one;
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::cli::db::shelf::Opening;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::meter::{Meter, rate, size};
use crate::ui::show::count;
use crate::ui::since::took;

/// So many damaged objects are told; the rest is in `--json`.
const TOLD: usize = 20;

/// Read a backup back: every object opened, and compared with what was recorded.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay bucket drill                  the newest backup of the only bucket\n  mainstay bucket drill artifacts 20261126-030000-x7k2ma\n  mainstay bucket drill artifacts --all\n\nWhat came of it is kept beside the backup. It ends with 1 when anything is not as it was."
)]
pub struct Drill {
    /// The name under `x-mainstay.buckets`; default: the only one
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Which backup; default: the newest
    #[arg(value_name = "ID")]
    id: Option<BackupId>,
    /// Every backup
    #[arg(long, conflicts_with = "id")]
    all: bool,
    #[command(flatten)]
    opening: Opening,
}

pub async fn run(boot: &Boot, args: Drill) -> Outcome {
    boot.refuse_dry_run("bucket drill")?;
    let chosen = one(boot, args.name.as_ref()).await?;
    let mut cabinet = chosen.cabinet(boot)?;
    if let Some(seals) = args.opening.seals(boot)? {
        cabinet = cabinet.opened_with(&seals);
    }
    let shelved = if args.all {
        let listing = cabinet.list().await?;
        for (id, why) in &listing.unusable {
            boot.ui.warn(&format!("{id}: {why}"));
        }
        listing.backups
    } else {
        vec![cabinet.get(args.id.as_ref()).await?]
    };
    let interrupt = Interrupt::listen(&boot.ui);
    let mut proofs = Vec::new();
    for one in &shelved {
        let meter = Meter::new(&boot.ui);
        let all = one.manifest.bytes();
        let told = |objects: usize, bytes: u64| {
            meter.set(|| {
                let (objects, rate) = (count(objects, "object"), rate(bytes, meter.elapsed()));
                format!("{}: {objects}, {} of {}, {rate}", one.manifest.id, size(bytes), size(all))
            });
        };
        let proof = tokio::select! {
            proof = cabinet.drill(one, told) => proof?,
            () = interrupt.token().cancelled() => {
                return Err(Problem::new(Kind::Interrupted, "interrupted", "the drill was broken off; it says nothing"));
            }
        };
        drop(meter);
        tell(boot, &proof);
        proofs.push(proof);
    }
    chosen.remember(boot, &cabinet).await;
    if boot.ui.json {
        boot.ui.json_document(&proofs)?;
    }
    let failed = proofs.iter().filter(|proof| !proof.is_proven()).count();
    if failed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let message = format!("{} of {} did not hold", count(failed, "backup"), chosen.of());
    Err(Problem::new(Kind::Failed, "drill-failed", message)
        .hint("make a new one: `mainstay bucket backup` reads again whatever is damaged"))
}

fn tell(boot: &Boot, proof: &Proof) {
    let took = took(proof.total_ms);
    match &proof.verdict {
        Verdict::Proven => boot.ui.talk(&format!(
            "✔ {}  {}, {}, all as they were  {took}",
            proof.backup,
            count(proof.objects, "object"),
            size(proof.bytes)
        )),
        Verdict::Different(found) => {
            boot.ui.talk(&format!("✘ {}  {} not as they were  {took}", proof.backup, count(found.len(), "object")));
            for difference in found.iter().take(TOLD) {
                boot.ui.talk(&format!("    {difference}"));
            }
            if found.len() > TOLD {
                boot.ui.talk(&format!("    and {} more (`--json` has all)", found.len() - TOLD));
            }
        }
    }
}
