//! `mainstay db retention`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::pg::backup::candidates;
use mainstay_model::identity::BackupId;
use mainstay_model::postgres::backup::retention::{RetentionPlan, plan};

use super::shelf::Shelved;
use super::travel::Typed;
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::show::count;
use crate::ui::{Cell, Table, Tone};

/// Show which backups stay and which go, and why; take those away with `--apply`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay db retention                           the plan; nothing goes\n  mainstay db retention --apply\n  mainstay db retention --apply --accept-smaller  the newest is so small on purpose\n\n`keep: { daily: 7, weekly: 4 }` of the declaration says how many. Nothing goes before a newer one was proven; the\nnewest, the newest proven one, and what an operation took before itself stay in any case."
)]
pub struct Retention {
    #[command(flatten)]
    shelved: Shelved,
    /// Take away what the plan says
    #[arg(long)]
    apply: bool,
    /// Go on although the newest backup is less than half as large as they usually are
    #[arg(long)]
    accept_smaller: bool,
}

impl Retention {
    pub fn typed(&self) -> Typed<'_> {
        Typed { only_looks: !self.apply, ..self.shelved.typed() }
    }
}

pub async fn run(boot: &Boot, args: Retention) -> Outcome {
    let shelf = args.shelved.find(boot).await?;
    let backup = shelf.backup.as_ref();
    let Some(keep) = backup.and_then(|backup| backup.keep.as_ref()) else {
        return Err(Problem::usage("no-keep", format!("nothing says which backups of `{}` stay: all do", shelf.name))
            .hint("declare it: `backup: { keep: { daily: 7, weekly: 4 } }`"));
    };
    let listing = shelf.vault.list().await?;
    let zone = backup.and_then(|backup| backup.schedule.as_ref()).and_then(|schedule| schedule.zone.as_deref());
    let plan = plan(&candidates(&listing.backups, zone)?, keep, args.accept_smaller);
    let going = going(boot, &plan, args.apply, "db retention")?;
    if going.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let interrupt = Interrupt::listen(&boot.ui);
    for (index, id) in going.iter().enumerate() {
        if interrupt.token().is_cancelled() {
            let message = format!("{index} of {} went", count(going.len(), "backup"));
            return Err(Problem::new(Kind::Interrupted, "interrupted", message));
        }
        shelf.vault.delete(id).await?;
        boot.ui.talk(&format!("– {id}"));
    }
    boot.ui.talk(&format!("{} went", count(going.len(), "backup")));
    Ok(ExitCode::SUCCESS)
}

/// Shows the plan, and gives what is to go now: nothing without `apply`.
///
/// # Errors
/// When something stands against it.
pub fn going(boot: &Boot, plan: &RetentionPlan, apply: bool, command: &str) -> Result<Vec<BackupId>, Problem> {
    show(boot, plan)?;
    if !plan.refusals.is_empty() {
        let mut problem = Problem::new(Kind::Failed, "retention-refused", "something stands against it; nothing went");
        problem.causes.clone_from(&plan.refusals);
        return Err(problem.hint("look at it, and say that it is right: `--accept-smaller`"));
    }
    let going: Vec<BackupId> = plan.going().into_iter().cloned().collect();
    if going.is_empty() || (apply && !boot.settings.dry_run) {
        return Ok(going);
    }
    boot.ui.talk(&format!("nothing went; `mainstay {command} --apply` does it"));
    Ok(Vec::new())
}

fn show(boot: &Boot, plan: &RetentionPlan) -> Result<(), Problem> {
    if boot.ui.json {
        return boot.ui.json_document(plan);
    }
    let mut table = Table::new(&["BACKUP", "", "WHY"]);
    for fate in &plan.fates {
        let (tone, word) = if fate.kept { (Tone::Good, "stays") } else { (Tone::Warn, "goes") };
        table.row(vec![fate.id.as_str().into(), Cell::new(tone, word), fate.why.as_str().into()]);
    }
    if plan.fates.is_empty() {
        boot.ui.talk("there is no backup");
        return Ok(());
    }
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))
}
