//! The edge in a simulated world: it reaches what it shares a network with, and serves what it was told.

use std::collections::BTreeMap;

use super::{SimError, id_of};
use crate::declared::Declared;
use crate::edge::{Site, wanted};
use crate::identity::ServiceName;
use crate::observed::{Container, Observed, State};
use crate::plan::{PlannedRoute, StepId};

pub(super) fn probe(world: &Observed, id: &str, name: &str) -> Result<(), SimError> {
    let unreached = || SimError::NotReached(name.to_owned());
    let container = world.container(id).ok_or_else(|| SimError::NoContainer(name.to_owned()))?;
    let edge = world.edge.as_ref().and_then(|edge| world.container_named(&edge.container)).ok_or_else(unreached)?;
    let is_reached = container.state == State::Running && share_a_network(container, edge);
    if is_reached { Ok(()) } else { Err(unreached()) }
}

fn share_a_network(one: &Container, other: &Container) -> bool {
    one.endpoints.iter().any(|endpoint| other.endpoints.iter().any(|at| at.network_id == endpoint.network_id))
}

pub(super) fn commit(
    world: &mut Observed,
    routes: &[PlannedRoute],
    kept: &[ServiceName],
    declared: Option<&Declared>,
    made: &BTreeMap<StepId, String>,
) -> Result<(), SimError> {
    let declared = declared.ok_or_else(|| SimError::NotDeclared("the release".into()))?;
    let mut sites: Vec<Site> = Vec::new();
    for planned in routes {
        let service = declared.services.get(&planned.service);
        let service = service.ok_or_else(|| SimError::NotDeclared(planned.service.to_string()))?;
        let mut declared_routes = service.routes.iter();
        let route = declared_routes.find(|route| (&route.host, &route.path) == (&planned.host, &planned.path));
        let route = route.ok_or_else(|| SimError::NotDeclared(planned.address()))?;
        let ids: Result<Vec<String>, SimError> = planned.to.iter().map(|target| id_of(target, made)).collect();
        sites.push(wanted::site(&declared.stack, service, route, &ids?));
    }
    let stack = world.stack.clone();
    let edge = world.edge.as_mut().ok_or_else(|| SimError::NotReached("the edge".into()))?;
    edge.sites.retain(|site| site.stack != stack || kept.contains(&site.service));
    edge.sites.append(&mut sites);
    edge.is_as_told = true;
    Ok(())
}

pub(super) fn unroute(world: &mut Observed) {
    let stack = world.stack.clone();
    if let Some(edge) = &mut world.edge {
        edge.sites.retain(|site| site.stack != stack);
    }
}
