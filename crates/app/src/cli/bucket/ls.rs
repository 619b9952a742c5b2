//! `mainstay bucket ls`

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use mainstay_engine::timetable::{Clock, Seen, clocks};
use mainstay_model::postgres::backup::retention::Standing;
use serde::Serialize;

use super::which::{Chosen, choose};
use crate::boot::Boot;
use crate::cli::db::status::{ToldTrouble, judge};
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::meter::size;
use crate::ui::since::ago;
use crate::ui::{Cell, Table, Tone};

/// List the declared buckets: how much is in them, and when they were last backed up and read back.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay bucket ls\n  mainstay bucket ls --check                      ends with 6 when something is wrong with backups\n  mainstay bucket ls --json | jq '.[] | select(.last_proof == null).name'"
)]
pub struct Ls {
    /// End with 6 when backups are missing, late, failed, or not proven when they should be
    #[arg(long)]
    check: bool,
}

#[derive(Serialize)]
struct Row {
    name: String,
    bucket: String,
    /// Nothing where it could not be asked.
    objects: Option<usize>,
    bytes: Option<u64>,
    backed_up: bool,
    last_backup: Option<String>,
    last_proof: Option<String>,
    /// What the last drill said of the newest backup.
    standing: Option<Standing>,
    next_backup: Option<String>,
    next_drill: Option<String>,
    /// What is wrong with its backups, until it is mended.
    troubles: Vec<ToldTrouble>,
    /// Why something is not known.
    unknown: Vec<String>,
}

pub async fn run(boot: &Boot, args: Ls) -> Outcome {
    boot.refuse_dry_run("bucket ls")?;
    let mut rows = Vec::new();
    for one in choose(boot, &[]).await? {
        rows.push(row(boot, &one).await);
    }
    if boot.ui.json {
        boot.ui.json_document(&rows)?;
    } else {
        show(boot, &rows)?;
    }
    let troubled = rows.iter().filter(|row| !row.troubles.is_empty());
    let causes: Vec<String> =
        troubled.flat_map(|row| row.troubles.iter().map(|one| format!("{}: {}", row.name, one.says()))).collect();
    if !args.check || causes.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let mut problem = Problem::new(Kind::Drift, "backups", "backups of buckets are not as they should be");
    problem.causes = causes;
    Err(problem.hint("`mainstay bucket backup` makes one now, `mainstay history` shows what failed"))
}

fn show(boot: &Boot, rows: &[Row]) -> Result<(), Problem> {
    let now = Timestamp::now();
    let mut table = Table::new(&["NAME", "BUCKET", "OBJECTS", "SIZE", "LAST BACKUP", "PROVEN"]);
    for row in rows {
        let known = |text: Option<String>| text.unwrap_or_else(|| "?".into());
        let backup = match (&row.last_backup, row.backed_up) {
            (Some(at), _) => Cell::new(Tone::Good, format!("{} ago", ago(at, now))),
            (None, true) => Cell::new(Tone::Bad, "none"),
            (None, false) => Cell::new(Tone::Warn, "not declared"),
        };
        let proven = match (&row.last_proof, row.standing) {
            (_, Some(Standing::Failed)) => Cell::new(Tone::Bad, "failed"),
            (Some(at), _) => Cell::new(Tone::Good, format!("{} ago", ago(at, now))),
            (None, _) => Cell::new(Tone::Warn, "not yet"),
        };
        table.row(vec![
            row.name.as_str().into(),
            row.bucket.as_str().into(),
            known(row.objects.map(|objects| objects.to_string())).into(),
            known(row.bytes.map(size)).into(),
            backup,
            proven,
        ]);
    }
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))?;
    for row in rows {
        for trouble in &row.troubles {
            boot.ui.warn(&format!("{}: backups: {}", row.name, trouble.says()));
        }
        for words in &row.unknown {
            boot.ui.warn(&format!("{}: {words}", row.name));
        }
    }
    Ok(())
}

async fn row(boot: &Boot, one: &Chosen) -> Row {
    let mut row = Row {
        name: one.name.clone(),
        bucket: one.wish.bucket.clone(),
        objects: None,
        bytes: None,
        backed_up: one.wish.backup.is_some(),
        last_backup: None,
        last_proof: None,
        standing: None,
        next_backup: None,
        next_drill: None,
        troubles: Vec::new(),
        unknown: Vec::new(),
    };
    if let Err(problem) = look(boot, one, &mut row).await {
        row.unknown.push(problem.message.clone());
    }
    if row.backed_up
        && let Err(problem) = shelf(boot, one, &mut row).await
    {
        row.unknown.push(problem.message.clone());
    }
    row
}

async fn look(boot: &Boot, one: &Chosen, row: &mut Row) -> Result<(), Problem> {
    if !one.server(boot).await?.is_there().await? {
        row.unknown.push(format!("`{}` is not there: `mainstay bucket make` makes it", one.wish.bucket));
        return Ok(());
    }
    let bucket = one.objects(boot).await?;
    let objects = bucket.objects().await.map_err(mainstay_engine::bucket::BucketError::from)?;
    row.objects = Some(objects.len());
    row.bytes = Some(objects.iter().map(|object| object.bytes).sum());
    Ok(())
}

async fn shelf(boot: &Boot, one: &Chosen, row: &mut Row) -> Result<(), Problem> {
    let (backup_clock, drill_clock) = clocks(one.wish.backup.as_ref());
    let next = |clock: Option<Clock>| clock?.next(Timestamp::now()).map(|at| at.to_string());
    (row.next_backup, row.next_drill) = (next(backup_clock), next(drill_clock));
    let listing = one.cabinet(boot)?.list().await?;
    let mut memory = one.memory(boot);
    memory.learn(Seen::from(&listing));
    judge(one.wish.backup.as_ref(), &mut memory);
    row.troubles = memory.troubles.iter().map(ToldTrouble::from).collect();
    row.unknown.extend(listing.unusable.iter().map(|(id, why)| format!("{id}: {why}")));
    if let Some(newest) = listing.backups.first() {
        row.last_backup = Some(newest.manifest.ended_at.clone());
        row.standing = Some(newest.standing());
    }
    let proofs = listing.backups.iter().flat_map(|one| &one.proofs).filter(|proof| proof.is_proven());
    row.last_proof = proofs.map(|proof| proof.ended_at.clone()).max();
    Ok(())
}
