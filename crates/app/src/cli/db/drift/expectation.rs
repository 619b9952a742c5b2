//! What a service takes along of the schema: written, and asked for.

use std::path::Path;
use std::process::ExitCode;

use mainstay_engine::pg::shortfalls;
use mainstay_engine::standing_pool::schema::{Expectation as Needed, Gravity, Shortfall};
use mainstay_model::postgres::schema::Expectation;
use serde::Serialize;

use super::replayed::Replayed;
use crate::boot::Boot;
use crate::cli::db::which::{Chosen, Which};
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::show::count;
use crate::ui::{Cell, Table, Tone};

pub fn write(boot: &Boot, chosen: &Chosen, replayed: &Replayed, file: &Path, command: &str) -> Outcome {
    let Replayed { sides, judged, .. } = replayed;
    let expectation = Expectation::of(&sides.replay, judged, &chosen.ledger.to_string(), command);
    let text = boot.ui.json_text(&expectation, true)?;
    let path = boot.environment.working_directory.join(file);
    write_whole(&path, &format!("{text}\n")).map_err(|error| {
        Problem::files("not-written", format!("`{}` could not be written", path.display())).caused_by(&error)
    })?;
    let relations = expectation.relations.len();
    boot.ui.talk(&format!(
        "wrote {}: {} of {}",
        file.display(),
        count(relations, "relation"),
        count(expectation.files.len(), "file")
    ));
    Ok(ExitCode::SUCCESS)
}

/// A build that is ended in the middle finds the old one, or the new one.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path).inspect_err(|_| drop(std::fs::remove_file(&beside)))
}

/// As `--json` gives it.
#[derive(Serialize)]
struct Told<'a> {
    ready: bool,
    shortfalls: &'a [Shortfall],
}

pub async fn check(boot: &Boot, which: &Which, file: &Path, must_hold: bool) -> Outcome {
    let path = boot.environment.working_directory.join(file);
    let bad = |message: String| Problem::files("expectation", message);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| bad(format!("`{}` could not be read", path.display())).caused_by(&error))?;
    let expectation = Needed::from_json(&text).map_err(|error| {
        bad(format!("`{}` is not as `--write-expectation` writes it", path.display())).caused_by(&error)
    })?;
    let chosen = which.choose(boot).await?;
    let shortfalls = shortfalls(&chosen.server.to_look_at(), &expectation).await?;
    let ready = shortfalls.iter().all(|one| one.gravity < Gravity::NotReady);
    if boot.ui.json {
        boot.ui.json_document(&Told { ready, shortfalls: &shortfalls })?;
    } else {
        show(boot, &expectation, &shortfalls)?;
    }
    if must_hold && !ready {
        let first = shortfalls.first().map(ToString::to_string).unwrap_or_default();
        return Err(Problem::new(Kind::Drift, "schema-out-of-date", first));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(boot: &Boot, expectation: &Needed, shortfalls: &[Shortfall]) -> Result<(), Problem> {
    if shortfalls.is_empty() {
        boot.ui.talk(&format!("{} are as expected", count(expectation.relations.len(), "relation")));
        return Ok(());
    }
    let mut table = Table::new(&["", "WHAT", "FILE"]);
    table.yields(&[], &["WHAT"]);
    for one in shortfalls {
        let (tone, word) = match one.gravity {
            Gravity::Critical => (Tone::Bad, "critical"),
            Gravity::NotReady => (Tone::Bad, "not ready"),
            Gravity::Warning => (Tone::Warn, "warning"),
        };
        table.row(vec![
            Cell::new(tone, word),
            one.what.as_str().into(),
            one.file.clone().or_else(|| one.hint.clone()).unwrap_or_default().into(),
        ]);
    }
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))?;
    if shortfalls.iter().any(|one| one.file.is_some()) {
        boot.ui.talk(&format!("`{}` brings what files bring, unless the ledger has them", expectation.command));
    }
    Ok(())
}
