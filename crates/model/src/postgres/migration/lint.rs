//! What a file does that is better done otherwise, by Squawk's rules, with a severity of ours.

use serde::Serialize;
use squawk_linter::{Linter, Rule};

use super::file::{MigrationFile, Mode};
use super::place::Place;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A matter of style.
    Note,
    /// Locks a table for as long as it takes, or breaks code that runs.
    Warning,
    /// Data goes.
    Danger,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub file: String,
    pub place: Place,
    /// The rule's name at Squawk, as its documentation has it.
    pub rule: String,
    pub severity: Severity,
    pub message: String,
    pub help: Option<String>,
}

/// Rules that ask for what Mainstay does by itself, or that its own reading finds already.
const DONE_OTHERWISE: &[Rule] = &[
    Rule::RequireLockTimeout,
    Rule::RequireStatementTimeout,
    Rule::TransactionNesting,
    Rule::BanConcurrentIndexCreationInTransaction,
    Rule::BanUncommittedTransaction,
    Rule::PreferRobustStmts,
];

const DANGERS: &[Rule] = &[
    Rule::BanDropDatabase,
    Rule::BanDropTable,
    Rule::BanDropColumn,
    Rule::BanDropSchema,
    Rule::BanTruncateCascade,
    Rule::BanDropType,
];

const NOTES: &[Rule] = &[
    Rule::PreferBigintOverInt,
    Rule::PreferBigintOverSmallint,
    Rule::PreferIdentity,
    Rule::PreferTextField,
    Rule::PreferTimestampTz,
    Rule::PreferRepack,
    Rule::BanCharField,
    Rule::RequireEnumValueOrdering,
    Rule::IdentifierTooLong,
    Rule::UnusedIgnore,
];

/// What Squawk finds in a file. `squawk-ignore` comments count.
pub fn findings(file: &MigrationFile) -> Vec<Finding> {
    let mut linter = Linter::with_rules(&[], DONE_OTHERWISE);
    linter.settings.assume_in_transaction = file.mode == Mode::Transaction;
    let violations = linter.lint(file.parse(), &file.text);
    let mut findings: Vec<Finding> = violations
        .into_iter()
        .map(|violation| Finding {
            file: file.name.clone(),
            place: Place::of_byte(&file.text, usize::from(violation.text_range.start())),
            rule: violation.code.to_string(),
            severity: severity(violation.code),
            message: violation.message.trim_end_matches('.').to_owned(),
            help: violation.help,
        })
        .collect();
    findings.sort_by_key(|finding| (finding.place, finding.rule.clone()));
    findings
}

fn severity(rule: Rule) -> Severity {
    if DANGERS.contains(&rule) {
        Severity::Danger
    } else if NOTES.contains(&rule) {
        Severity::Note
    } else {
        Severity::Warning
    }
}
