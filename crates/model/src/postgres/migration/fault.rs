//! What is wrong with a file, found before anything runs.

use std::fmt;

use serde::Serialize;

use super::place::Place;

/// One reason why a file is not applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub file: String,
    pub place: Option<Place>,
    pub kind: FaultKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum FaultKind {
    NotUtf8,
    /// Postgres takes no NUL in a statement.
    Nul,
    /// Nothing but comments.
    Empty,
    /// The file's own BEGIN, COMMIT or the like, which would end the transaction that holds the ledger's row.
    OwnTransaction {
        word: String,
    },
    /// A command of `psql`, which a server does not know.
    PsqlCommand {
        command: String,
    },
    /// Data that `psql` reads from the file.
    CopyFromStdin,
    /// A statement that cannot run in a transaction, in a file that is one.
    NeedsNoTransaction {
        statement: String,
        why: String,
    },
    /// A template of another tool.
    Template,
    /// A file of another tool, whose part that undoes would run too.
    HasDownPart {
        marker: String,
    },
    /// A statement that was not understood, in a file that has to be cut into statements.
    CannotBeSplit,
    /// A name that is used twice but for its case: one file system would keep both, another only one.
    SameName {
        as_file: String,
    },
}

impl Fault {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match &self.kind {
            FaultKind::NotUtf8 => "save the file as UTF-8".into(),
            FaultKind::Nul => "take the NUL out of the file".into(),
            FaultKind::Empty => "delete the file, or write the migration".into(),
            FaultKind::OwnTransaction { .. } => {
                "take it out: every file runs in a transaction with its row in the ledger; \
                 with `-- mainstay: no-transaction` in its first lines each statement runs by itself"
                    .into()
            }
            FaultKind::PsqlCommand { .. } => "write it as SQL; a file cannot include another one".into(),
            FaultKind::CopyFromStdin => "write the rows as INSERT … VALUES".into(),
            FaultKind::NeedsNoTransaction { .. } => {
                "move it to a file of its own that begins with `-- mainstay: no-transaction`".into()
            }
            FaultKind::Template => "fill the template in first: the file has to be SQL as it is".into(),
            FaultKind::HasDownPart { .. } => {
                "keep the part that goes forward, and delete the marker and what undoes it".into()
            }
            FaultKind::CannotBeSplit => "move the statement to a file of its own".into(),
            FaultKind::SameName { .. } => "rename one of the two".into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(place) => write!(f, "{}:{place}: {}", self.file, self.kind),
            None => write!(f, "{}: {}", self.file, self.kind),
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::NotUtf8 => f.write_str("is not UTF-8"),
            FaultKind::Nul => f.write_str("has a NUL in it"),
            FaultKind::Empty => f.write_str("has no statement in it"),
            FaultKind::OwnTransaction { word } => write!(f, "`{word}` would end the migration's own transaction"),
            FaultKind::PsqlCommand { command } => write!(f, "`{command}` is a command of psql, not SQL"),
            FaultKind::CopyFromStdin => f.write_str("COPY … FROM STDIN reads data that only psql would send"),
            FaultKind::NeedsNoTransaction { statement, why } => {
                write!(f, "`{statement}` {why}, which cannot run in a transaction")
            }
            FaultKind::Template => f.write_str("has `{{` in it: a template that was not filled in"),
            FaultKind::HasDownPart { marker } => {
                write!(f, "`{marker}` begins a part that undoes the migration, and the whole file would run")
            }
            FaultKind::CannotBeSplit => {
                f.write_str("this statement is not understood, so the file cannot be cut into statements safely")
            }
            FaultKind::SameName { as_file } => write!(f, "has the name of `{as_file}` but for its case"),
        }
    }
}
