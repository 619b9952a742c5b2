//! What we ourselves do to the engine, so that its events about it are not taken for somebody else's doing.
//!
//! Every call that changes something is announced here before it is made, as the events in which the engine will tell
//! of it. An event is ours when an announced act still waits for one like it: the same action on the same container or
//! network, each as often as the engine tells it. No span of time decides, so whoever does something else, or the same
//! thing once more, in the middle of an act of ours is told apart. What was taken for ours and was not, because the
//! engine then refused the call or had nothing to do, is given back.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bollard::errors::Error;
use mainstay_model::identity::labels::MADE_BY;
use tokio::sync::Notify;

use super::{EngineEvent, EventKind};

/// The engine tells of an act within a blink of its end. What did not come by then will not.
const TOLD_WITHIN: Duration = Duration::from_secs(30);
/// By so much the engine's timer may be early.
const TIMER_NANOS: i64 = 100_000_000;

/// One call that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Create {
        name: String,
    },
    Start {
        id: String,
    },
    /// The container's own signal, and after the grace the kill.
    Stop(Stop),
    /// Out of the pause after a crash.
    Restart {
        id: String,
    },
    Unpause {
        id: String,
    },
    Remove {
        id: String,
    },
    Rename {
        id: String,
        to: String,
    },
    Connect {
        id: String,
        /// By name or by id.
        network: String,
    },
    Disconnect {
        id: String,
        /// By name or by id.
        network: String,
    },
    CreateNetwork {
        name: String,
    },
    RemoveNetwork {
        id: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub id: String,
    pub grace: Duration,
    /// Its own signal is the kill.
    pub kills: bool,
    /// The engine lets it run on for its signal.
    pub paused: bool,
}

/// The acts of one connection. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Acts(Arc<Shared>);

#[derive(Default)]
struct Shared {
    ledger: Mutex<Ledger>,
    given_back: Notify,
}

#[derive(Default)]
struct Ledger {
    last: u64,
    open: VecDeque<Open>,
    /// Containers that we started, and whose first health is still to come.
    starting: BTreeSet<String>,
    /// Who was taken off which network by us. Engines tell of one disconnect twice, and nobody can leave a network
    /// that he is not on.
    off: BTreeSet<(String, String)>,
    given_back: Vec<EngineEvent>,
}

/// An act whose events are awaited.
struct Open {
    number: u64,
    act: Act,
    /// What the engine may tell of it, in the order in which it does.
    awaited: Vec<&'static str>,
    /// The events so far, while the call runs.
    taken: Vec<EngineEvent>,
    /// The id of what it made.
    made: Option<String>,
    /// When the engine told of the first signal of a stop.
    signalled_at: Option<i64>,
    /// Somebody else has sent the container a signal since.
    was_meddled_with: bool,
    /// When the call was over.
    ended: Option<Instant>,
}

/// The announcement of a call. Dropped without a word (the answer never came), the act may still have happened.
pub(super) struct Announced {
    acts: Acts,
    number: u64,
}

impl Acts {
    /// Says what is about to be done. To be called before the call is made.
    pub(super) fn announce(&self, act: Act) -> Announced {
        let mut ledger = self.ledger();
        ledger.open.retain(|open| open.ended.is_none_or(|ended| ended.elapsed() < TOLD_WITHIN));
        ledger.last += 1;
        let number = ledger.last;
        ledger.open.push_back(Open::new(number, act));
        drop(ledger);
        Announced { acts: self.clone(), number }
    }

    /// Whether an event tells of an act of ours. To be asked once for each event, in the order in which they come.
    pub(super) fn did(&self, event: &EngineEvent) -> bool {
        self.ledger().did(event)
    }

    /// Resolves with events that were taken for ours and were somebody else's.
    pub(super) async fn given_back(&self) -> Vec<EngineEvent> {
        loop {
            let given_back = std::mem::take(&mut self.ledger().given_back);
            if !given_back.is_empty() {
                return given_back;
            }
            self.0.given_back.notified().await;
        }
    }

    fn give_back(&self, ledger: &mut Ledger, events: Vec<EngineEvent>) {
        for event in &events {
            ledger.forget(event);
        }
        if !events.is_empty() {
            ledger.given_back.extend(events);
            self.0.given_back.notify_one();
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // The ledger is whole between any two lines that hold it.
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Announced {
    /// The engine made a thing with this id; one of the same name with another id is somebody else's.
    pub(super) fn made(self, id: &str) {
        let mut ledger = self.acts.ledger();
        let Some(open) = ledger.open.iter_mut().find(|open| open.number == self.number) else { return };
        open.made = Some(id.to_owned());
        let (_, wrong): (Vec<_>, Vec<_>) =
            std::mem::take(&mut open.taken).into_iter().partition(|event| event.actor_id == id);
        if !wrong.is_empty() {
            // Its own is still to come.
            open.awaited = open.act.awaited();
            self.acts.give_back(&mut ledger, wrong);
        }
    }

    /// The engine did nothing, or refused.
    pub(super) fn came_to_nothing(self) {
        let mut ledger = self.acts.ledger();
        let Some(position) = ledger.open.iter().position(|open| open.number == self.number) else { return };
        let taken = ledger.open.remove(position).map(|open| open.taken).unwrap_or_default();
        self.acts.give_back(&mut ledger, taken);
    }

    /// What an answer says about the act.
    pub(super) fn answered<T>(self, answer: &Result<T, Error>) {
        match answer {
            // Half of a stop was done when its second half fails.
            Err(Error::DockerResponseServerError { status_code: 500.., .. }) if self.has_parts() => {}
            // The engine spoke, and refused. Whoever was cut off does not know.
            Err(Error::DockerResponseServerError { .. }) => self.came_to_nothing(),
            _ => {}
        }
    }

    fn has_parts(&self) -> bool {
        let ledger = self.acts.ledger();
        let open = ledger.open.iter().find(|open| open.number == self.number);
        open.is_some_and(|open| matches!(open.act, Act::Stop(_) | Act::Restart { .. }))
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        let mut ledger = self.acts.ledger();
        if let Some(open) = ledger.open.iter_mut().find(|open| open.number == self.number) {
            open.ended = Some(Instant::now());
            open.taken.clear();
            ledger.open.retain(|open| open.ended.is_none() || !open.awaited.is_empty());
        }
    }
}

impl Ledger {
    fn did(&mut self, event: &EngineEvent) -> bool {
        let is_taken = self.open.iter_mut().any(|open| open.takes(event));
        let is_ours = is_taken || self.follows_from_ours(event);
        self.note(event, is_taken);
        self.open.retain(|open| open.ended.is_none() || !open.awaited.is_empty());
        is_ours
    }

    /// What the engine tells because of an earlier act of ours.
    fn follows_from_ours(&self, event: &EngineEvent) -> bool {
        match (event.kind, event.action.as_str()) {
            (EventKind::Container, "health_status: healthy") => self.starting.contains(&event.actor_id),
            (EventKind::Network, "disconnect") => self.off.contains(&place(event)),
            _ => false,
        }
    }

    /// Takes back what was concluded from an event that was not ours.
    fn forget(&mut self, event: &EngineEvent) {
        self.starting.remove(&event.actor_id);
        self.off.remove(&place(event));
    }

    fn note(&mut self, event: &EngineEvent, is_ours: bool) {
        match (event.kind, event.action.as_str()) {
            (EventKind::Container, "start") if is_ours => {
                self.starting.insert(event.actor_id.clone());
            }
            (EventKind::Container, "start" | "die" | "destroy") => {
                self.starting.remove(&event.actor_id);
            }
            (EventKind::Container, action) if action.starts_with("health_status") => {
                self.starting.remove(&event.actor_id);
            }
            (EventKind::Network, "disconnect") if is_ours => {
                self.off.insert(place(event));
            }
            (EventKind::Network, "connect") => {
                self.off.remove(&place(event));
            }
            _ => {}
        }
        if (event.kind, event.action.as_str()) == (EventKind::Container, "destroy") {
            self.off.retain(|(container, _)| *container != event.actor_id);
        }
    }
}

impl Open {
    fn new(number: u64, act: Act) -> Self {
        let awaited = act.awaited();
        Open {
            number,
            act,
            awaited,
            taken: Vec::new(),
            made: None,
            signalled_at: None,
            was_meddled_with: false,
            ended: None,
        }
    }

    /// Takes an event that tells of this act, and says so.
    fn takes(&mut self, event: &EngineEvent) -> bool {
        let Some(position) = self.awaited.iter().position(|action| *action == event.action) else { return false };
        if !self.act.is_about(event) || self.made.as_ref().is_some_and(|id| *id != event.actor_id) {
            return false;
        }
        if !self.is_of_this_stop(event) {
            self.was_meddled_with |= event.action == "kill";
            return false;
        }
        if matches!(self.act, Act::Restart { .. }) && event.action != "restart" {
            // In the middle of a crash loop the engine's own starts and ends are told in between.
            self.awaited.remove(position);
            self.keep(event);
            return true;
        }
        // What comes before this one and did not come yet will not come.
        let mut before: Vec<&str> = self.awaited.drain(..=position).collect();
        before.pop();
        // Except that two parts of the engine tell of a signal and of an end, and neither waits for the other.
        let late = match event.action.as_str() {
            "stop" => before.contains(&"die").then_some("die"),
            "die" if self.signalled_at.is_none() => before.contains(&"kill").then_some("kill"),
            _ => None,
        };
        self.awaited.splice(0..0, late);
        if event.action == "kill" {
            self.signalled_at.get_or_insert(event.time_nanos);
        }
        self.keep(event);
        true
    }

    /// For giving back, as long as it is not known how the call ends.
    fn keep(&mut self, event: &EngineEvent) {
        if self.ended.is_none() {
            self.taken.push(event.clone());
        }
    }

    /// A stop sends the container's own signal first, and the kill only when the grace is over. One who ends by a signal
    /// of somebody else before that was not ended by us.
    fn is_of_this_stop(&self, event: &EngineEvent) -> bool {
        let Act::Stop(stop) = &self.act else { return true };
        match (event.action.as_str(), self.signalled_at) {
            ("kill", None) => !is_kill(event) || stop.kills,
            ("kill", Some(first)) => {
                let grace = i64::try_from(stop.grace.as_nanos()).unwrap_or(i64::MAX);
                is_kill(event) && event.time_nanos >= first.saturating_add(grace).saturating_sub(TIMER_NANOS)
            }
            ("die", None) => !self.was_meddled_with,
            _ => true,
        }
    }
}

fn is_kill(event: &EngineEvent) -> bool {
    event.attributes.get("signal").is_some_and(|signal| matches!(signal.as_str(), "9" | "SIGKILL"))
}

impl Act {
    fn is_about(&self, event: &EngineEvent) -> bool {
        let of_container = event.kind == EventKind::Container;
        let of_network = event.kind == EventKind::Network;
        match self {
            // Whoever else makes one of this name does so without our label.
            Act::Create { name } => of_container && event.name == *name && event.attributes.contains_key(MADE_BY),
            Act::Rename { id, to } => of_container && event.actor_id == *id && event.name == *to,
            Act::Stop(Stop { id, .. })
            | Act::Start { id }
            | Act::Restart { id }
            | Act::Unpause { id }
            | Act::Remove { id } => of_container && event.actor_id == *id,
            Act::Connect { id, network } | Act::Disconnect { id, network } => {
                let named = event.name == *network || event.actor_id == *network;
                of_network && named && event.container_id.as_ref() == Some(id)
            }
            Act::CreateNetwork { name } => of_network && event.name == *name,
            Act::RemoveNetwork { id } => of_network && event.actor_id == *id,
        }
    }

    /// What the engine may tell of it, in the order in which it does.
    fn awaited(&self) -> Vec<&'static str> {
        match self {
            Act::Stop(Stop { paused: true, .. }) => vec!["kill", "unpause", "kill", "die", "stop"],
            Act::Stop(_) => vec!["kill", "kill", "die", "stop"],
            Act::Restart { .. } => vec!["kill", "kill", "die", "stop", "start", "restart"],
            Act::Create { .. } | Act::CreateNetwork { .. } => vec!["create"],
            Act::Start { .. } => vec!["start"],
            Act::Unpause { .. } => vec!["unpause"],
            Act::Remove { .. } | Act::RemoveNetwork { .. } => vec!["destroy"],
            Act::Rename { .. } => vec!["rename"],
            Act::Connect { .. } => vec!["connect"],
            Act::Disconnect { .. } => vec!["disconnect"],
        }
    }
}

fn place(event: &EngineEvent) -> (String, String) {
    (event.container_id.clone().unwrap_or_default(), event.name.clone())
}

#[cfg(test)]
mod tests;
