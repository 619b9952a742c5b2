//! What a service takes along of the schema: written, and asked for.

use std::path::Path;
use std::process::ExitCode;

use mainstay_model::postgres::schema::Expectation;

use super::replayed::Replayed;
use crate::boot::Boot;
use crate::cli::db::which::{Chosen, Which};
use crate::problem::{Outcome, Problem};
use crate::ui::show::count;

const APPLY: &str = "mainstay db migrate apply";

pub fn write(boot: &Boot, chosen: &Chosen, replayed: &Replayed, file: &Path) -> Outcome {
    let Replayed { sides, judged, .. } = replayed;
    let expectation = Expectation::of(&sides.replay, judged, &chosen.ledger.to_string(), APPLY);
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

pub async fn check(_boot: &Boot, _which: &Which, _file: &Path, _check: bool) -> Outcome {
    Ok(ExitCode::SUCCESS)
}
