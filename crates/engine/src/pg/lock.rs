//! The lock among runners of one ledger. It is politeness: what keeps a file from being applied twice is the ledger's
//! row in the file's own transaction. It is polled, for a session that waits inside `pg_advisory_lock` holds a snapshot
//! that `CREATE INDEX CONCURRENTLY` waits for, which is a deadlock.

use std::time::{Duration, Instant};

use mainstay_model::postgres::migration::LedgerName;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::error::{Holder, PgError};
use super::session::{Server, Session};

/// Ours among the users of two-part keys: `MSTY`.
pub(super) const CLASS: i32 = 0x4D53_5459;
/// The second part of the lock that backups, migrations and cleanups of one database hold against each other.
pub(super) const MAINTENANCE: i32 = 0;
const LOOKING: &str = "looking for a pooler";
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The lock, held by a session of its own until it is dropped.
pub(super) struct Lock {
    pub session: Session,
    key: i32,
}

/// Why it is not held.
pub(super) enum Refused {
    Error(PgError),
    Cancelled,
}

impl From<PgError> for Refused {
    fn from(error: PgError) -> Self {
        Refused::Error(error)
    }
}

impl Lock {
    /// Takes it, or waits for it so long, telling who holds it each time that this changes.
    pub async fn take(
        server: &Server,
        ledger: &LedgerName,
        patience: Duration,
        cancelled: &CancellationToken,
        mut told: impl FnMut(&Holder),
    ) -> Result<Lock, Refused> {
        let session = server.open().await?;
        let key = key(ledger);
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut last: Option<i32> = None;
        loop {
            let row = session.one(&format!("SELECT pg_try_advisory_lock({CLASS}, {key})"), "taking the lock").await?;
            if row.get(0) {
                return Ok(Lock { session, key });
            }
            let holder = holder(&session, key).await?;
            if let Some(holder) = holder.as_ref().filter(|holder| last != Some(holder.pid)) {
                told(holder);
                last = Some(holder.pid);
            }
            if began.elapsed() + pause > patience {
                let ledger = ledger.clone();
                return Err(PgError::Locked { ledger, waited: began.elapsed(), holder: holder.map(Box::new) }.into());
            }
            tokio::select! {
                () = tokio::time::sleep(jittered(pause)) => {}
                () = cancelled.cancelled() => return Err(Refused::Cancelled),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Keeps backups and cleanups of the database away as long as this lock is held; several migrations may share it.
    pub async fn keep_maintenance_away(
        &self,
        ledger: &LedgerName,
        patience: Duration,
        cancelled: &CancellationToken,
        mut told: impl FnMut(&Holder),
    ) -> Result<(), Refused> {
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut last: Option<i32> = None;
        loop {
            let sql = format!("SELECT pg_try_advisory_lock_shared({CLASS}, {MAINTENANCE})");
            if self.session.one(&sql, "taking the lock of the database").await?.get(0) {
                return Ok(());
            }
            let holder = holder(&self.session, MAINTENANCE).await?;
            if let Some(holder) = holder.as_ref().filter(|holder| last != Some(holder.pid)) {
                told(holder);
                last = Some(holder.pid);
            }
            if began.elapsed() + pause > patience {
                let ledger = ledger.clone();
                return Err(
                    PgError::Maintained { ledger, waited: began.elapsed(), holder: holder.map(Box::new) }.into()
                );
            }
            tokio::select! {
                () = tokio::time::sleep(jittered(pause)) => {}
                () = cancelled.cancelled() => return Err(Refused::Cancelled),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Makes sure that both sessions are sessions. A pooler in transaction mode gives a process of the server for the length
    /// of a transaction, one of those that are free. Who begins first and who ends first is changed, so that whichever of
    /// them it prefers, the one that was free first or the one that was free last, somebody gets another process than
    /// before, or one that does not hold the lock.
    pub async fn must_be_alone_with(&self, work: &Session, server: &Server) -> Result<(), PgError> {
        let lock = &self.session;
        let rounds = [([work, lock], [lock, work]), ([lock, work], [work, lock]), ([lock, work], [lock, work])];
        let mut before: Option<(i32, i32)> = None;
        for (begin, end) in rounds {
            for session in begin {
                session.simple("BEGIN", LOOKING).await?;
            }
            let pids = (self.pid_that_holds().await?, work.pid().await?);
            for session in end {
                session.simple("ROLLBACK", LOOKING).await?;
            }
            let (Some(holder), worker) = pids else { return Err(pooler(server)) };
            if holder == worker || *before.get_or_insert((holder, worker)) != (holder, worker) {
                return Err(pooler(server));
            }
        }
        Ok(())
    }

    /// The process of the server that answers here, when it is the one that holds the lock.
    async fn pid_that_holds(&self) -> Result<Option<i32>, PgError> {
        let sql = format!(
            "SELECT pg_backend_pid(), EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted \
             AND pid = pg_backend_pid() AND classid = {}::oid AND objid = {}::oid)",
            CLASS.cast_unsigned(),
            self.key.cast_unsigned()
        );
        let row = self.session.one(&sql, LOOKING).await?;
        Ok(row.get::<_, bool>(1).then(|| row.get(0)))
    }
}

fn pooler(server: &Server) -> PgError {
    PgError::Pooler { target: Box::new(server.name()) }
}

fn key(ledger: &LedgerName) -> i32 {
    let hash = Sha256::digest(ledger.quoted().as_bytes());
    i32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

/// A fifth more or less, so that thirty runners do not ask at the same moment.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0_u8; 1];
    let part = getrandom::fill(&mut byte).map_or(0.5, |()| f64::from(byte[0]) / 255.0);
    pause.mul_f64(0.8 + part * 0.4)
}

pub(super) async fn holder(session: &Session, key: i32) -> Result<Option<Holder>, PgError> {
    // Numbers of a lock are unsigned there, and the key is not.
    let sql = format!(
        "SELECT l.pid, coalesce(a.application_name, ''), coalesce(a.usename::text, ''), \
                coalesce(host(a.client_addr), ''), coalesce(a.state, 'of which this role may see no more'), \
                coalesce(extract(epoch FROM now() - a.backend_start)::bigint, 0), \
                coalesce(left(regexp_replace(a.query, '\\s+', ' ', 'g'), 80), '') \
         FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
           AND l.classid = {}::oid AND l.objid = {}::oid LIMIT 1",
        CLASS.cast_unsigned(),
        key.cast_unsigned()
    );
    let row = session.client.query_opt(&sql, &[]).await.map_err(PgError::lost("looking who holds the lock"))?;
    Ok(row.map(|row| Holder {
        pid: row.get(0),
        application: row.get(1),
        user: row.get(2),
        address: row.get(3),
        state: row.get(4),
        seconds: row.get(5),
        query: row.get(6),
    }))
}
