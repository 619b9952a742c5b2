//! `mainstay bucket retention`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::bucket::candidates;
use mainstay_model::postgres::backup::retention::plan;

use super::which::one;
use crate::boot::Boot;
use crate::cli::db::retention::going;
use crate::problem::{Outcome, Problem};
use crate::ui::show::count;

/// Show which backups stay and which go, and why; take those away with `--apply`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay bucket retention artifacts           the plan; nothing goes\n  mainstay bucket retention artifacts --apply\n\n`keep: { daily: 7, weekly: 4 }` of the declaration says how many. Contents that no other backup has go along.\nNothing goes before a newer backup was read back."
)]
pub struct Retention {
    /// The name under `x-mainstay.buckets`; default: the only one
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Take away what the plan says
    #[arg(long)]
    apply: bool,
    /// Go on although the newest backup is less than half as large as they usually are
    #[arg(long)]
    accept_smaller: bool,
}

pub async fn run(boot: &Boot, args: Retention) -> Outcome {
    let chosen = one(boot, args.name.as_ref()).await?;
    let backup = chosen.backup()?;
    let Some(keep) = &backup.keep else {
        return Err(Problem::usage("no-keep", format!("nothing says which backups of {} stay: all do", chosen.of()))
            .hint("declare it: `backup: { keep: { daily: 7, weekly: 4 } }`"));
    };
    let cabinet = chosen.cabinet(boot)?;
    let _turn = cabinet.turn(&boot.settings.state_dir)?;
    let listing = cabinet.list().await?;
    let zone = backup.schedule.as_ref().and_then(|schedule| schedule.zone.as_deref());
    let plan = plan(&candidates(&listing.backups, zone)?, keep, args.accept_smaller);
    let going = going(boot, &plan, args.apply, "bucket retention")?;
    if going.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let contents = cabinet.remove(&going).await?;
    boot.ui.talk(&format!(
        "{} went, and {} that no other has",
        count(going.len(), "backup"),
        count(contents, "content")
    ));
    Ok(ExitCode::SUCCESS)
}
