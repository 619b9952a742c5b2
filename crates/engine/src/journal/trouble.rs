//! What can be wrong with the journal, in words that say what to do.

use std::path::Path;

use rusqlite::ErrorCode;

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct JournalError {
    pub message: String,
    pub hints: Vec<String>,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl JournalError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        JournalError { message: message.into(), hints: Vec::new(), source: None }
    }

    pub(super) fn of_file(message: impl Into<String>, source: std::io::Error) -> Self {
        JournalError { message: message.into(), hints: Vec::new(), source: Some(Box::new(source)) }
    }

    /// Says what an error of SQLite means for this file.
    pub(super) fn of(path: &Path, source: rusqlite::Error) -> Self {
        let (message, hint) = explain(&path.display().to_string(), source.sqlite_error_code());
        JournalError { message, hints: hint.into_iter().collect(), source: Some(Box::new(source)) }
    }

    /// The same trouble, told to another caller whose write was in the same transaction.
    pub(super) fn again(&self) -> Self {
        let cause = self.source.as_ref().map(|source| Box::from(source.to_string()));
        JournalError { message: self.message.clone(), hints: self.hints.clone(), source: cause }
    }
}

fn explain(file: &str, code: Option<ErrorCode>) -> (String, Option<String>) {
    match code {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => (
            format!("the journal `{file}` is damaged"),
            Some(format!(
                "move it away (`mv {file} {file}.damaged`) and run the command again: your stacks run on, and \
                 `mainstay adopt` takes them up again from their labels; only the history in this file is lost"
            )),
        ),
        Some(ErrorCode::DiskFull) => (
            format!("the disk that holds the journal `{file}` is full"),
            Some("free some space (`df -h`, `docker system df`) and run the command again".into()),
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => (
            format!("the journal `{file}` may not be written to"),
            Some("check the owner and the mode of the file and its folder, or name another state folder".into()),
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            format!("another program holds the journal `{file}`"),
            Some("close the program that has it open (`fuser` tells which) and run the command again".into()),
        ),
        _ => (format!("the journal `{file}` could not be used"), None),
    }
}
