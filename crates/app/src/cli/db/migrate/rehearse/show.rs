//! What a rehearsal saw, for people and for programs.

use std::collections::BTreeSet;

use jiff::Timestamp;
use mainstay_engine::pg::{Outcome, PgError};
use mainstay_model::postgres::backup::Manifest;
use mainstay_model::postgres::rehearsal::{Blocks, Fate, Held, Rehearsed, lasting, shown_rows};
use serde::Serialize;

use crate::boot::Boot;
use crate::problem::Problem;
use crate::ui::show::count;
use crate::ui::since::time;

/// So many locks that nobody waits for are shown; `--json` has all.
const SHOWN: usize = 5;

/// As `--json` gives it.
#[derive(Serialize)]
struct Told<'o> {
    ok: bool,
    /// None where nothing is pending.
    backup: Option<&'o str>,
    snapshot_at: Option<&'o str>,
    /// How old the backup is.
    age_s: Option<i64>,
    restore_ms: u64,
    /// Applied in the database since the backup, so they ran first.
    since: Vec<&'o str>,
    pending: Vec<&'o str>,
    /// What ran; last, as far as it came, the file that failed.
    files: Vec<ToldFile<'o>>,
    failure: Option<Failure<'o>>,
}

#[derive(Serialize)]
struct ToldFile<'o> {
    #[serde(flatten)]
    file: &'o Rehearsed,
    /// Whether it is applied in the database already.
    applied: bool,
    failed: bool,
    /// What an operator wants to read.
    blocking: Vec<String>,
}

#[derive(Serialize)]
struct Failure<'o> {
    file: &'o str,
    line: Option<u32>,
    column: Option<u32>,
    sqlstate: Option<&'o str>,
    message: String,
    statement: Option<&'o str>,
}

/// Where nothing is pending.
pub(super) fn nothing(boot: &Boot) -> Result<(), Problem> {
    boot.ui.json_document(&Told {
        ok: true,
        backup: None,
        snapshot_at: None,
        age_s: None,
        restore_ms: 0,
        since: Vec::new(),
        pending: Vec::new(),
        files: Vec::new(),
        failure: None,
    })
}

pub(super) fn show(
    boot: &Boot,
    manifest: &Manifest,
    outcome: &Outcome,
    pending: &BTreeSet<String>,
) -> Result<(), Problem> {
    let ran = |file: &&str| !pending.contains(*file);
    let since: Vec<&str> = outcome.plan.steps.iter().map(|step| step.file.as_str()).filter(ran).collect();
    let broken = outcome.broken.iter().map(|file| (file, true));
    let all = outcome.files.iter().map(|file| (file, false)).chain(broken);
    if boot.ui.json {
        return boot.ui.json_document(&Told {
            ok: outcome.failure.is_none(),
            backup: Some(manifest.id.as_str()),
            snapshot_at: Some(&manifest.snapshot_at),
            age_s: age(manifest),
            restore_ms: u64::try_from(outcome.restored_in.as_millis()).unwrap_or(u64::MAX),
            since,
            pending: pending.iter().map(String::as_str).collect(),
            files: all.map(|(file, failed)| told_file(file, pending, failed)).collect(),
            failure: outcome.failure.as_ref().map(failure),
        });
    }
    let came = match since.as_slice() {
        [] => "no migration came since it".to_owned(),
        [one] => format!("1 migration came since it and ran first: {one}"),
        [first, .., last] => format!("{} migrations came since it and ran first: {first} to {last}", since.len()),
    };
    boot.ui.talk(&came);
    let lines = all.flat_map(|(file, failed)| lines(file, pending, failed));
    boot.ui.data(&lines.collect::<Vec<_>>().join("\n"))?;
    let coming = outcome.files.iter().filter(|file| pending.contains(&file.file));
    for (file, held) in coming.flat_map(|file| file.locks.iter().map(move |held| (file, held))) {
        if let Some(sentence) = held.sentence().filter(|_| held.is_felt()) {
            boot.ui.warn(&format!("{}:{}: {sentence}", file.file, held.line));
        }
    }
    Ok(())
}

fn age(manifest: &Manifest) -> Option<i64> {
    time(&manifest.snapshot_at).map(|at| Timestamp::now().as_second() - at.as_second())
}

fn told_file<'o>(file: &'o Rehearsed, pending: &BTreeSet<String>, failed: bool) -> ToldFile<'o> {
    let blocking = file.locks.iter().filter_map(Held::sentence).collect();
    ToldFile { file, applied: !pending.contains(&file.file), failed, blocking }
}

fn failure(error: &PgError) -> Failure<'_> {
    let PgError::Statement(failed) = error else {
        let message = error.to_string();
        return Failure { file: "", line: None, column: None, sqlstate: None, message, statement: None };
    };
    Failure {
        file: &failed.file,
        line: Some(failed.place.line),
        column: Some(failed.place.column),
        sqlstate: Some(&failed.sqlstate),
        message: failed.message.clone(),
        statement: Some(&failed.statement),
    }
}

/// The file, and below it what it locked.
fn lines(file: &Rehearsed, pending: &BTreeSet<String>, failed: bool) -> Vec<String> {
    let Rehearsed { file: name, statements, took_ms, .. } = file;
    let (ran, lasted) = (count(*statements, "statement"), lasting(*took_ms));
    let mut lines = vec![match (failed, pending.contains(name)) {
        (true, _) => format!("✘ {name}  failed after {lasted}; {ran} ran before"),
        (false, true) => format!("✔ {name}  {lasted}, {ran}"),
        (false, false) => format!("✔ {name}  {lasted}, {ran}; applied in the database already"),
    }];
    let (told, weak): (Vec<&Held>, Vec<&Held>) = file.locks.iter().partition(|held| held.blocks > Blocks::Nothing);
    let shown: Vec<&&Held> = told.iter().chain(weak.iter().take(SHOWN)).collect();
    let width =
        |text: &dyn Fn(&Held) -> String| shown.iter().map(|held| text(held).chars().count()).max().unwrap_or_default();
    let (modes, names) = (width(&|held| held.mode.to_string()), width(&|held| held.relation.clone()));
    let rows = |held: &Held| held.rows.map(shown_rows).unwrap_or_default();
    let counts = width(&rows);
    lines.extend(shown.iter().map(|held| {
        let Held { mode, relation, held_ms, line, fate, .. } = held;
        let fate = match fate {
            Fate::Stays => "",
            Fate::Rewritten => "  rewritten",
            Fate::Dropped => "  dropped",
        };
        let (mode, rows, lasted) = (mode.to_string(), rows(held), lasting(*held_ms));
        format!("    {mode:<modes$}  {relation:<names$}  {rows:>counts$}  {lasted}, from line {line}{fate}")
    }));
    if weak.len() > SHOWN {
        lines.push(format!("    and {} that nobody waits for (`--json` has all)", weak.len() - SHOWN));
    }
    match file.unseen.as_slice() {
        [] => {}
        [line] => {
            lines.push(format!("    the statement at line {line} ends its own transaction: its locks are not seen"));
        }
        [first, ..] => {
            let these = count(file.unseen.len(), "statement");
            lines
                .push(format!("    {these} from line {first} on end their own transactions: their locks are not seen"));
        }
    }
    lines
}
