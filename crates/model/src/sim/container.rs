//! The life of a container.

use std::collections::BTreeMap;

use super::{SimError, count, network};
use crate::declared::container::{MountKind, Occupant, Restart, bare_path};
use crate::declared::{Attachment, Condition, Declared, NetworkMode, Service};
use crate::identity::ServiceName;
use crate::observed::{AnonymousVolume, Container, Endpoint, Health, Maker, Observed, State, is_later};
use crate::plan::StepId;

/// Where a port is published that names no address.
const ANYWHERE: &str = "0.0.0.0";

/// A container to be made.
pub(super) struct New<'a> {
    pub service: &'a ServiceName,
    pub number: u32,
    pub name: &'a str,
    pub networks: &'a [String],
    pub carried: &'a [AnonymousVolume],
}

pub(super) fn find<'w>(world: &'w mut Observed, id: &str) -> Result<&'w mut Container, SimError> {
    let found = world.containers.iter_mut().find(|container| container.id == id);
    found.ok_or_else(|| SimError::NoContainer(id.into()))
}

pub(super) fn create(
    world: &mut Observed,
    new: &New<'_>,
    declared: &Declared,
    made: &BTreeMap<StepId, String>,
) -> Result<String, SimError> {
    let service = declared.services.get(new.service);
    let service = service.ok_or_else(|| SimError::NotDeclared(new.service.to_string()))?;
    if let Some(there) = world.container_named(new.name) {
        let is_same =
            is_as_wanted(there, new, service, declared) && world.images.get(&service.image) == Some(&there.image_id);
        return if is_same { Ok(there.id.clone()) } else { Err(SimError::NameTaken(new.name.into())) };
    }
    let image_id = world.images.get(&service.image).cloned();
    let image_id = image_id.ok_or_else(|| SimError::NoImage(service.image.clone()))?;
    for mount in service.container.mounts.iter().filter(|mount| mount.kind == MountKind::Volume) {
        if let Some(source) = mount.source.as_ref().filter(|source| world.volume_named(source).is_none()) {
            return Err(SimError::NoVolume(source.clone()));
        }
    }
    let endpoints = new.networks.iter().map(|name| endpoint(world, service, name)).collect::<Result<_, _>>()?;
    let id = count::fresh_id(world, "container");
    let container = Container {
        anonymous_volumes: anonymous_volumes(world, service, new, &id)?,
        id,
        name: new.name.into(),
        maker: Maker::Mainstay,
        stack: Some(declared.stack.clone()),
        service: Some(service.name.clone()),
        number: new.number,
        one_off: false,
        keeper: None,
        image: service.image.clone(),
        image_id,
        state: State::Created,
        health: Health::Unverified,
        exit_code: None,
        oom_killed: false,
        started_at: String::new(),
        finished_at: String::new(),
        created_at: count::now(world),
        restart_count: 0,
        restarts_itself: service.container.restart != Restart::No,
        may_end: matches!(service.container.restart, Restart::No | Restart::OnFailure { .. }),
        endpoints,
        network_mode: mode(world, service, new.networks, made)?,
        fields: Some(service.fields()),
        declared_attachments: Some(service.attachments.clone()),
        depends_on: service.depends_on.iter().map(label).collect(),
        requires: declared.requires.clone(),
        ports: Vec::new(),
    };
    let id = container.id.clone();
    world.containers.push(container);
    Ok(id)
}

/// What an interrupted run made for the same wish, and did not start, is given again.
fn is_as_wanted(there: &Container, new: &New<'_>, service: &Service, declared: &Declared) -> bool {
    let of_it = there.stack.as_ref() == Some(&declared.stack) && there.service.as_ref() == Some(new.service);
    let made_so = there.maker == Maker::Mainstay && there.fields == Some(service.fields());
    let has_all = new.carried.iter().all(|volume| there.anonymous_volumes.contains(volume));
    of_it && made_so && has_all && there.number == new.number && there.state == State::Created
}

/// One volume for each path where the declaration or the image asks for one: a carried one, else a new one.
fn anonymous_volumes(
    world: &Observed,
    service: &Service,
    new: &New<'_>,
    id: &str,
) -> Result<Vec<AnonymousVolume>, SimError> {
    let mounted = |volume: &AnonymousVolume| {
        let mut all = world.containers.iter().flat_map(|container| &container.anonymous_volumes);
        all.any(|other| other.name == volume.name)
    };
    if let Some(gone) = new.carried.iter().find(|volume| !mounted(volume)) {
        return Err(SimError::NoVolume(gone.name.clone()));
    }
    let spec = &service.container;
    let declared = spec.mounts.iter().filter(|mount| mount.is_anonymous()).map(|mount| bare_path(&mount.target));
    let of_image = world.image_volumes.get(&service.image).into_iter().flatten().map(String::as_str);
    let of_image = of_image.filter(|target| spec.occupant(target) == Occupant::Nobody);
    let mut volumes: Vec<AnonymousVolume> = declared
        .chain(of_image)
        .map(|target| {
            let carried = new.carried.iter().find(|volume| volume.target == target).cloned();
            carried.unwrap_or_else(|| AnonymousVolume { target: target.into(), name: format!("{id}{target}") })
        })
        .collect();
    volumes.sort();
    Ok(volumes)
}

fn endpoint(world: &Observed, service: &Service, name: &str) -> Result<Endpoint, SimError> {
    let declared = service.attachments.iter().find(|attachment| attachment.network == name);
    let attachment = declared.cloned().unwrap_or_else(|| Attachment { network: name.into(), ..Attachment::default() });
    Ok(network::endpoint(network::one(world, name)?, &attachment))
}

fn label((on, dependency): (&ServiceName, &crate::declared::Dependency)) -> (ServiceName, String, bool) {
    let condition = match dependency.condition {
        Condition::Started => "service_started",
        Condition::Healthy => "service_healthy",
        Condition::Completed => "service_completed_successfully",
    };
    (on.clone(), condition.into(), dependency.restart)
}

fn mode(
    world: &Observed,
    service: &Service,
    networks: &[String],
    made: &BTreeMap<StepId, String>,
) -> Result<String, SimError> {
    Ok(match &service.network_mode {
        NetworkMode::Attached => {
            let first = service.attachments.iter().find(|attachment| networks.contains(&attachment.network));
            first.map_or("none".into(), |first| first.network.clone())
        }
        NetworkMode::None => "none".into(),
        NetworkMode::Host => "host".into(),
        NetworkMode::Bridge => "bridge".into(),
        NetworkMode::Service(owner) => {
            // The owner's first container that this plan made; else the newest that runs.
            let mut owners = world.of_service(owner);
            let first = owners.first().map_or(0, |container| container.number);
            owners.retain(|container| container.number == first);
            let by_plan = owners.iter().find(|container| made.values().any(|id| *id == container.id));
            let serving = owners.iter().filter(|container| container.state == State::Running);
            let serving =
                serving.reduce(|one, other| if is_later(&other.created_at, &one.created_at) { other } else { one });
            let chosen = by_plan.or(serving).or_else(|| owners.first());
            format!("container:{}", chosen.ok_or_else(|| SimError::NoContainer(owner.to_string()))?.id)
        }
        NetworkMode::Container(name) => {
            let owner = world.container_named(name).ok_or_else(|| SimError::NoContainer(name.clone()))?;
            format!("container:{}", owner.id)
        }
    })
}

pub(super) fn start(world: &mut Observed, id: &str, declared: Option<&Declared>) -> Result<(), SimError> {
    let container = find(world, id)?.clone();
    if let State::Running | State::Paused = container.state {
        find(world, id)?.state = State::Running;
        return Ok(());
    }
    let mut endpoints = container.endpoints.clone();
    for endpoint in &mut endpoints {
        let network = network::of_endpoint(world, endpoint);
        let network = network.ok_or_else(|| SimError::NoNetwork(endpoint.network.clone()))?;
        endpoint.network_id.clone_from(&network.id);
    }
    if let Some(owner) = container.network_mode.strip_prefix("container:") {
        let owner = world.container(owner).ok_or_else(|| SimError::NoContainer(owner.into()))?;
        if owner.state != State::Running {
            return Err(SimError::NotRunning(owner.name.clone()));
        }
    }
    let service = container.service.as_ref().and_then(|name| declared?.services.get(name));
    let ports = service.map(published).unwrap_or_default();
    let others = world.containers.iter().filter(|other| other.id != id && other.state == State::Running);
    if let Some(port) = others.flat_map(|other| &other.ports).find(|port| ports.iter().any(|own| clash(own, port))) {
        return Err(SimError::PortTaken(port.clone()));
    }
    let now = count::now(world);
    let container = find(world, id)?;
    container.state = State::Running;
    container.endpoints = endpoints;
    container.started_at = now;
    container.exit_code = None;
    container.ports = ports;
    container.health = match service.and_then(|service| service.container.healthcheck.as_ref()) {
        Some(_) => Health::Starting,
        None => Health::Unverified,
    };
    Ok(())
}

fn published(service: &Service) -> Vec<String> {
    let ports = service.container.ports.iter();
    let mut texts: Vec<String> = ports
        .filter_map(|port| {
            let ip = port.host_ip.as_deref().unwrap_or(ANYWHERE);
            Some(format!("{ip}:{}->{}/{}", port.published.as_ref()?, port.target, port.protocol))
        })
        .collect();
    texts.sort();
    texts
}

/// The same port of the machine, at the same address or at all of them.
fn clash(one: &str, other: &str) -> bool {
    let parts = |text: &str| -> Option<(String, String)> {
        let (address, target) = text.split_once("->")?;
        let (ip, port) = address.rsplit_once(':')?;
        let (_, protocol) = target.rsplit_once('/')?;
        Some((ip.to_owned(), format!("{port}/{protocol}")))
    };
    let (Some(one), Some(other)) = (parts(one), parts(other)) else { return one == other };
    one.1 == other.1 && (one.0 == other.0 || one.0 == ANYWHERE || other.0 == ANYWHERE)
}

fn end(world: &mut Observed, id: &str, exit_code: i64) {
    let now = count::now(world);
    if let Ok(container) = find(world, id) {
        container.state = State::Exited;
        container.exit_code = Some(exit_code);
        container.finished_at = now;
        container.ports.clear();
        // An engine says so of whatever has a health check and does not run.
        if container.health != Health::Unverified {
            container.health = Health::Unhealthy;
        }
    }
}

pub(super) fn stop(world: &mut Observed, id: &str) {
    let state = world.container(id).map(|container| container.state);
    if let Some(State::Running | State::Paused | State::Restarting) = state {
        end(world, id, 143);
    }
}

pub(super) fn remove(world: &mut Observed, id: &str) -> Result<(), SimError> {
    let Some(container) = world.container(id) else { return Ok(()) };
    if matches!(container.state, State::Running | State::Paused | State::Restarting) {
        return Err(SimError::Running(container.name.clone()));
    }
    world.containers.retain(|container| container.id != id);
    Ok(())
}

pub(super) fn rename(world: &mut Observed, id: &str, to: &str) -> Result<(), SimError> {
    if world.container_named(to).is_some_and(|holder| holder.id != id) {
        return Err(SimError::NameTaken(to.into()));
    }
    find(world, id)?.name = to.into();
    Ok(())
}

pub(super) fn wait(world: &mut Observed, id: &str, condition: Condition) -> Result<(), SimError> {
    let container = find(world, id)?;
    let ended_well = container.state == State::Exited && container.exit_code == Some(0);
    match (condition, container.state) {
        (Condition::Started, _) if ended_well => {}
        (Condition::Started, State::Running | State::Paused) => {}
        (Condition::Healthy, State::Running | State::Paused) if container.health == Health::Unverified => {}
        (Condition::Healthy, State::Paused) if container.health == Health::Healthy => {}
        (Condition::Healthy, State::Running) => container.health = Health::Healthy,
        (Condition::Completed, State::Running) => end(world, id, 0),
        (Condition::Completed, _) if ended_well => {}
        _ => return Err(SimError::NotReady(container.name.clone())),
    }
    Ok(())
}
