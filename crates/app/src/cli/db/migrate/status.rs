//! `mainstay db migrate status`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::pg::Patience;
use mainstay_model::postgres::migration::{Drift, Standing, Status};
use serde::Serialize;

use super::super::travel::Typed;
use super::super::which::Which;
use super::Scene;
use crate::boot::Boot;
use crate::cli::sent;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::{Cell, Table, Tone};

/// Show which files are applied, pending or changed. Changes nothing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay db migrate status\n  mainstay db migrate status --check            ends with 6 unless everything is applied as it is\n  mainstay db migrate status --json | jq -r '.pending[]'"
)]
pub struct StatusArgs {
    #[command(flatten)]
    which: Which,
    /// End with 6 when a file is pending, or was changed after it was applied
    #[arg(long)]
    check: bool,
}

/// As `--json` gives it.
#[derive(Serialize)]
struct Told<'a> {
    database: String,
    host: String,
    ledger: String,
    latest: Option<&'a str>,
    applied: usize,
    pending: Vec<&'a str>,
    files: Vec<ToldFile<'a>>,
}

#[derive(Serialize)]
struct ToldFile<'a> {
    file: &'a str,
    #[serde(flatten)]
    standing: &'a Standing,
}

impl StatusArgs {
    pub fn typed(&self) -> Typed<'_> {
        Typed { only_looks: true, ..self.which.typed() }
    }
}

pub async fn run(boot: &Boot, args: StatusArgs) -> Outcome {
    boot.refuse_dry_run("db migrate status")?;
    let scene = Scene::of(boot, &args.which).await?;
    let rows = scene.migrator(boot, Patience::default()).rows().await?;
    let status = Status::of(&scene.set, &rows);
    if boot.ui.json {
        boot.ui.json_document(&told(&scene, &status))?;
    } else {
        show(boot, &scene, &status)?;
    }
    let changed = status.named(|standing| matches!(standing, Standing::Changed { .. })).len();
    if args.check && (changed > 0 || !status.pending().is_empty()) {
        let message = format!("{} pending, {changed} changed", status.pending().len());
        return Err(
            Problem::new(Kind::Drift, "migrations-pending", message).hint("`mainstay db migrate plan` shows more")
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn told<'a>(scene: &Scene, status: &'a Status) -> Told<'a> {
    let name = scene.chosen.server.name();
    Told {
        database: name.database,
        host: format!("{}:{}", name.host, name.port),
        ledger: scene.chosen.ledger.to_string(),
        latest: status.latest.as_deref(),
        applied: status.applied(),
        pending: status.pending(),
        files: status.files.iter().map(|(file, standing)| ToldFile { file, standing }).collect(),
    }
}

fn show(boot: &Boot, scene: &Scene, status: &Status) -> Result<(), Problem> {
    boot.ui.talk(&scene.shown());
    if status.files.is_empty() {
        boot.ui.talk(&format!("no migrations in {}", sent::shown(boot, &scene.chosen.dir)));
        return Ok(());
    }
    let mut table = Table::new(&["FILE", "STATE", "APPLIED"]);
    table.yields(&[], &["FILE"]);
    for (file, standing) in &status.files {
        let (tone, state, at) = words(standing);
        table.row(vec![file.as_str().into(), Cell::new(tone, state), at.into()]);
    }
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))?;
    let latest = status.latest.as_ref().map(|name| format!("; latest applied: {name}")).unwrap_or_default();
    boot.ui.talk(&format!("{} applied, {} pending{latest}", status.applied(), status.pending().len()));
    Ok(())
}

fn words(standing: &Standing) -> (Tone, String, String) {
    match standing {
        Standing::Applied { at } => (Tone::Good, "applied".into(), at.clone()),
        Standing::Adopted { at } => (Tone::Good, "applied, no hash".into(), at.clone()),
        Standing::Changed { at, drift } => {
            let drift = match drift {
                Drift::Cosmetic => "changed since: cosmetic",
                Drift::Semantic => "changed since: semantic",
                Drift::Untold => "changed since",
            };
            (Tone::Bad, drift.into(), at.clone())
        }
        Standing::Pending => (Tone::Warn, "pending".into(), String::new()),
        Standing::OutOfOrder { after } => (Tone::Bad, format!("pending, before {after}"), String::new()),
        Standing::Unknown { at } => (Tone::Warn, "applied, no file here".into(), at.clone()),
    }
}
