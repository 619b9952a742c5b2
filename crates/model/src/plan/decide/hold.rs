//! `hold`: the loop's own order. It brings back lost attachments, and starts what crashed for want of them, or for want
//! of another stack that is back; nothing else.
//!
//! Every step is live. A container that works is never stopped for it, one that crashed because of it is started
//! after it is attached, and one that a person stopped is attached and left.

use std::collections::{BTreeMap, BTreeSet};

use super::attachments::repair;
use super::draft::Draft;
use super::networks::{Place, only_one};
use crate::identity::{ServiceName, StackName};
use crate::observed::{Container, Observed, State};
use crate::plan::{Action, HeldService, Impact, Level, StepId, Target};

/// What is back, so that who crashed for want of it need not wait out the engine's back-off.
pub(super) struct Back<'a> {
    pub returned: &'a BTreeMap<ServiceName, StackName>,
    pub reattached: &'a BTreeSet<ServiceName>,
}

impl Back<'_> {
    fn why(&self, service: &ServiceName) -> Option<String> {
        if self.reattached.contains(service) {
            return Some(NETWORKS.into());
        }
        self.returned.get(service).map(|stack| format!("the stack `{stack}` that it leans on is back"))
    }
}

const NETWORKS: &str = "its networks are back";

pub(super) fn hold(stack: &StackName, services: &[HeldService], back: &Back<'_>, world: &Observed) -> Draft {
    let mut draft = Draft::default();
    let mut held: Vec<&HeldService> = services.iter().collect();
    held.sort_by_key(|service| &service.service);
    let missing = |name: &str| Missing {
        level: Level::Warning,
        message: format!("the held network `{name}` does not exist"),
        hint: "its stack makes it: `mainstay up` there; the attachments come back by themselves".into(),
    };
    let places = places(&mut draft, &held, world, missing);
    for service in held {
        let containers: Vec<&Container> =
            world.containers.iter().filter(|container| stands_for(container, stack, service)).collect();
        let before = draft.steps().len();
        for container in &containers {
            hold_container(&mut draft, container, service, back, &places);
        }
        if draft.steps().len() == before && !containers.is_empty() {
            draft.unchanged.push(service.service.clone());
        }
    }
    draft
}

/// By label, whoever made it; or by name, when a foreign command made it without labels. A container that says it
/// belongs to another stack or service is not meant, whatever its name.
fn stands_for(container: &Container, stack: &StackName, service: &HeldService) -> bool {
    // One that never started belongs to whoever is making it right now, and is looked at when it starts.
    if container.one_off || matches!(container.state, State::Created | State::Removing | State::Dead) {
        return false;
    }
    match (&container.stack, &container.service) {
        (Some(of), Some(named)) => of == stack && *named == service.service,
        (None, _) => service.container_names.contains(&container.name),
        (Some(_), None) => false,
    }
}

/// What is said of a network that is not there.
pub(super) struct Missing {
    pub level: Level,
    pub message: String,
    pub hint: String,
}

/// A held network that is not there, or there twice, is told and waited for: without the files no network is made.
pub(super) fn places(
    draft: &mut Draft,
    held: &[&HeldService],
    world: &Observed,
    missing: impl Fn(&str) -> Missing,
) -> BTreeMap<String, Place> {
    let mut places = BTreeMap::new();
    for attachment in held.iter().flat_map(|service| &service.attachments) {
        let name = &attachment.network;
        if places.contains_key(name) {
            continue;
        }
        let place = match only_one(world, name) {
            Ok(Some(network)) => Place::There(network.id.clone()),
            Ok(None) => {
                let Missing { level, message, hint } = missing(name);
                draft.tell(level, "missing-network", message, Some(&hint));
                Place::Nowhere
            }
            Err(ids) => {
                let message = format!("{} networks are called `{name}`: its attachments cannot be held", ids.len());
                let hint = format!("look with `docker network inspect {}`", ids.join(" "));
                draft.tell(Level::Warning, "ambiguous-network", message, Some(&hint));
                Place::Nowhere
            }
        };
        places.insert(name.clone(), place);
    }
    places
}

/// Brings a container's attachments back; gives the last step of each repair.
pub(super) fn repair_all(
    draft: &mut Draft,
    container: &Container,
    service: &HeldService,
    places: &BTreeMap<String, Place>,
) -> Vec<StepId> {
    let place = |network| places.get(network).unwrap_or(&Place::Nowhere);
    let attachments = service.attachments.iter();
    attachments.filter_map(|held| repair(draft, container, held, place(&held.network))).collect()
}

fn hold_container(
    draft: &mut Draft,
    container: &Container,
    service: &HeldService,
    back: &Back<'_>,
    places: &BTreeMap<String, Place>,
) {
    let repairs = repair_all(draft, container, service, places);
    let back = if repairs.is_empty() { back.why(&service.service) } else { Some(NETWORKS.into()) };
    if let (Some(state), Some(back)) = (crashed(container), back) {
        let action = Action::StartContainer { target: Target::observed(container) };
        draft.add(action, Impact::Live, format!("{state}, and {back}"), repairs);
    }
}

/// How a container is down that can be taken to be so because of what is back now; `None` where it is not, or was stopped.
///
/// A policy that restarts leaves a container exited only when a person stopped it or when the engine gave up. The exit
/// code tells them apart: a stop ends with the code of its signal (SIGINT, SIGTERM, or SIGKILL after the grace) or, if
/// the program ends cleanly on it, with 0.
fn crashed(container: &Container) -> Option<String> {
    const BY_SIGNAL: [i64; 3] = [130, 137, 143];
    match (container.state, container.exit_code) {
        (State::Restarting, _) => Some("it waits after a crash".into()),
        (State::Exited, Some(code)) if container.restarts_itself && code != 0 => {
            let by_person = BY_SIGNAL.contains(&code) && !container.oom_killed;
            (!by_person).then(|| format!("it crashed (exit code {code})"))
        }
        _ => None,
    }
}
