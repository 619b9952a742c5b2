//! One complaint about a stack's files, as data: for editors, for CI, for whoever reads `--json`.

use mainstay_model::compose::{Diagnostic, Diagnostics, Severity, Sources};
use serde::{Deserialize, Serialize};

/// Where it is, what is wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// `error` or `warning`.
    pub severity: String,
    /// A stable word for the kind of complaint, such as `unknown-key`.
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
    /// The place; line and column count from 1. Nothing where no file says it, such as a flag.
    pub file: Option<String>,
    pub line: Option<u32>,
    pub column: Option<u32>,
}

/// Every complaint, in the order in which they are shown to people.
pub fn all(diagnostics: &Diagnostics) -> Vec<Complaint> {
    diagnostics.list.iter().map(|one| complaint(one, &diagnostics.sources)).collect()
}

fn complaint(one: &Diagnostic, sources: &Sources) -> Complaint {
    let severity = match one.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = Some(one.span).filter(|span| span.is_written());
    Complaint {
        severity: severity.to_owned(),
        code: one.code.to_owned(),
        message: one.message.clone(),
        hint: one.hint.clone(),
        file: place.map(|span| sources.path(span.file).to_owned()),
        line: place.map(|span| span.line),
        column: place.map(|span| span.column),
    }
}
