//! Acts of ours from before the loop began, by the journal: of a command that hosted the engine itself, or of a server
//! that was killed.
//!
//! Of those the engine's events are heard late, from its memory, and nobody who announced them is there any more. What
//! is left of them is the journal's steps: what was done to which thing, from when to when.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;
use mainstay_model::plan::{Action, Target, TargetContainer};

use super::strangers::moment_of;
use crate::docker::{EngineEvent, EventKind, HURRIED};
use crate::journal::PastAct;

/// Some events are told a moment after the call that caused them has returned.
const ECHO: SignedDuration = SignedDuration::from_millis(500);

pub(super) struct Past {
    /// Each with the events that told of it.
    acts: Mutex<Vec<(PastAct, Vec<String>)>>,
    /// By container and network: whether it joined or left last.
    places: Mutex<BTreeMap<(String, String), String>>,
}

impl Past {
    pub(super) fn new(acts: Vec<PastAct>) -> Self {
        let acts = acts.into_iter().map(|act| (act, Vec::new())).collect();
        Past { acts: Mutex::new(acts), places: Mutex::default() }
    }

    /// Whether an event says again what the one before it said of a container's place on a network: engines tell of one
    /// leave twice. To be asked once for each event.
    pub(super) fn has_told(&self, event: &EngineEvent) -> bool {
        let Some(container) = event.container_id.clone().filter(|_| event.kind == EventKind::Network) else {
            return false;
        };
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.insert((container, event.actor_id.clone()), event.action.clone()).as_ref() == Some(&event.action)
    }

    /// Whether an event tells of one of the acts. Each act is told once, so the same thing done once more is not ours.
    pub(super) fn did(&self, event: &EngineEvent) -> bool {
        let Some(at) = moment_of(event) else { return false };
        // The journal cuts off below the millisecond.
        let then = |act: &PastAct| act.from <= at && act.to.is_none_or(|to| at.duration_since(to) <= ECHO);
        let mut acts = self.acts.lock().unwrap_or_else(PoisonError::into_inner);
        let found = acts.iter_mut().find(|(act, told)| {
            let count = told.iter().filter(|action| **action == event.action).count();
            count < times(event) && then(act) && tells_of(event, act)
        });
        found.map(|(_, told)| told.push(event.action.clone())).is_some()
    }
}

/// A stop is two signals when the first is not heeded.
fn times(event: &EngineEvent) -> usize {
    if event.action == "kill" { 2 } else { 1 }
}

fn tells_of(event: &EngineEvent, act: &PastAct) -> bool {
    let (told, action) = (event.action.as_str(), &act.action);
    if event.kind == EventKind::Network {
        return match action {
            Action::CreateNetwork { name, .. } => told == "create" && *name == event.name,
            Action::RemoveNetwork { id, .. } => told == "destroy" && *id == event.actor_id,
            // One that was on it otherwise than declared is taken off first.
            Action::Attach { target, attachment } => {
                matches!(told, "connect" | "disconnect") && attachment.network == event.name && is_member(event, target)
            }
            Action::Detach { target, network, .. } => {
                told == "disconnect" && *network == event.name && is_member(event, target)
            }
            _ => false,
        };
    }
    match action {
        // One that could not be completed was taken back.
        Action::CreateContainer { name, .. } => *name == event.name && matches!(told, "create" | "destroy"),
        Action::RenameContainer { to, .. } => *to == event.name && told == "rename",
        Action::StartContainer { target } => {
            let hurried = act.detail.as_deref() == Some(HURRIED);
            let is_told = match told {
                "start" | "health_status: healthy" => true,
                "die" | "stop" | "restart" => hurried,
                _ => false,
            };
            is_told && is_of(event, target)
        }
        Action::StopContainer { target, .. } => {
            is_of(event, target) && matches!(told, "kill" | "unpause" | "die" | "stop")
        }
        Action::RemoveContainer { target, .. } => is_of(event, target) && told == "destroy",
        Action::Await { target, .. } => is_of(event, target) && told == "health_status: healthy",
        _ => false,
    }
}

/// Events of networks tell the container's id and not its name.
fn is_member(event: &EngineEvent, target: &Target) -> bool {
    match &target.container {
        TargetContainer::Id(id) => event.container_id.as_ref() == Some(id),
        TargetContainer::MadeBy(_) => true,
    }
}

fn is_of(event: &EngineEvent, target: &Target) -> bool {
    match &target.container {
        TargetContainer::Id(id) => *id == event.actor_id,
        TargetContainer::MadeBy(_) => target.name == event.name,
    }
}
