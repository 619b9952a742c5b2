//! `down`: take the stack's containers and networks away. Volumes only when they are named.

use std::collections::{BTreeMap, BTreeSet};

use super::anonymous::tell_about_left_volumes;
use super::containers::is_up;
use super::draft::Draft;
use super::listed;
use super::settle::DRAIN_SECS;
use super::start_stop::{labelled_leaning, stop_in_order};
use crate::edge::Site;
use crate::observed::{Container, Maker, Observed, ObservedNetwork};
use crate::plan::{Action, Impact, Level, StackOrder, StepId, Target};

pub(super) fn down(order: &StackOrder, world: &Observed) -> Draft {
    let mut draft = Draft::default();
    let (ours, theirs): (Vec<&Container>, Vec<&Container>) = world
        .containers
        .iter()
        .filter(|c| c.stack.as_ref() == Some(&order.stack) && c.maker != Maker::Foreign)
        .filter(|c| order.services.is_empty() || c.service.as_ref().is_some_and(|s| order.services.contains(s)))
        .partition(|container| container.maker == Maker::Mainstay);
    tell_about_compose(&mut draft, order, &theirs);
    let unrouted = if order.services.is_empty() { unroute(&mut draft, order, world) } else { None };
    let leaning = labelled_leaning(&ours);
    let running: Vec<&Container> = ours.iter().copied().filter(|container| is_up(container)).collect();
    let stops = stop_in_order(&mut draft, &running, &leaning, order.timeout_secs, "`down` was ordered");
    let is_served = |container: &Container| world.edge.as_ref().is_some_and(|edge| edge.leads_to(&container.id));
    // Nothing is sent any more to what is about to stop, and what is under way is answered.
    for (id, stop) in &stops {
        let Some(unrouted) = unrouted else { break };
        let served = running.iter().find(|container| container.id == *id && is_served(container));
        let before = served.filter(|_| order.timeout_secs != Some(0)).map(|container| {
            let action = Action::Drain { target: Target::observed(container), within_secs: DRAIN_SECS };
            draft.add(action, Impact::Live, "`down` was ordered", [unrouted])
        });
        draft.need(*stop, before.unwrap_or(unrouted));
    }
    let mut removals: BTreeMap<String, StepId> = BTreeMap::new();
    for container in &ours {
        let action = Action::RemoveContainer { target: Target::observed(container), volumes: false };
        let after = stops.get(&container.id).copied();
        let step = draft.add(action, Impact::Live, "`down` was ordered", after);
        removals.insert(container.id.clone(), step);
    }
    if order.services.is_empty() {
        for network in &world.networks {
            network_down(&mut draft, order, world, network, &removals);
        }
    }
    for name in &order.volumes {
        volume_down(&mut draft, order, world, name, &removals);
    }
    tell_about_kept_volumes(&mut draft, order, world);
    tell_about_left_volumes(&mut draft, world, Level::Note);
    draft
}

fn unroute(draft: &mut Draft, order: &StackOrder, world: &Observed) -> Option<StepId> {
    let sites = world.edge.iter().flat_map(|edge| &edge.sites).filter(|site| site.stack == order.stack);
    let addresses: Vec<String> = sites.map(Site::address).collect();
    if addresses.is_empty() {
        // A first release that failed before its commit may have left it.
        let previews = world.edge.as_ref().is_some_and(|edge| edge.previews.contains(&order.stack));
        return previews.then(|| draft.add(Action::ClosePreview, Impact::Live, "`down` was ordered", []));
    }
    Some(draft.add(Action::Unroute { addresses }, Impact::Live, "`down` was ordered", []))
}

/// The edge leaves a network that goes: it was on it for this stack alone.
pub(super) fn edge_leaves(
    draft: &mut Draft,
    world: &Observed,
    network: &ObservedNetwork,
    after: &[StepId],
) -> Option<StepId> {
    let edge = world.container_named(&world.edge.as_ref()?.container)?;
    let endpoint = edge.endpoints.iter().find(|endpoint| endpoint.network == network.name)?;
    let action = Action::Detach {
        target: Target { service: None, ..Target::observed(edge) },
        network: network.name.clone(),
        network_id: endpoint.network_id.clone(),
    };
    Some(draft.add(action, Impact::Live, "nothing is routed there any more", after.iter().copied()))
}

/// Law 4: they carry this project's label, yet Mainstay did not make them.
fn tell_about_compose(draft: &mut Draft, order: &StackOrder, theirs: &[&Container]) {
    if theirs.is_empty() {
        return;
    }
    let names: Vec<&String> = theirs.iter().map(|container| &container.name).collect();
    let message = format!("{} made by `docker compose`: left alone", listed(&names));
    let hint = format!("`docker compose -p {} down`", order.stack);
    draft.tell(Level::Note, "made-by-compose", message, Some(&hint));
}

/// A network goes after all our containers on it; one that others are on stays, and their attachments with it.
fn network_down(
    draft: &mut Draft,
    order: &StackOrder,
    world: &Observed,
    network: &ObservedNetwork,
    removals: &BTreeMap<String, StepId>,
) {
    if network.stack.as_ref() != Some(&order.stack) {
        return;
    }
    if network.maker != Maker::Mainstay {
        let message = format!("the network `{}` was not made by Mainstay: left alone", network.name);
        draft.tell(Level::Note, "network-left", message, None);
        return;
    }
    let on_it = |container: &&Container| {
        let mut endpoints = container.endpoints.iter().filter(|endpoint| endpoint.network == network.name);
        endpoints.any(|endpoint| endpoint.network_id == network.id || endpoint.network_id.is_empty())
    };
    let edge = world.edge.as_ref().map(|edge| edge.container.as_str());
    let mut others: BTreeSet<&String> = network
        .members
        .iter()
        .filter(|member| !removals.contains_key(&member.container_id) && Some(&*member.container_name) != edge)
        .map(|member| &member.container_name)
        .collect();
    let observed = world.containers.iter().filter(on_it);
    let observed = observed.filter(|c| !removals.contains_key(&c.id) && Some(&*c.name) != edge);
    others.extend(observed.map(|container| &container.name));
    if !others.is_empty() {
        let names: Vec<&String> = others.into_iter().collect();
        let message = format!("the network `{}` stays: {} on it", network.name, listed(&names));
        draft.tell(
            Level::Note,
            "network-in-use",
            message,
            Some("it goes with the next `down` after they have left it"),
        );
        return;
    }
    // Members know about running containers only and endpoints may lack an id, so all our removals come first.
    let mut after: Vec<StepId> = removals.values().copied().collect();
    // It may be the edge itself that goes.
    let edge_goes =
        edge.and_then(|name| world.container_named(name)).is_some_and(|edge| removals.contains_key(&edge.id));
    if !edge_goes {
        after.extend(edge_leaves(draft, world, network, &after));
    }
    let action = Action::RemoveNetwork { id: network.id.clone(), name: network.name.clone() };
    draft.add(action, Impact::Live, "nobody is on it any more", after);
}

fn volume_down(
    draft: &mut Draft,
    order: &StackOrder,
    world: &Observed,
    name: &str,
    removals: &BTreeMap<String, StepId>,
) {
    let Some(volume) = world.volume_named(name) else {
        let message = format!("the volume `{name}` is not there");
        draft.tell(Level::Note, "volume-absent", message, None);
        return;
    };
    if volume.stack.as_ref() != Some(&order.stack) || volume.maker == Maker::Foreign {
        let message = format!("the volume `{name}` was not made for the stack `{}`", order.stack);
        let hint = format!("`docker volume rm {name}` removes it, and its data");
        draft.tell(Level::Refusal, "foreign-volume", message, Some(&hint));
        return;
    }
    let action = Action::RemoveVolume { name: name.into() };
    draft.add(action, Impact::Destroy, "it was named, and its data goes with it", removals.values().copied());
}

fn tell_about_kept_volumes(draft: &mut Draft, order: &StackOrder, world: &Observed) {
    let kept: Vec<&String> = world
        .volumes
        .iter()
        .filter(|volume| volume.stack.as_ref() == Some(&order.stack) && !order.volumes.contains(&volume.name))
        .map(|volume| &volume.name)
        .collect();
    if !kept.is_empty() && order.services.is_empty() {
        let message = format!("kept with {} data: {}", super::plural(kept.len(), "its", "their"), listed(&kept));
        draft.tell(Level::Note, "volumes-kept", message, None);
    }
}
