//! What the handles of one pool, its connections and the task that tends it have in common.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tracing::debug;

use crate::dial::Reach;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::state::{Made, Mode, Seen, State};

pub(crate) struct Shared {
    pub settings: Settings,
    pub pid: u32,
    pub state: watch::Sender<State>,
    pub reach: Arc<dyn Reach>,
    /// The generation that somebody had trouble with.
    suspected: AtomicU64,
    /// A generation that was seen to be useless, and by what.
    evidence: Mutex<Option<(u64, Failure)>>,
    /// Wakes the check of a pool that is suspected.
    pub trouble: Notify,
    /// Wakes the background: somebody wants an attempt now.
    pub wanted: Notify,
    /// Wakes the checks of the schema: a statement missed a table or a column.
    pub doubt: Notify,
}

impl Shared {
    pub fn new(settings: Settings, reach: Arc<dyn Reach>) -> Arc<Shared> {
        Shared::of_process(settings, reach, std::process::id())
    }

    pub fn of_process(settings: Settings, reach: Arc<dyn Reach>, pid: u32) -> Arc<Shared> {
        Arc::new(Shared {
            settings,
            pid,
            state: watch::Sender::new(State::new()),
            reach,
            suspected: AtomicU64::new(0),
            evidence: Mutex::default(),
            trouble: Notify::new(),
            wanted: Notify::new(),
            doubt: Notify::new(),
        })
    }

    /// A connection of a generation had trouble. Nothing is torn down on a rumour: the server is asked, once, however many
    /// report. Trouble with a pool that is gone already is no news.
    pub fn report(&self, generation: u64, failure: &Failure) {
        if self.state.borrow().generation != generation || self.state.borrow().mode != Mode::Normal {
            return;
        }
        if self.suspected.swap(generation, Ordering::AcqRel) != generation {
            debug!(target: "standing_pool", "a connection of generation {generation} reports: {failure}");
        }
        self.trouble.notify_one();
    }

    /// Whether the current generation is suspected; asking takes the suspicion away.
    pub fn take_suspicion(&self, generation: u64) -> bool {
        self.suspected.swap(0, Ordering::AcqRel) == generation
    }

    /// A connection of a generation was asked, and its server cannot serve: no further question is needed.
    pub fn convict(&self, generation: u64, failure: Failure) {
        *self.evidence.lock().unwrap_or_else(PoisonError::into_inner) = Some((generation, failure));
        self.trouble.notify_one();
    }

    /// What is known against a generation; asking takes it away.
    pub fn take_evidence(&self, generation: u64) -> Option<Failure> {
        let evidence = self.evidence.lock().unwrap_or_else(PoisonError::into_inner).take();
        evidence.filter(|(against, _)| *against == generation).map(|(_, failure)| failure)
    }

    pub fn attempt_begins(&self) {
        self.state.send_modify(|state| {
            state.attempt_running = true;
            state.next_try = None;
        });
    }

    pub fn attempt_failed(&self, failure: &Failure) {
        self.state.send_modify(|state| {
            state.attempt_running = false;
            state.attempts += 1;
            state.last = Some(Seen { failure: failure.clone(), at: Timestamp::now() });
        });
    }

    pub fn made(&self, pool: deadpool_postgres::Pool) -> Made {
        let generation = self.state.borrow().generation + 1;
        let id = format!("{:x}-{:06x}", self.pid, fastrand::u32(..) & 0x00ff_ffff);
        let made = Made { pool, id, generation, pid: self.pid };
        self.state.send_modify(|state| {
            if state.mode == Mode::Closed {
                // Closed by its owner in the last moment.
                made.pool.close();
                return;
            }
            state.attempt_running = false;
            state.attempts += 1;
            state.generation = generation;
            state.made = Some(made.clone());
            state.reconnecting = false;
            state.next_try = None;
            state.enter(Mode::Normal);
        });
        made
    }

    /// The pool is given up. Connections that callers hold stay theirs until they drop them.
    pub fn degrade(&self, failure: &Failure) {
        let mut gone = None;
        self.state.send_modify(|state| {
            gone = state.made.take();
            state.last = Some(Seen { failure: failure.clone(), at: Timestamp::now() });
            state.enter(Mode::Degraded);
        });
        if let Some(made) = gone {
            made.pool.close();
        }
    }

    pub fn close(&self) {
        let mut gone = None;
        self.state.send_modify(|state| {
            gone = state.made.take();
            state.attempt_running = false;
            state.reconnecting = false;
            state.next_try = None;
            state.enter(Mode::Closed);
        });
        if let Some(made) = gone {
            made.pool.close();
        }
    }
}
