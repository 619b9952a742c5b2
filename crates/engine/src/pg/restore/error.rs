//! What stands between a backup and the database that it is to be.

use mainstay_model::postgres::backup::Difference;

use standing_pool::Kind;

use crate::pg::PgError;
use crate::pg::backup::BackupError;
use crate::pg::drill::Failed;
use crate::world::WorldError;

/// Holds no secret. Whatever it is: the database that lives is as it was, unless it is [`RestoreError::Overwritten`].
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Pg(#[from] PgError),
    #[error(transparent)]
    World(#[from] WorldError),
    /// In the tool's, or the server's, own words.
    #[error("{doing} failed")]
    Tool { doing: String, words: String },
    #[error("what was restored is not what was backed up")]
    Different(Vec<Difference>),
    /// The backup was restored over the database, and this came after it.
    #[error("the backup was restored over the database; then: {0}")]
    Overwritten(Box<RestoreError>),
    /// It cannot be done as things are.
    #[error("{message}")]
    Refused { message: String, causes: Vec<String>, hints: Vec<String> },
}

impl RestoreError {
    pub(in crate::pg) fn refused(message: impl Into<String>) -> RestoreError {
        RestoreError::Refused { message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    pub(in crate::pg) fn because(self, more: impl IntoIterator<Item = String>) -> RestoreError {
        match self {
            RestoreError::Refused { message, mut causes, hints } => {
                causes.extend(more);
                RestoreError::Refused { message, causes, hints }
            }
            other => other,
        }
    }

    pub(in crate::pg) fn hint(self, hint: impl Into<String>) -> RestoreError {
        match self {
            RestoreError::Refused { message, causes, mut hints } => {
                hints.push(hint.into());
                RestoreError::Refused { message, causes, hints }
            }
            other => other,
        }
    }

    /// The database that is not there, when it is that.
    pub fn no_such_database(&self) -> Option<&str> {
        match self {
            RestoreError::Pg(PgError::Connect { target, failure })
            | RestoreError::Backup(BackupError::Pg(PgError::Connect { target, failure }))
                if failure.kind == Kind::NoSuchDatabase =>
            {
                Some(&target.database)
            }
            _ => None,
        }
    }

    /// What the server said of a statement, or that it was lost.
    pub(super) fn of(doing: impl Into<String>) -> impl FnOnce(standing_pool::tokio_postgres::Error) -> RestoreError {
        let doing = doing.into();
        move |error| match error.as_db_error() {
            None => PgError::lost(doing)(error).into(),
            Some(told) => {
                let parts = [Some(told.message()), told.detail(), told.hint()];
                RestoreError::Tool { doing, words: parts.into_iter().flatten().collect::<Vec<_>>().join("\n") }
            }
        }
    }
}

impl From<Failed> for RestoreError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Backup { doing, words } => RestoreError::Tool { doing, words },
            Failed::World(error) => error.into(),
        }
    }
}
