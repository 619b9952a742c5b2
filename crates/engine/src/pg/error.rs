//! What stands between a database and what was wanted of it.

use std::fmt;
use std::time::Duration;

use mainstay_model::postgres::migration::{LedgerName, Place};
use standing_pool::tokio_postgres;
use standing_pool::{Failure, TargetName};

/// Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum PgError {
    #[error("no connection to {}", shown(.target))]
    Connect { target: Box<TargetName>, failure: Box<Failure> },
    /// Sessions behind it are not ours alone: a lock would be held by somebody else's.
    #[error("a pooler in transaction mode answers at {}:{}", .target.host, .target.port)]
    Pooler { target: Box<TargetName> },
    #[error("another migration run holds the lock of `{ledger}` since {}", seconds(.waited))]
    Locked { ledger: LedgerName, waited: Duration, holder: Option<Box<Holder>> },
    /// A backup holds locks that a migration would wait for, with everybody behind it.
    #[error("a backup, a restore or a cleanup of the database of `{ledger}` is under way since {}", seconds(.waited))]
    Maintained { ledger: LedgerName, waited: Duration, holder: Option<Box<Holder>> },
    /// It was restored while a run waited.
    #[error("the database is another one since this waited: {} is pending there as well, and was not in the plan; nothing was applied", .files.join(", "))]
    OtherDatabase { files: Vec<String> },
    #[error("`{ledger}` is no ledger of migrations: {problem}")]
    NotALedger { ledger: LedgerName, problem: String },
    /// A statement of a file. Nothing of the file was kept, unless it runs without a transaction.
    #[error("{}:{}: {}", .0.file, .0.place, .0.message)]
    Statement(Box<StatementError>),
    /// An index that the file makes is there and cannot be used.
    #[error("{file}: the index {index} is invalid: an attempt to build it was broken off, or found rows against it")]
    InvalidIndex { file: String, index: String },
    #[error("{file}: it ended the transaction that it ran in, so what it did is there and its row is not")]
    TransactionEnded { file: String },
    #[error("the database was lost while {doing}")]
    Lost { doing: String, failure: Box<Failure> },
    #[error("interrupted; nothing of {file} was kept")]
    Interrupted { file: String },
}

/// A statement that failed, and where it stands.
#[derive(Clone, Debug)]
pub struct StatementError {
    pub file: String,
    pub place: Place,
    pub message: String,
    pub sqlstate: String,
    /// The server's own detail, hint and context, each when it gave one.
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub context: Option<String>,
    /// The statement's text, in full.
    pub statement: String,
    /// The line of the file on which it begins.
    pub first_line: u32,
    /// How many statements before it are done and stay so; none in a transaction.
    pub done: usize,
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Who holds the lock.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Holder {
    pub pid: i32,
    pub application: String,
    pub user: String,
    pub address: String,
    pub state: String,
    pub seconds: i64,
    pub query: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} (`{}`", self.pid, self.application)?;
        if !self.user.is_empty() {
            write!(f, ", role {}", self.user)?;
        }
        if !self.address.is_empty() {
            write!(f, ", from {}", self.address)?;
        }
        write!(f, "), connected for {} s, {}", self.seconds, self.state)?;
        if self.query.is_empty() { Ok(()) } else { write!(f, ", last: {}", self.query) }
    }
}

impl PgError {
    pub(super) fn lost(doing: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> PgError {
        let doing = doing.into();
        move |error| PgError::Lost { doing, failure: Box::new(Failure::of(&error)) }
    }

    /// What stands below it, outermost first.
    pub fn causes(&self) -> Vec<String> {
        match self {
            PgError::Connect { failure, .. } | PgError::Lost { failure, .. } => vec![failure.message.clone()],
            PgError::Locked { holder: Some(holder), .. } | PgError::Maintained { holder: Some(holder), .. } => {
                vec![format!("it is {holder}")]
            }
            PgError::Statement(failed) => failed.causes(),
            _ => Vec::new(),
        }
    }

    /// What to do next.
    pub fn hints(&self) -> Vec<String> {
        match self {
            PgError::Connect { failure, .. } | PgError::Lost { failure, .. } => {
                failure.hint().map(str::to_owned).into_iter().collect()
            }
            PgError::Pooler { .. } => vec![
                "use the session port or the server itself: 5432 instead of 6543 at Supabase, the server's own port \
                 instead of PgBouncer's"
                    .into(),
            ],
            PgError::Locked { holder, .. } => {
                let mut hints = vec![
                    "run it again when that one has ended, or wait longer: `mainstay db migrate apply --wait 10m`"
                        .to_owned(),
                ];
                if let Some(holder) = holder {
                    hints.push(format!(
                        "when nobody runs it any more: SELECT pg_terminate_backend({}); in the database",
                        holder.pid
                    ));
                }
                hints
            }
            PgError::Maintained { .. } => {
                vec!["run it again when that has ended, or wait longer: `--wait 30m`".to_owned()]
            }
            PgError::OtherDatabase { .. } => vec!["`mainstay db migrate plan` shows what is pending now".into()],
            PgError::NotALedger { .. } => vec!["name another table: `--ledger SCHEMA.TABLE`".into()],
            PgError::Statement(error) => error.hints(),
            PgError::InvalidIndex { index, .. } => vec![
                format!("DROP INDEX CONCURRENTLY {index}; then run `mainstay db migrate apply` again"),
                "or let the next run drop and build it anew: `mainstay db migrate apply --rebuild-invalid`".into(),
            ],
            PgError::TransactionEnded { file } => {
                vec![format!("look at what is there, then `mainstay db migrate adopt {file}` when all of it is")]
            }
            PgError::Interrupted { .. } => vec!["`mainstay db migrate status` shows where it stands".into()],
        }
    }
}

impl StatementError {
    fn causes(&self) -> Vec<String> {
        let mut causes = vec![format!("SQLSTATE {}", self.sqlstate)];
        causes.extend(self.detail.iter().map(|text| format!("detail: {text}")));
        causes.extend(self.hint.iter().map(|text| format!("the server's hint: {text}")));
        causes.extend(self.context.iter().map(|text| format!("context: {}", text.replace('\n', "; "))));
        if self.done > 0 {
            causes.push(format!("{} statements before it ran and stay; the next run goes on with this one", self.done));
        }
        causes
    }

    fn hints(&self) -> Vec<String> {
        let mut hints = Vec::new();
        match self.sqlstate.as_str() {
            "42P07" | "42701" | "42710" => hints.push(format!(
                "it is there already: when it was made by hand as this file would, `mainstay db migrate adopt {}`",
                self.file
            )),
            "55P03" => hints.push(
                "somebody holds a lock on it: `SELECT * FROM pg_stat_activity WHERE state <> 'idle'` shows who".into(),
            ),
            "55P04" => hints.push("a new value of an enum can be used in the next file, not in this one".into()),
            "42501" => hints.push("the role may not do this: connect as the owner".into()),
            _ => {}
        }
        hints
    }
}

fn shown(target: &TargetName) -> String {
    let TargetName { host, port, database, user } = target;
    format!("database `{database}` at {host}:{port} as `{user}`")
}

fn seconds(waited: &Duration) -> String {
    format!("{:.0} s", waited.as_secs_f64())
}
