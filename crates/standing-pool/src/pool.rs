//! The handle that a service holds: opens the process's pool for a target, and gives connections.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{PoolError, TimeoutType};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tracing::info;

use crate::failure::{Failure, Kind};
use crate::lease::Lease;
use crate::registry;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::state::{Made, Mode, PoolReport, State};
use crate::tend::tend;

/// Why there was no connection.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database is not to be had now; the pool is trying.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] Failure),
    /// The database has not answered since the process started.
    #[error("the database has not answered yet: waited {:.1}s", .waited.as_secs_f64())]
    Starting {
        /// How long the caller waited.
        waited: Duration,
    },
    /// The database is there, and all connections are in use.
    #[error("all {max_size} connections are in use: waited {:.1}s", .waited.as_secs_f64())]
    Busy {
        /// `DB_POOL_MAX_SIZE`.
        max_size: usize,
        /// How long the caller waited.
        waited: Duration,
    },
    /// The pool was closed by its owner.
    #[error("the pool is closed")]
    Closed,
}

impl Error {
    /// What stood in the way, when it was the database.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Error::Unavailable(failure) => Some(failure),
            _ => None,
        }
    }
}

/// The handles of one pool together; the task ends with the last of them.
pub(crate) struct Owner {
    pub shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Owner {
    pub(crate) fn begin(shared: Arc<Shared>) -> Arc<Owner> {
        let task = tokio::spawn(tend(shared.clone()));
        Arc::new(Owner { shared, task })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.shared.state.borrow().mode == Mode::Closed
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.close();
    }
}

/// A pool that stands: the process's one pool for a target, through everything that happens to the database.
///
/// A handle is cheap to clone. The pool lives as long as one of its handles.
#[derive(Clone)]
pub struct StandingPool {
    owner: Arc<Owner>,
}

impl StandingPool {
    /// The process's pool for the target, begun when it is not there yet. Returns at once: the first attempts run in a task
    /// of their own. A second opening of the same target gives the same pool, with the settings of the first.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn open(settings: &Settings) -> StandingPool {
        StandingPool { owner: registry::of(settings) }
    }

    #[cfg(test)]
    pub(crate) fn over(settings: &Settings, reach: Arc<dyn crate::dial::Reach>) -> StandingPool {
        StandingPool { owner: Owner::begin(Shared::new(settings.clone(), reach)) }
    }

    /// A handle as a fork would leave it: made by another process.
    #[cfg(test)]
    pub(crate) fn of_process(settings: &Settings, pid: u32, reach: Arc<dyn crate::dial::Reach>) -> StandingPool {
        StandingPool { owner: Owner::begin(Shared::of_process(settings.clone(), reach, pid)) }
    }

    /// This process's pool: after a fork, memory still holds the parent's, whose tasks and sockets are not ours.
    fn here(&self) -> Arc<Owner> {
        if self.owner.shared.pid == std::process::id() {
            self.owner.clone()
        } else {
            registry::of(&self.owner.shared.settings)
        }
    }

    /// Waits until the start is over, and says how it ended: [`Mode::Normal`], or [`Mode::Degraded`] when the database did
    /// not answer in time. The process goes on in both.
    pub async fn started(&self) -> Mode {
        let owner = self.here();
        let mut states = owner.shared.state.subscribe();
        states.wait_for(|state| state.mode != Mode::Starting).await.map_or(Mode::Closed, |state| state.mode)
    }

    /// A connection. While an attempt to reach the database is under way it is waited for, up to
    /// `DB_ACQUIRE_TIMEOUT_SECONDS`; in degraded mode between attempts the answer is an error at once.
    ///
    /// With `DB_POOL_DEBUG` the log says which line of code asked; [`StandingPool::get_as`] gives it a name instead.
    #[track_caller]
    pub fn get(&self) -> impl Future<Output = Result<Lease, Error>> + Send + use<> {
        let (owner, who) = (self.here(), Who::Place(Location::caller()));
        async move { lease(&owner.shared, &who).await }
    }

    /// As [`StandingPool::get`], for somebody with a name: `tenant resolution`, `health check`.
    pub fn get_as(&self, who: &str) -> impl Future<Output = Result<Lease, Error>> + Send + use<> {
        let (owner, who) = (self.here(), Who::Name(who.to_owned()));
        async move { lease(&owner.shared, &who).await }
    }

    /// As [`StandingPool::get`], but in degraded mode an attempt is made now, or the one under way is joined. For a start
    /// of work that a person waits for; it is bounded by the same time, and many callers make one attempt.
    #[track_caller]
    pub fn ensure(&self) -> impl Future<Output = Result<Lease, Error>> + Send + use<> {
        let (owner, who) = (self.here(), Who::Place(Location::caller()));
        async move {
            let shared = &owner.shared;
            let deadline = Instant::now() + shared.settings.acquire_timeout;
            let mut states = shared.state.subscribe();
            let before = states.borrow_and_update().attempts;
            if states.borrow().mode == Mode::Degraded {
                shared.wanted.notify_one();
                let ended = states.wait_for(|state| state.mode != Mode::Degraded || state.attempts > before);
                let _ = timeout_at(deadline, ended).await;
            }
            lease(shared, &who).await
        }
    }

    /// How it stands, from memory.
    pub fn mode(&self) -> Mode {
        self.here().shared.state.borrow().mode
    }

    /// The debug answer, from memory.
    pub fn report(&self) -> PoolReport {
        let owner = self.here();
        PoolReport::of(&owner.shared.state.borrow(), owner.shared.settings.target.name())
    }

    /// What the pool was told.
    pub fn settings(&self) -> &Settings {
        &self.owner.shared.settings
    }

    /// Waits for the next change of how it stands.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.here().shared.clone()
    }

    /// Closes the pool for all its handles: no attempt runs any more, and who asks is told that it is closed. Connections
    /// in use end when they are given back.
    pub fn close(&self) {
        let owner = self.here();
        owner.task.abort();
        owner.shared.close();
    }
}

impl fmt::Debug for StandingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.owner.shared.state.borrow();
        write!(
            f,
            "StandingPool({} {:?} generation={})",
            self.owner.shared.settings.target, state.mode, state.generation
        )
    }
}

/// Who asked for a connection.
enum Who {
    Place(&'static Location<'static>),
    Name(String),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Place(place) => write!(f, "{}:{}", place.file(), place.line()),
            Who::Name(name) => f.write_str(name),
        }
    }
}

async fn lease(shared: &Arc<Shared>, who: &Who) -> Result<Lease, Error> {
    let asked = acquire(shared, who).await;
    if shared.settings.debug
        && let Err(error) = &asked
    {
        info!(target: "standing_pool", "No connection for {who} (pid={}): {error}", shared.pid);
    }
    asked
}

async fn acquire(shared: &Arc<Shared>, who: &Who) -> Result<Lease, Error> {
    let began = Instant::now();
    let deadline = began + shared.settings.acquire_timeout;
    loop {
        let made = standing(shared, began, deadline).await?;
        let error = match timeout_at(deadline, made.pool.get()).await {
            Ok(Ok(client)) => {
                if shared.settings.debug {
                    told_who(shared, &made, who, began.elapsed());
                }
                return Ok(Lease::new(client, shared.clone(), made.generation));
            }
            Ok(Err(error)) => error,
            Err(_) => PoolError::Timeout(TimeoutType::Wait),
        };
        let failure = match error {
            PoolError::Timeout(TimeoutType::Wait) => {
                let max_size = made.pool.status().max_size;
                return Err(Error::Busy { max_size, waited: began.elapsed() });
            }
            // It was given up between our look and our asking: look again.
            PoolError::Closed => continue,
            PoolError::Backend(error) => Failure::of(&error).without(shared.settings.target.password()),
            PoolError::Timeout(_) => Failure::timeout("connecting", shared.settings.connect_timeout),
            other => Failure::new(Kind::Internal, other.to_string()),
        };
        shared.report(made.generation, &failure);
        return Err(Error::Unavailable(failure));
    }
}

/// The pool that stands, waited for while something is under way. No lock is held while waiting.
async fn standing(shared: &Arc<Shared>, began: Instant, deadline: Instant) -> Result<Made, Error> {
    let mut states = shared.state.subscribe();
    let settled = timeout_at(deadline, states.wait_for(|state| !state.is_pending())).await;
    let state: State = match settled {
        Ok(Ok(state)) => state.clone(),
        Ok(Err(_)) => return Err(Error::Closed),
        Err(_) => shared.state.borrow().clone(),
    };
    match (state.made, state.mode, state.last) {
        (Some(made), _, _) => Ok(made),
        (None, Mode::Closed, _) => Err(Error::Closed),
        (None, _, Some(last)) => Err(Error::Unavailable(last.failure)),
        (None, _, None) => Err(Error::Starting { waited: began.elapsed() }),
    }
}

fn told_who(shared: &Arc<Shared>, made: &Made, who: &Who, waited: Duration) {
    let status = made.pool.status();
    info!(
        target: "standing_pool",
        "Connection given to {who} (pool_id={} generation={} pid={} in use: {} of {}, waited {:.3}s)",
        made.id,
        made.generation,
        shared.pid,
        status.size.saturating_sub(status.available),
        status.max_size,
        waited.as_secs_f64(),
    );
}
