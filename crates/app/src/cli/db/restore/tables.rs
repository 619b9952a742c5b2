//! Some tables.

use std::process::ExitCode;

use jiff::Timestamp;
use mainstay_engine::pg::backup::{Alone, BackupError, Source};
use mainstay_engine::pg::drill::{Failed, RestoredCopy, Wanted};
use mainstay_engine::pg::restore::{Counted, RestoreError, Tables};
use mainstay_model::postgres::backup::{Reason, compare};
use serde::Serialize;

use super::Task;
use super::plan::{Plan, Step};
use crate::boot::interrupt::Interrupt;
use crate::cli::db::{backup, remember};
use crate::problem::{Outcome, Problem};
use crate::ui::meter::Meter;
use crate::ui::since::ago;

/// As `--json` gives it.
#[derive(Serialize)]
struct Told<'t> {
    backup: &'t str,
    database: &'t str,
    taken_before: Option<String>,
    tables: &'t [Counted],
}

pub(super) async fn run(task: &Task<'_>) -> Outcome {
    let Task { boot, shelf, manifest, .. } = *task;
    let docker = boot.docker().await?;
    let reached = shelf.found.reach(boot).await?;
    let image = shelf.found.declared.as_ref().and_then(|entry| entry.database.image.clone());
    let source = Source::open(&docker, reached, image.as_deref(), shelf.vault.of()).await?;
    let interrupt = Interrupt::listen(&boot.ui);
    let meter = Meter::new(&boot.ui);
    let wanted = Wanted { docker: &docker, vault: task.vault, manifest, image: None, purpose: "restore" };
    let work = async {
        let copy = RestoredCopy::make(wanted, &mut |doing| meter.set(|| doing.to_owned())).await;
        let copy = copy.map_err(|failed: Failed| Problem::from(RestoreError::from(failed)))?;
        let ended = with(task, &source, &copy, &meter, &interrupt).await;
        copy.remove().await?;
        ended
    };
    let ended = tokio::select! {
        ended = work => ended,
        // One transaction, or none: what was not committed is gone with its session, and the copy with this value.
        () = interrupt.token().cancelled() => Err(Problem::from(BackupError::Interrupted)),
    };
    drop(meter);
    source.give_back().await;
    ended
}

async fn with(task: &Task<'_>, source: &Source, copy: &RestoredCopy, meter: &Meter, interrupt: &Interrupt) -> Outcome {
    let Task { boot, args, shelf, manifest, .. } = *task;
    meter.set(|| "comparing the copy with the manifest".to_owned());
    let differences = compare(&manifest.contents, &copy.contents(&manifest.contents, |_, _| {}).await?);
    if !differences.is_empty() {
        return Err(RestoreError::Different(differences).into());
    }
    let tables = Tables::find(source, copy, &args.tables).await?;
    meter.set(|| "counting rows".to_owned());
    let counted = tables.count().await?;
    let plan = planned(task, source, &counted);
    let age = ago(&manifest.snapshot_at, Timestamp::now());
    boot.ui.talk(&format!("backup {} of {}, {age} old", manifest.id, manifest.of()));
    for one in &counted {
        boot.ui.talk(&line(one));
    }
    if counted.iter().all(|one| !one.is_made && one.come_back + one.go + one.set_back == 0) {
        if boot.ui.json {
            answer(task, source, None, &counted)?;
        }
        boot.ui.talk("nothing to do: the tables are as in the backup");
        return Ok(ExitCode::SUCCESS);
    }
    plan.show(boot)?;
    if boot.settings.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    plan.agree(boot, args).await?;
    let guard = super::alone(boot, args, &source.server, interrupt).await?;
    let mut before = None;
    if !args.no_backup {
        let reason = Reason::Before("restore of tables".into());
        let made = backup::make(boot, shelf, reason, Alone::No, interrupt).await?;
        before = Some(made.id.to_string());
    }
    guard.must_hold().await?;
    tables.restore(&counted, &mut |text| meter.set(|| text)).await?;
    let sentence = format!(
        "{} of `{}` restored from backup {}",
        tables.names().join(", "),
        source.server.name().database,
        manifest.id
    );
    remember::write(boot, shelf, "db restore", &sentence).await;
    if boot.ui.json {
        answer(task, source, before, &counted)?;
    }
    boot.ui.talk(&format!("✔ {sentence}"));
    Ok(ExitCode::SUCCESS)
}

fn answer(task: &Task<'_>, source: &Source, taken_before: Option<String>, tables: &[Counted]) -> Result<(), Problem> {
    let database = source.server.name().database;
    let told = Told { backup: task.manifest.id.as_str(), database: &database, taken_before, tables };
    task.boot.ui.json_document(&told)
}

fn planned<'c>(task: &Task<'_>, source: &Source, counted: &'c [Counted]) -> Plan<&'c [Counted]> {
    let name = source.server.name();
    let mut steps = Vec::new();
    if !task.args.no_backup {
        let what = format!("back up `{}` as it is now to {}", name.database, task.shelf.vault.place());
        steps.push(Step::new(what, "the way back", "live"));
    }
    for one in counted {
        let (what, impact) = if one.is_made {
            (
                format!(
                    "make {} with {} rows, its keys, indexes, triggers, policies and grants",
                    one.table, one.come_back
                ),
                "live",
            )
        } else {
            let what = format!(
                "in {}: bring {} rows back, set {} back, take {} away",
                one.table, one.come_back, one.set_back, one.go
            );
            (what, if one.go + one.set_back > 0 { "destroy" } else { "live" })
        };
        steps.push(Step::new(what, "all tables in one transaction", impact));
    }
    steps.push(Step::new("compare them with the backup, then commit", "done means observed", "live"));
    Plan {
        server: format!("{}:{}", name.host, name.port),
        database: name.database,
        backup: Some(task.manifest.id.to_string()),
        steps,
        counted,
    }
}

fn line(one: &Counted) -> String {
    if one.is_made {
        return format!("  {}: not there; {} rows in the backup", one.table, one.rows_backed_up);
    }
    format!(
        "  {}: {} rows now, {} in the backup; written since: {} that are not in the backup, {} changed; {} are gone",
        one.table, one.rows_now, one.rows_backed_up, one.go, one.set_back, one.come_back
    )
}
