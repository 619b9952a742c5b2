//! A connection in somebody's hands: statements that survive a change of the schema, and errors that are looked at, so
//! that a connection which cannot serve any more goes to nobody else.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use deadpool_postgres::{ClientWrapper, Object};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use crate::dial::probe;
use crate::failure::{Failure, Kind, Meaning, meaning};
use crate::settings::Pooler;
use crate::shared::Shared;

/// Parameters of a statement.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection of the pool. Given back when it is dropped; ended instead when an error has shown that it leads nowhere.
pub struct Lease {
    /// Only empty in the middle of `drop`.
    object: Option<Object>,
    watch: Watch,
}

/// What is done with the errors of one connection.
#[derive(Clone)]
struct Watch {
    shared: Arc<Shared>,
    generation: u64,
    verdict: Arc<AtomicU8>,
}

/// Nothing speaks against the connection.
const SERVES: u8 = 0;
/// A statement was refused because nothing may be written: the server's doing, or the transaction's own wish.
const WROTE_IN_VAIN: u8 = 1;
/// The session is gone.
const GONE: u8 = 2;

impl Watch {
    fn see(&self, error: &Error) -> Meaning {
        let meaning = meaning(error);
        match meaning {
            Meaning::Connection => {
                self.verdict.fetch_max(GONE, Ordering::AcqRel);
                self.shared.report(self.generation, &Failure::of(error));
            }
            Meaning::ReadOnly => {
                self.verdict.fetch_max(WROTE_IN_VAIN, Ordering::AcqRel);
            }
            Meaning::Schema => self.shared.doubt.notify_waiters(),
            Meaning::StalePlan | Meaning::Statement => {}
        }
        meaning
    }

    fn seen<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.inspect_err(|error| {
            self.see(error);
        })
    }

    /// The transaction is over: what the session says now is the server's doing. One that takes writes goes back to the
    /// pool; one that takes none is the end of this pool, and the primary is looked for.
    fn ask_about_writes(&self, object: Object) {
        let settings = &self.shared.settings;
        let (access, within) = (settings.access, settings.check_timeout);
        let (shared, generation) = (self.shared.clone(), self.generation);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return drop(Object::take(object)) };
        runtime.spawn(async move {
            if let Err(failure) = probe(&object, access, within).await {
                drop(Object::take(object));
                if failure.kind == Kind::ReadOnly {
                    shared.convict(generation, failure);
                } else {
                    shared.report(generation, &failure);
                }
            }
        });
    }

    fn keeps_statements(&self) -> bool {
        self.shared.settings.pooler == Pooler::None
    }
}

impl Lease {
    pub(crate) fn new(object: Object, shared: Arc<Shared>, generation: u64) -> Lease {
        Lease { object: Some(object), watch: Watch { shared, generation, verdict: Arc::default() } }
    }

    /// Which of the process's pools it is of.
    pub fn generation(&self) -> u64 {
        self.watch.generation
    }

    /// The rows of a statement. It stays prepared for the next time; when the schema has changed under it, it is prepared
    /// anew and run once more, which is safe because the first run was refused before it began.
    pub async fn query(&mut self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Error> {
        if !self.watch.keeps_statements() {
            return self.query_unkept(sql, params).await;
        }
        let first = query_kept(self.wrapper(), sql, params).await;
        let Err(error) = first else { return first };
        if self.watch.see(&error) != Meaning::StalePlan {
            return Err(error);
        }
        self.forget_statements();
        let again = query_kept(self.wrapper(), sql, params).await;
        self.told_again(again, error)
    }

    /// The one row of a statement; none or several are an error.
    pub async fn query_one(&mut self, sql: &str, params: Params<'_>) -> Result<Row, Error> {
        if !self.watch.keeps_statements() {
            let tx = self.transaction().await?;
            let row = tx.query_one(sql, params).await?;
            tx.commit().await?;
            return Ok(row);
        }
        let first = query_one_kept(self.wrapper(), sql, params).await;
        let Err(error) = first else { return first };
        if self.watch.see(&error) != Meaning::StalePlan {
            return Err(error);
        }
        self.forget_statements();
        let again = query_one_kept(self.wrapper(), sql, params).await;
        self.told_again(again, error)
    }

    /// The first row of a statement, if any.
    pub async fn query_opt(&mut self, sql: &str, params: Params<'_>) -> Result<Option<Row>, Error> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Runs a statement, and gives how many rows it touched.
    pub async fn execute(&mut self, sql: &str, params: Params<'_>) -> Result<u64, Error> {
        if !self.watch.keeps_statements() {
            let tx = self.transaction().await?;
            let count = tx.execute(sql, params).await?;
            tx.commit().await?;
            return Ok(count);
        }
        let first = execute_kept(self.wrapper(), sql, params).await;
        let Err(error) = first else { return first };
        if self.watch.see(&error) != Meaning::StalePlan {
            return Err(error);
        }
        self.forget_statements();
        let again = execute_kept(self.wrapper(), sql, params).await;
        self.told_again(again, error)
    }

    /// Runs statements without parameters, as they stand in a file.
    pub async fn batch_execute(&mut self, sql: &str) -> Result<(), Error> {
        let done = self.wrapper().batch_execute(sql).await;
        self.watch.seen(done)
    }

    /// Begins a transaction. Inside one nothing is run twice: after an error it is yours to begin again.
    pub async fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
        let watch = self.watch.clone();
        let begun = match self.object.as_mut() {
            Some(object) => object.transaction().await,
            None => unreachable!("a lease holds its connection until it is dropped"),
        };
        let inner = watch.seen(begun)?;
        Ok(Transaction { inner, watch })
    }

    /// The driver's own client, for everything else. Hand its errors to [`Lease::observe`].
    pub fn client(&self) -> &tokio_postgres::Client {
        self.wrapper()
    }

    /// The driver's own client, for what needs it alone.
    pub fn client_mut(&mut self) -> &mut tokio_postgres::Client {
        match self.object.as_mut() {
            Some(object) => object,
            None => unreachable!("a lease holds its connection until it is dropped"),
        }
    }

    /// Looks at an error that the driver's client gave: when the connection leads nowhere any more, it is not used again
    /// and the server is asked.
    pub fn observe(&self, error: &Error) {
        if self.watch.see(error) == Meaning::StalePlan {
            self.forget_statements();
        }
    }

    async fn query_unkept(&mut self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Error> {
        let tx = self.transaction().await?;
        let rows = tx.query(sql, params).await?;
        tx.commit().await?;
        Ok(rows)
    }

    fn wrapper(&self) -> &ClientWrapper {
        match self.object.as_ref() {
            Some(object) => object,
            None => unreachable!("a lease holds its connection until it is dropped"),
        }
    }

    /// Every connection has prepared its statements against the old schema.
    fn forget_statements(&self) {
        self.wrapper().statement_cache.clear();
        let pool = self.watch.shared.state.borrow().made.as_ref().map(|made| made.pool.clone());
        if let Some(pool) = pool {
            pool.manager().statement_caches.clear();
        }
    }

    /// Inside a transaction that was begun by hand the second run says only that the transaction is aborted: then the
    /// first error is the one worth telling.
    fn told_again<T>(&self, again: Result<T, Error>, first: Error) -> Result<T, Error> {
        let aborted = |error: &Error| error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION);
        match self.watch.seen(again) {
            Err(error) if aborted(&error) => Err(first),
            other => other,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        match self.watch.verdict.load(Ordering::Acquire) {
            SERVES => {}
            WROTE_IN_VAIN => self.watch.ask_about_writes(object),
            _ => drop(Object::take(object)),
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease(generation={})", self.watch.generation)
    }
}

/// A transaction on a leased connection. Rolled back when it is dropped.
pub struct Transaction<'a> {
    inner: deadpool_postgres::Transaction<'a>,
    watch: Watch,
}

impl Transaction<'_> {
    /// The rows of a statement.
    pub async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Error> {
        let done = async {
            // Behind a pooler the statement ends with the transaction: dropped here, it is closed before the commit.
            let statement = self.prepared(sql).await?;
            self.inner.query(&statement, params).await
        };
        self.seen(done.await)
    }

    /// The one row of a statement; none or several are an error.
    pub async fn query_one(&self, sql: &str, params: Params<'_>) -> Result<Row, Error> {
        let done = async {
            let statement = self.prepared(sql).await?;
            self.inner.query_one(&statement, params).await
        };
        self.seen(done.await)
    }

    /// Runs a statement, and gives how many rows it touched.
    pub async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, Error> {
        let done = async {
            let statement = self.prepared(sql).await?;
            self.inner.execute(&statement, params).await
        };
        self.seen(done.await)
    }

    /// Runs statements without parameters.
    pub async fn batch_execute(&self, sql: &str) -> Result<(), Error> {
        self.seen(self.inner.batch_execute(sql).await)
    }

    /// Commits.
    pub async fn commit(self) -> Result<(), Error> {
        self.watch.seen(self.inner.commit().await)
    }

    /// Rolls back.
    pub async fn rollback(self) -> Result<(), Error> {
        self.watch.seen(self.inner.rollback().await)
    }

    async fn prepared(&self, sql: &str) -> Result<tokio_postgres::Statement, Error> {
        if self.watch.keeps_statements() { self.inner.prepare_cached(sql).await } else { self.inner.prepare(sql).await }
    }

    fn seen<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.inspect_err(|error| {
            if self.watch.see(error) == Meaning::StalePlan {
                self.inner.statement_cache.clear();
            }
        })
    }
}

async fn query_kept(client: &ClientWrapper, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Error> {
    let statement = client.prepare_cached(sql).await?;
    client.query(&statement, params).await
}

async fn query_one_kept(client: &ClientWrapper, sql: &str, params: Params<'_>) -> Result<Row, Error> {
    let statement = client.prepare_cached(sql).await?;
    client.query_one(&statement, params).await
}

async fn execute_kept(client: &ClientWrapper, sql: &str, params: Params<'_>) -> Result<u64, Error> {
    let statement = client.prepare_cached(sql).await?;
    client.execute(&statement, params).await
}
