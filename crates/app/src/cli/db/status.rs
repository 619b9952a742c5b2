//! `mainstay db status`

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use mainstay_engine::timetable::{Clock, Kind as Of, Memory, Seen, clocks};
use mainstay_model::declared::Backup;
use mainstay_model::postgres::backup::standing::Trouble;
use serde::Serialize;

use super::shelf::{Shelf, Shelved};
use super::travel::Typed;
use crate::boot::Boot;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::since::{ago, took};
use crate::ui::{Cell, Table, Tone};

/// Show how a database stands: its last backup, its last proof, how long a restore takes, how much would be lost.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay db status\n  mainstay db status --check                      ends with 6 when something is wrong\n  mainstay db status --json | jq '.troubles'\n\nA backup that is late, failed, or was not proven when it should have been is told until it is mended, here, in\n`mainstay ps` and in `mainstay history`."
)]
pub struct Status {
    #[command(flatten)]
    shelved: Shelved,
    /// End with 6 when something is wrong
    #[arg(long)]
    check: bool,
}

/// As `--json` gives it.
#[derive(Serialize)]
struct Told {
    database: String,
    stack: Option<String>,
    place: String,
    last_backup: Option<ToldLast>,
    last_proof: Option<ToldLast>,
    /// As measured by the last drill that held.
    rto_ms: Option<u64>,
    /// What would be lost now: the time since the last backup.
    rpo_s: Option<i64>,
    next_backup: Option<String>,
    next_drill: Option<String>,
    troubles: Vec<ToldTrouble>,
}

#[derive(Serialize)]
struct ToldLast {
    id: String,
    at: String,
}

/// A trouble as `--json` gives it.
#[derive(Serialize)]
pub struct ToldTrouble {
    #[serde(flatten)]
    trouble: Trouble,
    says: String,
}

impl ToldTrouble {
    pub fn says(&self) -> &str {
        &self.says
    }
}

impl From<&Trouble> for ToldTrouble {
    fn from(trouble: &Trouble) -> ToldTrouble {
        ToldTrouble { trouble: trouble.clone(), says: trouble.to_string() }
    }
}

impl Status {
    pub fn typed(&self) -> Typed<'_> {
        Typed { only_looks: true, ..self.shelved.typed() }
    }
}

pub async fn run(boot: &Boot, args: Status) -> Outcome {
    boot.refuse_dry_run("db status")?;
    let shelf = args.shelved.find(boot).await?;
    let listing = shelf.vault.list().await?;
    let owner = shelf.stack.clone().unwrap_or_default();
    let mut memory = memory_of(boot, &shelf, &owner);
    memory.learn(Seen::from(&listing));
    judge(shelf.backup.as_ref(), &mut memory);
    if boot.ui.json {
        boot.ui.json_document(&told(&shelf, &memory))?;
    } else {
        show(boot, &shelf, &memory)?;
        for one in &listing.unusable {
            boot.ui.warn(&format!("{}: {}", one.id, one.why));
        }
    }
    if args.check && !memory.troubles.is_empty() {
        let mut problem =
            Problem::new(Kind::Drift, "backups", format!("backups of {} are not as they should be", shelf.vault.of()));
        problem.causes = memory.troubles.iter().map(ToString::to_string).collect();
        return Err(problem.hint("`mainstay db backup` makes one now, `mainstay history` shows what failed"));
    }
    Ok(ExitCode::SUCCESS)
}

fn memory_of(boot: &Boot, shelf: &Shelf, owner: &str) -> Memory {
    Memory::read(&boot.settings.state_dir, Of::Database, owner, shelf.env.as_deref(), &shelf.name)
}

/// What a command has done, for `mainstay ps` and a server: they do not ask the store. Of a declared database, at its
/// declared place.
pub async fn remember(boot: &Boot, shelf: &Shelf) {
    let (Some(stack), true) = (&shelf.stack, shelf.is_declared_place) else { return };
    let Ok(listing) = shelf.vault.list().await else { return };
    let mut memory = memory_of(boot, shelf, stack);
    memory.learn(Seen::from(&listing));
    judge(shelf.backup.as_ref(), &mut memory);
    // It can be made of the store again.
    let _ = memory.write(&boot.settings.state_dir);
}

/// Judges by the schedules that are declared.
pub fn judge(backup: Option<&Backup>, memory: &mut Memory) {
    let clocks = clocks(backup);
    memory.judge(clocks.0.as_ref(), clocks.1.as_ref(), Timestamp::now());
}

fn told(shelf: &Shelf, memory: &Memory) -> Told {
    let clocks = clocks(shelf.backup.as_ref());
    let now = Timestamp::now();
    let next = |clock: &Option<Clock>| clock.as_ref()?.next(now).map(|at| at.to_string());
    let last = |last: &mainstay_engine::timetable::Last| ToldLast { id: last.id.clone(), at: at(last.at) };
    Told {
        database: shelf.name.clone(),
        stack: shelf.stack.clone(),
        place: shelf.vault.place().to_owned(),
        last_backup: memory.last_backup.as_ref().map(last),
        last_proof: memory.last_proof.as_ref().map(last),
        rto_ms: memory.restore_ms,
        rpo_s: memory.last_backup.as_ref().map(|last| now.as_second() - last.at),
        next_backup: next(&clocks.0),
        next_drill: next(&clocks.1),
        troubles: memory.troubles.iter().map(ToldTrouble::from).collect(),
    }
}

fn at(seconds: i64) -> String {
    Timestamp::from_second(seconds).map(|at| at.to_string()).unwrap_or_default()
}

fn show(boot: &Boot, shelf: &Shelf, memory: &Memory) -> Result<(), Problem> {
    let told = told(shelf, memory);
    let now = Timestamp::now();
    let mut table = Table::new(&["BACKUPS", ""]);
    let mut row = |name: &str, tone: Tone, value: String| table.row(vec![name.into(), Cell::new(tone, value)]);
    let when = |last: &Option<ToldLast>| last.as_ref().map(|last| format!("{} ago ({})", ago(&last.at, now), last.id));
    row("place", Tone::Plain, told.place.clone());
    match when(&told.last_backup) {
        Some(text) => row("last backup", Tone::Good, text),
        None => row("last backup", Tone::Bad, "none".into()),
    }
    match when(&told.last_proof) {
        Some(text) => row("last proof", Tone::Good, text),
        None => row("last proof", Tone::Warn, "none: nothing was restored yet".into()),
    }
    row("back within (RTO)", Tone::Plain, told.rto_ms.map_or("not measured yet".into(), took));
    let lost = told.last_backup.as_ref().map(|last| format!("what came in the last {}", ago(&last.at, now)));
    row("would be lost (RPO)", Tone::Plain, lost.unwrap_or("everything".into()));
    row("next backup", Tone::Plain, told.next_backup.unwrap_or("only by hand".into()));
    row("next drill", Tone::Plain, told.next_drill.unwrap_or("only by hand".into()));
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))?;
    for trouble in &memory.troubles {
        boot.ui.warn(&trouble.to_string());
    }
    Ok(())
}
