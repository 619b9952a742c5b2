//! The edge in a simulated world: it reaches what it shares a network with, and serves what it was told.

use std::collections::BTreeMap;

use super::{SimError, id_of};
use crate::declared::Declared;
use crate::edge::{Site, wanted};
use crate::identity::ServiceName;
use crate::observed::{Container, Observed, State};
use crate::plan::{Asker, PlannedCheck, PlannedRoute, StepId};

pub(super) fn probe(world: &Observed, id: &str, name: &str, asker: Asker) -> Result<(), SimError> {
    let unreached = || SimError::NotReached(name.to_owned());
    let container = world.container(id).ok_or_else(|| SimError::NoContainer(name.to_owned()))?;
    if asker == Asker::Host {
        let has_an_address = container.state == State::Running && !container.endpoints.is_empty();
        return if has_an_address { Ok(()) } else { Err(unreached()) };
    }
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
    let before = edge.sites.iter().filter(|site| site.stack == stack).cloned().collect();
    edge.before.insert(stack.clone(), before);
    edge.previews.remove(&stack);
    edge.sites.retain(|site| site.stack != stack || kept.contains(&site.service));
    edge.sites.append(&mut sites);
    edge.is_as_told = true;
    Ok(())
}

pub(super) fn unroute(world: &mut Observed) {
    let stack = world.stack.clone();
    if let Some(edge) = &mut world.edge {
        edge.sites.retain(|site| site.stack != stack);
        edge.previews.remove(&stack);
    }
}

/// Every container that a check is answered by runs, and the edge reaches what its private door leads to.
pub(super) fn smoke(
    world: &mut Observed,
    checks: &[PlannedCheck],
    preview: &[PlannedRoute],
    made: &BTreeMap<StepId, String>,
) -> Result<(), SimError> {
    for target in checks.iter().flat_map(|check| &check.answered_by) {
        let container = world.container(&id_of(target, made)?);
        let runs = container.is_some_and(|c| matches!(c.state, State::Running | State::Paused));
        if !runs {
            return Err(SimError::NotRunning(target.name.clone()));
        }
    }
    for target in preview.iter().flat_map(|route| &route.to) {
        probe(world, &id_of(target, made)?, &target.name, Asker::Edge)?;
    }
    let stack = world.stack.clone();
    if let (Some(edge), false) = (&mut world.edge, preview.is_empty()) {
        edge.previews.insert(stack);
    }
    Ok(())
}

/// # Errors
/// When nobody knows what was served before.
pub(super) fn lead_back(world: &mut Observed) -> Result<(), SimError> {
    let stack = world.stack.clone();
    let edge = world.edge.as_mut().ok_or_else(|| SimError::NotReached("the edge".into()))?;
    let before = edge.before.get(&stack).cloned().ok_or_else(|| SimError::NotDeclared("what was served".into()))?;
    edge.sites.retain(|site| site.stack != stack);
    edge.sites.extend(before);
    edge.previews.remove(&stack);
    Ok(())
}

pub(super) fn close_preview(world: &mut Observed) {
    let stack = world.stack.clone();
    if let Some(edge) = &mut world.edge {
        edge.previews.remove(&stack);
    }
}
