//! `mainstay db migrate apply`

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mainstay_engine::pg::backup::Alone;
use mainstay_engine::pg::{MigrationEvent, Patience};
use mainstay_model::postgres::backup::Reason;
use mainstay_model::postgres::migration::{MigrationPlan, is_production};

use super::super::found::Found;
use super::super::recording::Recording;
use super::super::travel::Typed;
use super::super::which::Which;
use super::super::{backup, shelf};
use super::super::{is_confirmed, is_no_production};
use super::{Scene, duration, must_be_possible, plan};
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::Ui;
use crate::ui::show::count;
use crate::ui::since::took;

/// Apply what is pending, in order, each file in one transaction with its row in the ledger.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay db migrate apply --env dev\n  mainstay db migrate plan && mainstay db migrate apply --confirm 3f9a1c07b2de\n  CONFIRM_PROD=1 mainstay db migrate apply\n  mainstay db migrate apply --dry-run\n\nWithout `--env`, or with `--env prod`, it is production: CONFIRM_PROD=1 or `--confirm` with the digest that\n`plan` showed. ALLOW_NON_PROD=1 says that it is not. A\nproduction whose database declares `backup` is backed up just before. Several runners may start at once: one applies, the\nothers wait. Ctrl-C cancels the statement that runs; files before it stay applied."
)]
pub struct Apply {
    #[command(flatten)]
    which: Which,
    /// The digest that `plan` showed: exactly that is applied, or nothing
    #[arg(long, value_name = "DIGEST")]
    confirm: Option<String>,
    /// Let this file be applied although later ones were
    #[arg(long, value_name = "FILE")]
    out_of_order: Vec<String>,
    /// How long to wait for another run
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    wait: Duration,
    /// How long a statement may wait for a lock before its file is tried again
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    lock_timeout: Duration,
    /// How often a file is tried that cannot have a lock
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    tries: u32,
    /// Drop an invalid index that a file makes, left by an attempt that was broken off, before the file runs
    #[arg(long)]
    rebuild_invalid: bool,
    /// In production, make no backup before, although the database declares `backup`
    #[arg(long)]
    no_backup: bool,
}

impl Apply {
    pub fn typed(&self) -> Typed<'_> {
        self.which.typed()
    }
}

pub async fn run(boot: &Boot, args: Apply) -> Outcome {
    let scene = Scene::of(boot, &args.which).await?;
    let patience = Patience { runner: args.wait, lock: args.lock_timeout, tries: args.tries.max(1) };
    let migrator = scene.migrator(boot, patience).rebuilding_invalid(args.rebuild_invalid);
    let allowed: BTreeSet<String> = args.out_of_order.into_iter().collect();
    let plan = migrator.plan(&scene.set, &allowed).await?;
    boot.ui.talk(&scene.shown());
    must_be_possible(&plan)?;
    if let Some(typed) = args.confirm.as_deref().filter(|typed| !plan.is_confirmed_by(typed)) {
        return Err(other_plan(&plan, typed));
    }
    plan::show(boot, &scene, &plan)?;
    if plan.steps.is_empty() || boot.settings.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    consent(boot, &plan, args.confirm.is_some())?;
    let interrupt = Interrupt::listen(&boot.ui);
    let mut scene = scene;
    if counts_as_production(boot) && !args.no_backup {
        back_up_first(boot, &mut scene, args.wait, &interrupt).await?;
    }
    let files = plan.steps.iter().map(|step| step.file.clone()).collect();
    let recording = Recording::new(boot, &scene.chosen, "apply", files);
    recording.begins().await;
    let mut done = Vec::new();
    let hear = |event: MigrationEvent| {
        if let MigrationEvent::Done { file, .. } = &event {
            done.push(file.clone());
        }
        tell(&boot.ui, &event);
    };
    let ended = migrator.apply(&scene.set, &plan, interrupt.token(), hear).await;
    recording.ends(&done, ended.as_ref().err()).await;
    let applied = ended?;
    boot.ui.talk(&match plan.steps.len() - applied {
        0 => format!("applied {}", count(applied, "migration")),
        by_others => format!("applied {}; {by_others} by another run", count(applied, "migration")),
    });
    Ok(ExitCode::SUCCESS)
}

/// In production somebody has to have said so.
fn consent(boot: &Boot, plan: &MigrationPlan, confirmed: bool) -> Result<(), Problem> {
    if confirmed || !counts_as_production(boot) || is_confirmed(boot) {
        return Ok(());
    }
    let env = boot.global.env.as_deref();
    let what = env.map_or("no `--env` was given, so this counts as production".to_owned(), |env| {
        format!("`--env {env}` counts as production")
    });
    Err(Problem::new(Kind::Consent, "confirm-prod", format!("{what}; nothing was applied"))
        .hint(format!("to apply exactly this: `--confirm {}`", plan.short_digest()))
        .hint("or `CONFIRM_PROD=1`; where it is none: `ALLOW_NON_PROD=1`, or `--env dev`"))
}

/// What has no way back but a backup.
pub(super) fn counts_as_production(boot: &Boot) -> bool {
    is_production(boot.global.env.as_deref(), is_no_production(boot))
}

/// The way back, where the database declares how it is backed up. Without it nothing is applied.
async fn back_up_first(
    boot: &Boot,
    scene: &mut Scene,
    patience: Duration,
    interrupt: &Interrupt,
) -> Result<(), Problem> {
    let entry = scene.chosen.found.declared.as_ref();
    if entry.is_none_or(|entry| entry.database.backup.is_none()) {
        return Ok(());
    }
    let found = std::mem::replace(&mut scene.chosen.found, Found { declared: None });
    let shelf = shelf::shelf(boot, found, None)?;
    backup::make(boot, &shelf, Reason::Before("migration".into()), Alone::Yes { patience }, interrupt).await.map_err(
        |mut problem| {
            problem.message = format!("no backup before the migration, so nothing was applied: {}", problem.message);
            problem.hint("when there is another way back: `--no-backup`")
        },
    )?;
    scene.chosen.found = shelf.found;
    Ok(())
}

fn other_plan(plan: &MigrationPlan, typed: &str) -> Problem {
    let message =
        format!("what is pending now has the digest {}, not {typed}; nothing was applied", plan.short_digest());
    Problem::new(Kind::Consent, "other-plan", message)
        .hint("the database or the files have changed: look at `mainstay db migrate plan` again")
}

fn tell(ui: &Ui, event: &MigrationEvent) {
    match event {
        MigrationEvent::Waiting { holder } => ui.talk(&format!("waiting for another run: {holder}")),
        MigrationEvent::Began { .. } => {}
        MigrationEvent::Statement { file, number, of } => {
            ui.talk(&format!("  {file}: statement {} of {of}", number + 1))
        }
        MigrationEvent::Retried { file, why, again_in } => {
            ui.warn(&format!("{file}: {why}; tried again in {:.0} s", again_in.as_secs_f64()));
        }
        MigrationEvent::DroppedInvalid { file, index } => {
            ui.talk(&format!("  {file}: dropped the invalid index {index}"))
        }
        MigrationEvent::Done { file, took_ms } => ui.talk(&format!("✔ {file}  {}", took(*took_ms))),
        MigrationEvent::ByAnother { file } => ui.talk(&format!("– {file}  was applied by another run meanwhile")),
    }
}
