//! The lock among runners of one ledger. It is politeness: what keeps a file from being applied twice is the ledger's
//! row in the file's own transaction. It is polled, for a session that waits inside `pg_advisory_lock` holds a snapshot
//! that `CREATE INDEX CONCURRENTLY` waits for, which is a deadlock.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use mainstay_model::postgres::migration::LedgerName;
use sha2::{Digest, Sha256};
use standing_pool::Kind;
use tokio_util::sync::CancellationToken;

use super::error::{Holder, PgError};
use super::session::{Server, Session};

/// Ours among the users of two-part keys: `MSTY`.
pub(super) const CLASS: i32 = 0x4D53_5459;
/// The second part of the lock that backups, migrations, restores and cleanups of one database hold against each other.
pub(super) const MAINTENANCE: i32 = 0;
const LOOKING: &str = "looking for a pooler";
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Two renames are a moment; a session that is opened meanwhile is told that there is no such database.
const RENAMED_WITHIN: Duration = Duration::from_secs(10);
/// Servers before 14 know no such setting.
const NEVER_IDLE_TOO_LONG: &str = "SELECT set_config('idle_session_timeout', '0', false) WHERE \
     current_setting('idle_session_timeout', true) IS NOT NULL";

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

/// How a lock is waited for.
#[derive(Clone, Copy)]
pub(super) struct Waiting<'w> {
    pub patience: Duration,
    pub cancelled: &'w CancellationToken,
}

/// How an attempt to have a lock ended.
enum Had {
    Yes,
    /// The patience is over.
    No(Option<Holder>),
    Cancelled,
    /// The session was ended while it waited, as a restore does that gives the database's name to another one.
    Ended,
}

impl Lock {
    /// Takes it, or waits for it so long, telling who holds it each time that this changes. Backups, restores and cleanups of
    /// the database are kept away as long as it is held; several migrations may share that. Says whether it waited: then the
    /// database may be another one than before.
    pub async fn take(
        server: &Server,
        ledger: &LedgerName,
        waiting: Waiting<'_>,
        mut told: impl FnMut(&Holder),
    ) -> Result<(Lock, bool), Refused> {
        let began = Instant::now();
        let key = key(ledger);
        let mut session = server.open().await?;
        let waited = AtomicBool::new(false);
        let mut told = |holder: &Holder| {
            waited.store(true, Relaxed);
            told(holder);
        };
        loop {
            let sql = format!("SELECT pg_try_advisory_lock({CLASS}, {key})");
            let mut had = poll(&session, &sql, key, began, waiting, &mut told).await?;
            let is_first = !matches!(had, Had::Yes);
            if !is_first {
                let sql = format!("SELECT pg_try_advisory_lock_shared({CLASS}, {MAINTENANCE})");
                had = poll(&session, &sql, MAINTENANCE, began, waiting, &mut told).await?;
            }
            let (ledger, waited_for) = (ledger.clone(), began.elapsed());
            match had {
                Had::Yes => return Ok((Lock { session, key }, waited.load(Relaxed))),
                Had::Ended => session = reopened(server).await?,
                Had::Cancelled => return Err(Refused::Cancelled),
                Had::No(holder) => {
                    let holder = holder.map(Box::new);
                    let error = if is_first {
                        PgError::Locked { ledger, waited: waited_for, holder }
                    } else {
                        PgError::Maintained { ledger, waited: waited_for, holder }
                    };
                    return Err(error.into());
                }
            }
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

/// Asks again and again for a lock, whose second part is `key`.
async fn poll(
    session: &Session,
    sql: &str,
    key: i32,
    began: Instant,
    waiting: Waiting<'_>,
    told: &mut impl FnMut(&Holder),
) -> Result<Had, PgError> {
    let mut pause = FIRST_PAUSE;
    let mut last: Option<i32> = None;
    loop {
        let asked = async {
            let row = session.one(sql, "taking the lock").await?;
            if row.get(0) { Ok(None) } else { holder(session, key).await.map(Some) }
        };
        let holder = match asked.await {
            Ok(None) => return Ok(Had::Yes),
            Ok(Some(holder)) => holder,
            Err(error) if last.is_some() && ended(&error) => return Ok(Had::Ended),
            Err(error) => return Err(error),
        };
        if let Some(holder) = holder.as_ref().filter(|holder| last != Some(holder.pid)) {
            told(holder);
            last = Some(holder.pid);
        }
        if began.elapsed() + pause > waiting.patience {
            return Ok(Had::No(holder));
        }
        tokio::select! {
            () = tokio::time::sleep(jittered(pause)) => {}
            () = waiting.cancelled.cancelled() => return Ok(Had::Cancelled),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether the server has ended the session.
pub(super) fn ended(error: &PgError) -> bool {
    matches!(error, PgError::Lost { failure, .. } if matches!(failure.kind, Kind::Closed | Kind::ShuttingDown))
}

/// A session in the place of one that was ended. While a database gets its name, there is none of that name for a moment.
pub(super) async fn reopened(server: &Server) -> Result<Session, PgError> {
    let began = Instant::now();
    loop {
        match server.open().await {
            Err(PgError::Connect { failure, .. })
                if failure.kind == Kind::NoSuchDatabase && began.elapsed() < RENAMED_WITHIN =>
            {
                tokio::time::sleep(FIRST_PAUSE).await;
            }
            opened => return opened,
        }
    }
}

/// The lock of a database as one has it who is alone with it: migrations, backups, cleanups and restores wait meanwhile.
pub(super) struct Sole {
    pub session: Session,
    /// Whether somebody else had it first: then the database may be another one than before.
    pub waited: bool,
}

/// Why a database is not had alone.
pub(super) enum NotAlone {
    Error(PgError),
    Busy(Option<Holder>),
    Cancelled,
}

impl From<PgError> for NotAlone {
    fn from(error: PgError) -> Self {
        NotAlone::Error(error)
    }
}

impl Sole {
    /// Takes it, or waits for it so long, telling who holds it.
    pub async fn take(
        server: &Server,
        waiting: Waiting<'_>,
        told: &mut (dyn FnMut(&Holder) + Send),
    ) -> Result<Sole, NotAlone> {
        let began = Instant::now();
        let sql = format!("SELECT pg_try_advisory_lock({CLASS}, {MAINTENANCE})");
        let mut session = server.open().await?;
        let waited = AtomicBool::new(false);
        let mut told = |holder: &Holder| {
            waited.store(true, Relaxed);
            told(holder);
        };
        loop {
            // It has nothing to say for as long as the work takes.
            session.simple(NEVER_IDLE_TOO_LONG, "preparing the session").await?;
            match poll(&session, &sql, MAINTENANCE, began, waiting, &mut told).await? {
                Had::Yes => return Ok(Sole { session, waited: waited.load(Relaxed) }),
                Had::No(holder) => return Err(NotAlone::Busy(holder)),
                Had::Cancelled => return Err(NotAlone::Cancelled),
                Had::Ended => session = reopened(server).await?,
            }
        }
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
