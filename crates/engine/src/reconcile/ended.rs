//! Which containers ended while nobody watched, from what the engine remembers.
//!
//! A container that stops leaves its networks as well, and the engine's events do not say which of the two it was. One
//! that left a network was taken off by somebody when it had not ended, and did not end in that moment, or came back to
//! it before it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::docker::{EngineEvent, EventKind};

/// Engines differ in what they tell first of a container that ends. Longer than that is no end any more: a container may
/// crash for want of the network that it was taken off.
const MOMENT_NANOS: i64 = 200_000_000;

#[derive(Default)]
pub(super) struct Ended {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// When each container ended, by its id.
    at: BTreeMap<String, Vec<i64>>,
    /// Those that did not start again so far.
    down: BTreeSet<String>,
    /// When each container joined a network, by the ids of both.
    joined: BTreeMap<(String, String), Vec<i64>>,
}

impl Ended {
    pub(super) fn hear(&self, event: &EngineEvent) {
        let mut inner = self.inner();
        match (event.kind, event.action.as_str()) {
            (EventKind::Container, "die") => {
                inner.at.entry(event.actor_id.clone()).or_default().push(event.time_nanos);
                inner.down.insert(event.actor_id.clone());
            }
            (EventKind::Container, "start") => {
                inner.down.remove(&event.actor_id);
            }
            (EventKind::Network, "connect") => {
                if let Some(container) = event.container_id.clone() {
                    inner.joined.entry((container, event.actor_id.clone())).or_default().push(event.time_nanos);
                }
            }
            _ => {}
        }
    }

    /// Whether a container was down when the last event was heard.
    pub(super) fn is_down(&self, container: &str) -> bool {
        self.inner().down.contains(container)
    }

    /// Whether a container left a network at a time because it ended.
    pub(super) fn ended_then(&self, container: &str, network: &str, left_nanos: i64) -> bool {
        let inner = self.inner();
        let joined = inner.joined.get(&(container.to_owned(), network.to_owned()));
        let was_back = |ended: i64| joined.into_iter().flatten().any(|at| (left_nanos..ended).contains(at));
        let is_end = |ended: &i64| (0..MOMENT_NANOS).contains(&(ended - left_nanos)) && !was_back(*ended);
        inner.at.get(container).into_iter().flatten().any(is_end)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(nanos: i64, action: &str) -> EngineEvent {
        EngineEvent {
            time_nanos: nanos,
            kind: EventKind::Container,
            action: action.into(),
            actor_id: "web".into(),
            name: "web".into(),
            stack: None,
            service: None,
            container_id: None,
            attributes: BTreeMap::new(),
        }
    }

    #[test]
    fn a_leave_belongs_to_an_end_whichever_is_told_first() {
        let ended = Ended::default();
        ended.hear(&event(1, "die"));
        assert!(ended.is_down("web"));
        ended.hear(&event(2, "start"));
        assert!(!ended.is_down("web"));
        let left = 3 * MOMENT_NANOS;
        ended.hear(&event(left + 1, "die"));
        assert!(ended.ended_then("web", "net", left));
        assert!(!ended.ended_then("web", "net", left - MOMENT_NANOS), "it crashed for want of the network");
        assert!(!ended.ended_then("other", "net", left));
    }

    #[test]
    fn who_came_back_before_the_end_had_left_for_another_reason() {
        let ended = Ended::default();
        let joins = |nanos| EngineEvent {
            kind: EventKind::Network,
            actor_id: "net".into(),
            container_id: Some("web".into()),
            ..event(nanos, "connect")
        };
        ended.hear(&joins(1));
        ended.hear(&joins(20));
        ended.hear(&event(30, "die"));
        ended.hear(&joins(40));
        assert!(!ended.ended_then("web", "net", 10));
        assert!(ended.ended_then("web", "net", 25));
        assert!(ended.ended_then("web", "another", 10));
    }
}
