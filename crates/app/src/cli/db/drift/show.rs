//! Differences as people and programs see them.

use mainstay_model::postgres::migration::{Standing, Status};
use mainstay_model::postgres::schema::{Difference, Grade, Severity};
use serde::Serialize;

use super::replayed::Replayed;
use crate::boot::Boot;
use crate::cli::db::which::Chosen;
use crate::problem::Problem;
use crate::ui::show::count;
use crate::ui::{Cell, Table, Tone};

const APPLY: &str = "mainstay db migrate apply";

/// As `--json` gives it.
#[derive(Serialize)]
pub struct Told<'a> {
    database: String,
    host: String,
    role: &'a str,
    schemas: Vec<&'a str>,
    files: usize,
    /// Equal when the schemas have the same shape; what is ignored does not count.
    fingerprint: Fingerprints,
    differences: Vec<ToldDifference<'a>>,
}

#[derive(Serialize)]
struct Fingerprints {
    wanted: String,
    live: String,
}

#[derive(Serialize)]
struct ToldDifference<'a> {
    object: String,
    #[serde(flatten)]
    difference: &'a Difference,
    /// What the ledger says of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<&'static str>,
    /// What brings it.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'static str>,
}

pub fn told<'a>(chosen: &Chosen, replayed: &'a Replayed, status: &Status, differences: &'a [Difference]) -> Told<'a> {
    let name = chosen.server.name();
    let Replayed { sides, judged, set } = replayed;
    Told {
        database: name.database,
        host: format!("{}:{}", name.host, name.port),
        role: &sides.role,
        schemas: judged.schemas.iter().map(String::as_str).collect(),
        files: set.files.len(),
        fingerprint: Fingerprints {
            wanted: sides.replay.wanted().fingerprint(judged),
            live: sides.live.fingerprint(judged),
        },
        differences: differences
            .iter()
            .map(|difference| ToldDifference {
                object: difference.key.to_string(),
                difference,
                ledger: ledger_says(status, difference),
                command: command(status, difference),
            })
            .collect(),
    }
}

/// Whether the ledger has the file that brings something.
fn ledger_says(status: &Status, difference: &Difference) -> Option<&'static str> {
    let standing = status.files.get(difference.file.as_ref()?)?;
    Some(if is_pending(standing) { "pending" } else { "applied" })
}

fn command(status: &Status, difference: &Difference) -> Option<&'static str> {
    (ledger_says(status, difference) == Some("pending")).then_some(APPLY)
}

fn is_pending(standing: &Standing) -> bool {
    matches!(standing, Standing::Pending | Standing::OutOfOrder { .. })
}

pub fn show(
    boot: &Boot,
    chosen: &Chosen,
    replayed: &Replayed,
    status: &Status,
    differences: &[Difference],
) -> Result<(), Problem> {
    let name = chosen.server.name();
    let schemas: Vec<&str> = replayed.judged.schemas.iter().map(String::as_str).collect();
    boot.ui.talk(&format!(
        "database `{}` at {}:{} as `{}`, schema {}",
        name.database,
        name.host,
        name.port,
        replayed.sides.role,
        schemas.join(", ")
    ));
    if differences.is_empty() {
        boot.ui.talk(&format!("the schema is as {} it", makes(replayed.set.files.len())));
        return Ok(());
    }
    let mut table = Table::new(&["", "OBJECT", "IS", "FILE", "LEDGER", "WHAT"]);
    table.yields(&[], &["WHAT", "FILE", "OBJECT"]);
    for one in differences {
        let tone = match one.severity {
            Severity::Critical | Severity::NotReady => Tone::Bad,
            Severity::Warning => Tone::Warn,
            Severity::Note => Tone::Plain,
        };
        table.row(vec![
            Cell::new(tone, one.severity.word()),
            one.key.to_string().into(),
            one.grade.word().into(),
            one.file.clone().unwrap_or_default().into(),
            ledger_says(status, one).unwrap_or_default().into(),
            one.detail().into(),
        ]);
    }
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))?;
    advise(boot, status, differences);
    Ok(())
}

fn makes(files: usize) -> String {
    match files {
        1 => "1 file makes".to_owned(),
        files => format!("{files} files make"),
    }
}

fn advise(boot: &Boot, status: &Status, differences: &[Difference]) {
    boot.ui.talk(&tally(differences));
    let pending = differences.iter().filter(|one| command(status, one).is_some()).count();
    if pending > 0 {
        boot.ui.talk(&format!(
            "{} of pending files: `{APPLY}` brings {}",
            count(pending, "object"),
            if pending == 1 { "it" } else { "them" }
        ));
    }
    let is_lie = |one: &&Difference| {
        matches!(one.grade, Grade::Missing | Grade::Different) && ledger_says(status, one) == Some("applied")
    };
    let lies = differences.iter().filter(is_lie).count();
    if lies > 0 {
        boot.ui.talk(&format!(
            "{} of files that the ledger has as applied: write a new migration that brings {}",
            count(lies, "object"),
            if lies == 1 { "it" } else { "them" }
        ));
    }
    let extra = differences.iter().filter(|one| one.grade == Grade::Extra).count();
    if extra > 0 {
        boot.ui.talk(&format!(
            "{} that no file makes: write a migration and adopt it, or pass over {}: `drift: {{ ignore: [PATTERN] }}`",
            count(extra, "object"),
            if extra == 1 { "it" } else { "them" }
        ));
    }
}

/// `3 differences: 1 critical, 2 notes`.
pub fn tally(differences: &[Difference]) -> String {
    let of = |severity| differences.iter().filter(|one| one.severity == severity).count();
    let parts: Vec<String> = [
        (Severity::Critical, "critical"),
        (Severity::NotReady, "not ready"),
        (Severity::Warning, "warning"),
        (Severity::Note, "note"),
    ]
    .into_iter()
    .filter_map(|(severity, word)| match of(severity) {
        0 => None,
        number => Some(format!("{number} {word}")),
    })
    .collect();
    format!("{}: {}", count(differences.len(), "difference"), parts.join(", "))
}
