//! Which containers ended while nobody watched, from what the engine remembers.
//!
//! A container that stops leaves its networks as well, and the engine's events do not say which of the two it was. One
//! that left a network was taken off by somebody when it had not ended, and did not end in that moment.

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
            _ => {}
        }
    }

    /// Whether a container was down when the last event was heard.
    pub(super) fn is_down(&self, container: &str) -> bool {
        self.inner().down.contains(container)
    }

    /// Whether a container left its networks at a time because it ended.
    pub(super) fn ended_then(&self, container: &str, left_nanos: i64) -> bool {
        let is_end = |ended: &i64| (0..MOMENT_NANOS).contains(&(ended - left_nanos));
        self.inner().at.get(container).into_iter().flatten().any(is_end)
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
        assert!(ended.ended_then("web", left));
        assert!(!ended.ended_then("web", left - MOMENT_NANOS), "it crashed for want of the network");
        assert!(!ended.ended_then("other", left));
    }
}
