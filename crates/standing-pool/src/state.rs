//! What is known about the database at this moment. One task writes it, everybody reads it, and reading it asks nobody.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;

use crate::failure::{Failure, Kind};
use crate::target::TargetName;

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The first attempts are being made.
    Starting,
    /// There is a pool, and the server answers.
    Normal,
    /// There is none; it is tried in the background.
    Degraded,
    /// The pool was closed by its owner.
    Closed,
}

/// One pool that was made.
#[derive(Clone)]
pub(crate) struct Made {
    pub pool: Pool,
    pub id: String,
    pub generation: u64,
    pub pid: u32,
}

/// The last failure, and when it was seen.
#[derive(Clone)]
pub(crate) struct Seen {
    pub failure: Failure,
    pub at: Timestamp,
}

#[derive(Clone)]
pub(crate) struct State {
    pub mode: Mode,
    /// Since when the mode is what it is.
    pub since: Timestamp,
    pub made: Option<Made>,
    /// Pools made so far.
    pub generation: u64,
    /// Attempts that have ended.
    pub attempts: u64,
    pub attempt_running: bool,
    pub reconnecting: bool,
    pub next_try: Option<Timestamp>,
    pub last: Option<Seen>,
}

impl State {
    pub fn new() -> State {
        State {
            mode: Mode::Starting,
            since: Timestamp::now(),
            made: None,
            generation: 0,
            attempts: 0,
            attempt_running: false,
            reconnecting: false,
            next_try: None,
            last: None,
        }
    }

    pub fn enter(&mut self, mode: Mode) {
        if self.mode != mode && self.mode != Mode::Closed {
            self.mode = mode;
            self.since = Timestamp::now();
        }
    }

    /// Whether something is going on that a caller should wait for.
    pub fn is_pending(&self) -> bool {
        self.mode == Mode::Starting || (self.mode == Mode::Degraded && self.attempt_running)
    }
}

/// The debug answer: everything about the pool that is worth knowing and no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoolReport {
    /// Which database, without its password.
    pub target: TargetName,
    /// How it stands.
    pub mode: Mode,
    /// Since when.
    pub since: Timestamp,
    /// Whether there is a pool now.
    pub pool_exists: bool,
    /// Its name: the process and a random part.
    pub pool_id: Option<String>,
    /// The process that this is.
    pub pid: u32,
    /// How many pools this process has made for the target.
    pub generation: u64,
    /// How many attempts have ended, well or not.
    pub attempts: u64,
    /// Whether an attempt is under way.
    pub attempt_running: bool,
    /// Whether the pool is trying in the background.
    pub background_reconnect_running: bool,
    /// When it will next be tried.
    pub next_try: Option<Timestamp>,
    /// The last failure, also when it is over.
    pub last_error: Option<LastError>,
    /// The connections, when there is a pool.
    pub connections: Option<Connections>,
}

/// A failure as it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastError {
    /// SQLSTATE, or the kind's word.
    pub code: String,
    /// What stood in the way.
    pub kind: Kind,
    /// In the words of the server or of the system.
    pub message: String,
    /// What to look at next.
    pub hint: Option<String>,
    /// When it was seen last.
    pub at: Timestamp,
}

/// How many connections there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Connections {
    /// The most that there may be.
    pub max: usize,
    /// Open now.
    pub open: usize,
    /// Open and unused.
    pub idle: usize,
    /// Callers that wait for one.
    pub waiting: usize,
}

impl PoolReport {
    pub(crate) fn of(state: &State, target: TargetName) -> PoolReport {
        PoolReport {
            target,
            mode: state.mode,
            since: state.since,
            pool_exists: state.made.is_some(),
            pool_id: state.made.as_ref().map(|made| made.id.clone()),
            pid: state.made.as_ref().map_or_else(std::process::id, |made| made.pid),
            generation: state.generation,
            attempts: state.attempts,
            attempt_running: state.attempt_running,
            background_reconnect_running: state.reconnecting,
            next_try: state.next_try,
            last_error: state.last.as_ref().map(LastError::of),
            connections: state.made.as_ref().map(|made| Connections::of(&made.pool)),
        }
    }
}

impl LastError {
    pub(crate) fn of(seen: &Seen) -> LastError {
        LastError {
            code: seen.failure.code().to_owned(),
            kind: seen.failure.kind,
            message: seen.failure.message.clone(),
            hint: seen.failure.hint().map(str::to_owned),
            at: seen.at,
        }
    }
}

impl Connections {
    fn of(pool: &Pool) -> Connections {
        let status = pool.status();
        Connections { max: status.max_size, open: status.size, idle: status.available, waiting: status.waiting }
    }
}
