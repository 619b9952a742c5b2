//! What went wrong with a database, as a problem to report.

use mainstay_engine::pg::PgError;

use crate::problem::{Kind, Problem};

/// No more lines of a statement are shown on each side of the one that failed.
const LINES_AROUND: usize = 4;

impl From<PgError> for Problem {
    fn from(error: PgError) -> Self {
        let (kind, code) = match &error {
            PgError::Connect { .. } => (Kind::World, "no-database"),
            PgError::Pooler { .. } => (Kind::World, "pooler"),
            PgError::Locked { .. } => (Kind::World, "locked"),
            PgError::Maintained { .. } => (Kind::World, "busy"),
            PgError::OtherDatabase { .. } => (Kind::Consent, "other-plan"),
            PgError::NotALedger { .. } => (Kind::World, "not-a-ledger"),
            PgError::Statement(_) => (Kind::Failed, "statement"),
            PgError::InvalidIndex { .. } => (Kind::Failed, "invalid-index"),
            PgError::TransactionEnded { .. } => (Kind::Failed, "transaction-ended"),
            PgError::Lost { .. } => (Kind::World, "database-lost"),
            PgError::Interrupted { .. } => (Kind::Interrupted, "interrupted"),
        };
        let mut problem = Problem::new(kind, code, error.to_string());
        problem.causes.extend(error.causes());
        problem.exhibit = exhibit(&error);
        problem.hints.extend(error.hints());
        problem
    }
}

/// The lines of the statement around the place, numbered as in the file.
fn exhibit(error: &PgError) -> Option<String> {
    let PgError::Statement(failed) = error else { return None };
    if failed.statement.is_empty() {
        return None;
    }
    let first = failed.first_line as usize;
    let place = failed.place.line as usize;
    let lines = failed.statement.lines().enumerate().map(|(index, line)| (first + index, line));
    let near = lines.filter(|(number, _)| number.abs_diff(place) <= LINES_AROUND);
    let mut out = String::new();
    for (number, line) in near {
        out += &format!("{number:>5} | {line}\n");
        if number == place {
            let blank: String = line
                .chars()
                .take(failed.place.column as usize - 1)
                .map(|one| if one == '\t' { '\t' } else { ' ' })
                .collect();
            out += &format!("      | {blank}^\n");
        }
    }
    Some(out.trim_end().to_owned())
}
