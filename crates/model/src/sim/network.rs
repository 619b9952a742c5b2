//! Networks, and who is on them.

use super::{SimError, count};
use crate::declared::{Attachment, Declared};
use crate::identity::digest;
use crate::observed::{Container, Endpoint, Maker, Member, Observed, ObservedNetwork, State};

pub(super) fn create(world: &mut Observed, key: &str, name: &str, declared: Option<&Declared>) -> Result<(), SimError> {
    let network = declared.and_then(|declared| declared.networks.get(key));
    let network = network.ok_or_else(|| SimError::NotDeclared(name.into()))?;
    if let Some(there) = world.networks_named(name).next() {
        let is_same = there.stack.as_ref() == Some(&world.stack) && there.digest == Some(digest(network));
        return if is_same { Ok(()) } else { Err(SimError::MadeOtherwise(name.into())) };
    }
    let id = count::fresh_id(world, "network");
    world.networks.push(ObservedNetwork {
        id,
        name: name.into(),
        maker: Maker::Mainstay,
        stack: Some(world.stack.clone()),
        key: Some(key.into()),
        driver: network.driver.clone().unwrap_or_else(|| "bridge".into()),
        internal: network.internal,
        digest: Some(digest(network)),
        members: Vec::new(),
    });
    Ok(())
}

/// Endpoints of containers that do not run stay behind, dead, as they do on an engine.
pub(super) fn remove(world: &mut Observed, id: &str, name: &str) -> Result<(), SimError> {
    let Some(at) = world.networks.iter().position(|network| network.id == id) else { return Ok(()) };
    if !world.networks[at].members.is_empty() {
        return Err(SimError::NetworkInUse(name.into()));
    }
    world.networks.remove(at);
    Ok(())
}

/// The one network with a name.
pub(super) fn one<'w>(world: &'w Observed, name: &str) -> Result<&'w ObservedNetwork, SimError> {
    let mut found = world.networks.iter().filter(|network| network.name == name);
    match (found.next(), found.next()) {
        (Some(network), None) => Ok(network),
        (None, _) => Err(SimError::NoNetwork(name.into())),
        (Some(_), Some(_)) => Err(SimError::ManyNetworks(name.into())),
    }
}

/// The network that an endpoint is on; one without an id is on whatever has the name.
pub(super) fn of_endpoint<'w>(world: &'w Observed, endpoint: &Endpoint) -> Option<&'w ObservedNetwork> {
    world.networks.iter().find(|network| match endpoint.network_id.as_str() {
        "" => network.name == endpoint.network,
        id => network.id == id,
    })
}

/// What a container gets by joining a network.
pub(super) fn endpoint(network: &ObservedNetwork, attachment: &Attachment) -> Endpoint {
    Endpoint {
        network: network.name.clone(),
        network_id: network.id.clone(),
        aliases: attachment.aliases.clone(),
        ipv4_address: attachment.ipv4_address.clone(),
        ipv6_address: attachment.ipv6_address.clone(),
        static_ipv4: attachment.ipv4_address.clone(),
        static_ipv6: attachment.ipv6_address.clone(),
    }
}

/// A dead endpoint is written over, a live one stays as it is.
pub(super) fn attach(world: &mut Observed, id: &str, attachment: &Attachment) -> Result<(), SimError> {
    let endpoint = endpoint(one(world, &attachment.network)?, attachment);
    let container = super::container::find(world, id)?.clone();
    if let Some(there) = container.endpoint(&attachment.network)
        && of_endpoint(world, there).is_some()
    {
        let is_as_declared = attachment.aliases.iter().all(|alias| there.aliases.contains(alias))
            && (attachment.ipv4_address.is_none() || attachment.ipv4_address == there.static_ipv4)
            && (attachment.ipv6_address.is_none() || attachment.ipv6_address == there.static_ipv6);
        let refusal = || SimError::AlreadyAttached(container.name.clone(), attachment.network.clone());
        return is_as_declared.then_some(()).ok_or_else(refusal);
    }
    let container = super::container::find(world, id)?;
    container.endpoints.retain(|there| there.network != attachment.network);
    container.endpoints.push(endpoint);
    Ok(())
}

/// An endpoint on another network that has the name by now is not the one that was meant, and stays.
pub(super) fn detach(world: &mut Observed, id: &str, network: &str, network_id: &str) -> Result<(), SimError> {
    let Ok(container) = super::container::find(world, id) else { return Ok(()) };
    let is_meant = |endpoint: &Endpoint| {
        endpoint.network == network && (endpoint.network_id == network_id || endpoint.network_id.is_empty())
    };
    let was_on_it = container.endpoint(network).is_some();
    if was_on_it && !container.endpoints.iter().any(is_meant) {
        return Err(SimError::OnAnother(container.name.clone(), network.into()));
    }
    container.endpoints.retain(|endpoint| !is_meant(endpoint));
    Ok(())
}

/// Members of other stacks are as the look brought them; those of containers in this world follow the containers.
pub fn refresh_members(world: &mut Observed) {
    let Observed { containers, networks, .. } = world;
    for network in networks.iter_mut() {
        let on_it = |container: &&Container| {
            let runs = matches!(container.state, State::Running | State::Paused);
            runs && container.endpoints.iter().any(|endpoint| endpoint.network_id == network.id)
        };
        let now: Vec<Member> = containers.iter().filter(on_it).map(|c| member(c, &network.name)).collect();
        network.members.retain(|member| {
            let of_this_world = member.stack.is_some() && member.stack.as_ref() == Some(&world.stack);
            !of_this_world && containers.iter().all(|container| container.id != member.container_id)
        });
        network.members.extend(now);
    }
}

fn member(container: &Container, network: &str) -> Member {
    Member {
        container_id: container.id.clone(),
        container_name: container.name.clone(),
        stack: container.stack.clone(),
        service: container.service.as_ref().map(ToString::to_string),
        aliases: container.endpoint(network).map(|endpoint| endpoint.aliases.clone()).unwrap_or_default(),
    }
}
