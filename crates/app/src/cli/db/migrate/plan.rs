//! `mainstay db migrate plan`

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use mainstay_engine::pg::Patience;
use mainstay_model::postgres::migration::{Finding, MigrationPlan, Mode, Severity, Step, findings};
use serde::Serialize;

use super::super::travel::Typed;
use super::super::which::Which;
use super::apply::counts_as_production;
use super::rehearse::last;
use super::{Scene, must_be_possible};
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};
use crate::ui::show::count;

/// Show which files would be applied, what is doubtful in them, and what stands in the way. Changes nothing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay db migrate plan\n  mainstay db migrate plan --out-of-order 0007_late.sql\n  mainstay db migrate plan --json | jq -r .digest\n\nThe digest changes with the database, the files and their order; `apply --confirm DIGEST` does that and\nnothing else."
)]
pub struct PlanArgs {
    #[command(flatten)]
    which: Which,
    /// Let this file be applied although later ones were
    #[arg(long, value_name = "FILE")]
    out_of_order: Vec<String>,
}

/// As `--json` gives it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    plan: &'a MigrationPlan,
    findings: Vec<Finding>,
}

impl PlanArgs {
    pub fn typed(&self) -> Typed<'_> {
        Typed { only_looks: true, ..self.which.typed() }
    }
}

pub async fn run(boot: &Boot, args: PlanArgs) -> Outcome {
    let scene = Scene::of(boot, &args.which).await?;
    let allowed: BTreeSet<String> = args.out_of_order.into_iter().collect();
    let plan = scene.migrator(boot, Patience::default()).plan(&scene.set, &allowed).await?;
    if boot.ui.json {
        boot.ui.json_document(&Told { plan: &plan, findings: doubts(&scene, &plan) })?;
    } else {
        boot.ui.talk(&scene.shown());
        show(boot, &scene, &plan)?;
        if counts_as_production(boot) && plan.refusals.is_empty() {
            last::tell(boot, &scene, &plan).await;
        }
    }
    must_be_possible(&plan)?;
    Ok(ExitCode::SUCCESS)
}

/// The steps, and what is doubtful in them.
pub(super) fn show(boot: &Boot, scene: &Scene, plan: &MigrationPlan) -> Result<(), Problem> {
    if plan.steps.is_empty() && plan.refusals.is_empty() {
        boot.ui.talk("the database is up to date: nothing is pending");
        return Ok(());
    }
    let lines: Vec<String> = plan.steps.iter().enumerate().map(|(index, step)| line(index + 1, step)).collect();
    if !lines.is_empty() {
        boot.ui.data(&lines.join("\n"))?;
    }
    for finding in doubts(scene, plan).iter().filter(|finding| finding.severity > Severity::Note) {
        let Finding { file, place, message, rule, .. } = finding;
        boot.ui.warn(&format!("{file}:{place}: {message} ({rule})"));
    }
    if plan.refusals.is_empty() {
        boot.ui.talk(&format!("{} to apply; digest {}", count(plan.steps.len(), "file"), plan.short_digest()));
    }
    Ok(())
}

fn line(number: usize, step: &Step) -> String {
    let statements = count(step.statements, "statement");
    let how = match (step.mode, step.done) {
        (Mode::Transaction, _) => "in one transaction with its row".to_owned(),
        (Mode::NoTransaction, 0) => "each by itself, without a transaction".to_owned(),
        (Mode::NoTransaction, done) => format!("each by itself; {done} ran already"),
    };
    format!("{number:>3}  {}  {statements}, {how}", step.file)
}

fn doubts(scene: &Scene, plan: &MigrationPlan) -> Vec<Finding> {
    plan.steps.iter().filter_map(|step| scene.set.files.get(&step.file)).flat_map(findings).collect()
}
