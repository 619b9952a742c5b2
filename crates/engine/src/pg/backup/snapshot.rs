//! One snapshot of a database, and the lock of its maintenance, held by one transaction.

use std::time::{Duration, Instant};

use standing_pool::tokio_postgres::Row;
use standing_pool::tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;

use super::error::BackupError;
use crate::pg::lock::{CLASS, MAINTENANCE, ended, holder, reopened};
use crate::pg::session::{Server, Session};
use crate::pg::{Holder, PgError};

/// How a value is written must not depend on who asks. The names of everything are written in full.
const PINS: &str = "SET LOCAL search_path = pg_catalog; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; \
     SET LOCAL IntervalStyle = postgres; SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = hex; \
     SET LOCAL lc_monetary = 'C'; SET LOCAL xmloption = content; SET LOCAL row_security = off; SET LOCAL statement_timeout = 0; \
     SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL synchronize_seqscans = off";
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Open until it is dropped: then the transaction ends, and the lock with it.
pub struct Snapshot {
    pub(super) session: Session,
    /// As the server's error messages and `pg_roles` name it.
    pub(super) user: String,
}

/// Whether others may do maintenance meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// No other backup, migration, restore or cleanup runs while it is open.
    Yes { patience: Duration },
    /// Of a database that nobody else knows of, such as a restored copy, or one whose lock the caller holds.
    No,
}

impl Snapshot {
    /// Takes the lock, waiting for it so long, and then the snapshot.
    ///
    /// # Errors
    /// When the database is not there, somebody else holds the lock, or it is cancelled.
    pub async fn take(
        server: &Server,
        alone: Alone,
        cancelled: &CancellationToken,
        mut told: impl FnMut(&str),
    ) -> Result<Snapshot, BackupError> {
        let mut session = server.open().await?;
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut last = None;
        loop {
            let holder = match begun(&session, alone).await {
                Ok(Begun::Alone) => break,
                Ok(Begun::Behind(holder)) => holder,
                // What it waited for was a restore, which ends the sessions of the database that it takes the place of.
                Err(error) if last.is_some() && ended(&error) => {
                    session = reopened(server).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if let Some(holder) = holder.as_ref().filter(|holder| last != Some(holder.pid)) {
                told(&holder.to_string());
                last = Some(holder.pid);
            }
            let patience = if let Alone::Yes { patience } = alone { patience } else { Duration::ZERO };
            if began.elapsed() + pause > patience {
                return Err(BackupError::Busy { holder: holder.map(|holder| holder.to_string()) });
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = cancelled.cancelled() => return Err(BackupError::Interrupted),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        let user = session.one("SELECT current_user::text", "beginning a snapshot").await?.get(0);
        Ok(Snapshot { session, user })
    }

    /// The name by which `pg_dump` reads the same snapshot, as long as this one is open.
    pub(super) async fn export(&self) -> Result<String, BackupError> {
        Ok(self.session.one("SELECT pg_export_snapshot()", "exporting the snapshot").await?.get(0))
    }

    pub(super) async fn rows(&self, sql: &str, doing: &str) -> Result<Vec<Row>, BackupError> {
        self.session.client.query(sql, &[]).await.map_err(|error| self.explained(error, doing))
    }

    pub(super) async fn row(&self, sql: &str, doing: &str) -> Result<Row, BackupError> {
        self.session.client.query_one(sql, &[]).await.map_err(|error| self.explained(error, doing))
    }

    /// With row security off, a query that it would have filtered is refused.
    fn explained(&self, error: standing_pool::tokio_postgres::Error, doing: &str) -> BackupError {
        let Some(told) = error.as_db_error() else { return PgError::lost(doing)(error).into() };
        if *told.code() == SqlState::INSUFFICIENT_PRIVILEGE && told.message().contains("row-level security") {
            let table = told.message().split('"').nth(1).unwrap_or("a table").to_owned();
            return BackupError::RowSecurity { role: self.user.clone(), table: format!("`{table}`") };
        }
        BackupError::Refused { doing: doing.to_owned(), words: told.message().to_owned() }
    }

    /// Ends sessions that an earlier backup has left: whoever holds the lock is the only one that backs up.
    pub(super) async fn end_stale(&self, prefix: &str) -> Result<(), BackupError> {
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = \
             current_user AND pid <> pg_backend_pid() AND application_name LIKE {} || '%'",
            crate::pg::session::literal(prefix)
        );
        self.rows(&sql, "ending what an earlier backup has left").await.map(drop)
    }
}

/// How a snapshot began.
enum Begun {
    /// With the lock, when that is wanted.
    Alone,
    /// Not at all: somebody else has the lock.
    Behind(Option<Holder>),
}

async fn begun(session: &Session, alone: Alone) -> Result<Begun, PgError> {
    let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {PINS}");
    session.simple(&begin, "beginning a snapshot").await?;
    // The first query takes the snapshot: the lock and it are had together, or neither.
    let sql = format!("SELECT pg_try_advisory_xact_lock({CLASS}, {MAINTENANCE})");
    if alone == Alone::No || session.one(&sql, "taking the lock of the database").await?.get(0) {
        return Ok(Begun::Alone);
    }
    session.simple("ROLLBACK", "waiting for the lock of the database").await?;
    holder(session, MAINTENANCE).await.map(Begun::Behind)
}
