//! The attachments of containers that stay: brought back while they run, and never by a restart.

use super::draft::Draft;
use super::networks::Place;
use super::up::Up;
use super::{listed, plural};
use crate::declared::{Attachment, Service};
use crate::observed::{Container, Endpoint, State};
use crate::plan::{Action, Impact, Level, StepId, Target};

impl Place {
    /// The step that makes the network.
    pub fn made(&self) -> Option<StepId> {
        match self {
            Place::Made(step) | Place::Alone(_, step) => Some(*step),
            _ => None,
        }
    }
}

impl<'a> Up<'a> {
    /// The last step of each repair.
    ///
    /// Networks that are not declared are somebody's and are left as they are. Those that a former declaration of this
    /// container had are told while it runs; when it starts anyway they are left behind first, because the engine
    /// does not start a container on a network that is gone, and that one cannot be seen from here.
    pub fn repair_attachments(&mut self, service: &Service, container: &Container, starts: bool) -> Vec<StepId> {
        let mut repairs = Vec::new();
        for attachment in &service.attachments {
            let place = self.places.get(&attachment.network).unwrap_or(&Place::Nowhere);
            repairs.extend(repair(&mut self.draft, container, attachment, place));
        }
        let formerly = container.declared_attachments.iter().flatten().map(|attachment| &attachment.network);
        let left: Vec<&String> = formerly
            .filter(|network| container.endpoint(network).is_some())
            .filter(|network| service.attachments.iter().all(|attachment| attachment.network != **network))
            .collect();
        if starts {
            let endpoints = container.endpoints.iter().filter(|endpoint| left.contains(&&endpoint.network));
            for endpoint in endpoints {
                let why = format!("it no longer declares `{}`", endpoint.network);
                repairs.push(leave(&mut self.draft, container, endpoint, &why, None));
            }
        } else if !left.is_empty() {
            let message = format!("`{}` is still on {}, which it no longer declares", container.name, listed(&left));
            let hint = format!("`docker network disconnect {} {}`", left[0], container.name);
            self.draft.tell(Level::Note, "left-on-network", message, Some(&hint));
        }
        repairs
    }
}

/// Brings one attachment of one container back; gives the step that joins, when there is something to do.
pub(super) fn repair(
    draft: &mut Draft,
    container: &Container,
    attachment: &Attachment,
    place: &Place,
) -> Option<StepId> {
    let network = &attachment.network;
    let on: Vec<&Endpoint> = container.endpoints.iter().filter(|endpoint| endpoint.network == *network).collect();
    let (right, dead): (Vec<&Endpoint>, Vec<&Endpoint>) =
        on.into_iter().partition(|endpoint| leads_there(endpoint, place, container));
    let after = match place {
        Place::Nowhere => return None,
        Place::Promised if !right.is_empty() => return None,
        Place::Made(step) | Place::Alone(_, step) => Some(*step),
        Place::There(_) | Place::Promised => None,
    };
    let mut before: Vec<StepId> = after.into_iter().collect();
    for endpoint in &dead {
        let why = format!("`{network}` was removed under it");
        before.push(leave(draft, container, endpoint, &why, after));
    }
    let why = match right.first() {
        Some(endpoint) => {
            let lacks = lacks(endpoint, attachment)?;
            before.push(leave(draft, container, endpoint, &format!("{lacks}; it joins again at once"), after));
            lacks
        }
        None if dead.is_empty() => format!("it is not on `{network}`"),
        None => format!("`{network}` was made anew"),
    };
    let action = Action::Attach { target: Target::observed(container), attachment: attachment.clone() };
    Some(draft.add(action, Impact::Live, why, before))
}

/// Whether an endpoint belongs to the network that now has the name.
fn leads_there(endpoint: &Endpoint, place: &Place, container: &Container) -> bool {
    match place {
        // Engines that keep no id for a container that does not run find its network by name when it starts.
        Place::There(id) | Place::Alone(id, _) => endpoint.network_id == *id || endpoint.network_id.is_empty(),
        Place::Made(_) => endpoint.network_id.is_empty() && container.state != State::Running,
        Place::Promised | Place::Nowhere => true,
    }
}

/// What an endpoint lacks of its declaration. More aliases than declared are somebody's and stay, and so does an
/// address where none is declared: taking it away would cut connections for nothing.
fn lacks(endpoint: &Endpoint, attachment: &Attachment) -> Option<String> {
    let missing: Vec<&String> = attachment.aliases.iter().filter(|alias| !endpoint.aliases.contains(alias)).collect();
    let network = &attachment.network;
    if !missing.is_empty() {
        let word = plural(missing.len(), "alias", "aliases");
        return Some(format!("it lacks the {word} {} on `{network}`", listed(&missing)));
    }
    let addresses =
        [(&attachment.ipv4_address, &endpoint.static_ipv4), (&attachment.ipv6_address, &endpoint.static_ipv6)];
    let other = addresses.into_iter().find(|(declared, given)| declared.is_some() && declared != given);
    other.and_then(|(declared, _)| declared.as_ref()).map(|address| format!("it is not at {address} on `{network}`"))
}

fn leave(draft: &mut Draft, container: &Container, endpoint: &Endpoint, why: &str, after: Option<StepId>) -> StepId {
    let action = Action::Detach {
        target: Target::observed(container),
        network: endpoint.network.clone(),
        network_id: endpoint.network_id.clone(),
    };
    draft.add(action, Impact::Live, why, after)
}
