//! `start`, `stop` and `restart`: from labels alone, so that they work when the files are gone.
//!
//! They are a person's explicit order for the stack, so they act on containers that `docker compose` made, too.

use std::collections::{BTreeMap, BTreeSet};

use super::containers::is_up;
use super::dependencies::in_order;
use super::draft::Draft;
use super::hold::{Missing, places, repair_all};
use super::listed;
use super::waits::{READY_WITHIN_SECS, is_still_to_come, steady_ms};
use crate::declared::Condition;
use crate::identity::ServiceName;
use crate::observed::{Container, Health, Maker, Observed, State, is_later};
use crate::plan::{Action, Impact, Level, StackOrder, StepId, Target};

/// Each service of these containers with those that its labels say it leans on.
pub(super) type Labelled = BTreeMap<ServiceName, BTreeSet<ServiceName>>;

pub(super) fn stop(order: &StackOrder, world: &Observed) -> Draft {
    let mut draft = Draft::default();
    let chosen = chosen(&mut draft, order, world, &order.services);
    let up: Vec<&Container> = chosen.iter().copied().filter(|container| is_up(container)).collect();
    stop_in_order(&mut draft, &up, &labelled_leaning(&chosen), order.timeout_secs, "`stop` was ordered");
    tell_unchanged(&mut draft, &chosen);
    draft
}

pub(super) fn start(order: &StackOrder, world: &Observed) -> Draft {
    let mut draft = Draft::default();
    let chosen = chosen(&mut draft, order, world, &order.services);
    Starting { order, world, chosen: &chosen, stops: BTreeMap::new(), verb: "start" }.start_in_order(&mut draft);
    tell_unchanged(&mut draft, &chosen);
    draft
}

pub(super) fn restart(order: &StackOrder, world: &Observed) -> Draft {
    let mut draft = Draft::default();
    let services = with_dragged_along(order, world);
    let chosen = chosen(&mut draft, order, world, &services);
    let up: Vec<&Container> = chosen.iter().copied().filter(|container| is_up(container)).collect();
    let leaning = labelled_leaning(&chosen);
    let stops = stop_in_order(&mut draft, &up, &leaning, order.timeout_secs, "`restart` was ordered");
    Starting { order, world, chosen: &chosen, stops, verb: "restart" }.start_in_order(&mut draft);
    tell_unchanged(&mut draft, &chosen);
    draft
}

/// The containers of the stack that an order is about: one for each place, and of the services named.
fn chosen<'w>(
    draft: &mut Draft,
    order: &StackOrder,
    world: &'w Observed,
    services: &BTreeSet<ServiceName>,
) -> Vec<&'w Container> {
    let of_stack: Vec<&Container> = of_stack(order, world);
    for name in &order.services {
        if of_stack.iter().all(|container| container.service.as_ref() != Some(name)) {
            let message = format!("the stack `{}` has no container of `{name}`", order.stack);
            draft.tell(Level::Refusal, "unknown-service", message, Some("`mainstay up` makes it"));
        }
    }
    of_stack
        .into_iter()
        .filter(|c| services.is_empty() || c.service.as_ref().is_some_and(|name| services.contains(name)))
        .collect()
}

fn of_stack<'w>(order: &StackOrder, world: &'w Observed) -> Vec<&'w Container> {
    let containers = world.containers.iter();
    containers
        .filter(|c| c.stack.as_ref() == Some(&order.stack) && !c.one_off && c.maker != Maker::Foreign)
        .filter(|c| !matches!(c.state, State::Removing | State::Dead))
        .collect()
}

/// The services named and those that must follow them: `restart: true`, or a shared network.
fn with_dragged_along(order: &StackOrder, world: &Observed) -> BTreeSet<ServiceName> {
    let mut services = order.services.clone();
    if services.is_empty() {
        return services;
    }
    let all = of_stack(order, world);
    loop {
        let follows = |container: &&&Container| {
            container.depends_on.iter().any(|(on, _, restart)| *restart && services.contains(on))
                || owner(container, &all).is_some_and(|on| services.contains(on))
        };
        let more: Vec<ServiceName> =
            all.iter().filter(follows).filter_map(|c| c.service.clone()).filter(|s| !services.contains(s)).collect();
        if more.is_empty() {
            return services;
        }
        services.extend(more);
    }
}

/// The service whose network a container shares.
fn owner<'w>(container: &Container, all: &[&'w Container]) -> Option<&'w ServiceName> {
    let of = container.network_mode.strip_prefix("container:")?;
    all.iter().find(|other| other.id == of || other.name == of).and_then(|other| other.service.as_ref())
}

pub(super) fn labelled_leaning(containers: &[&Container]) -> Labelled {
    let mut leaning = Labelled::new();
    for container in containers {
        let Some(service) = &container.service else { continue };
        let on = leaning.entry(service.clone()).or_default();
        on.extend(container.depends_on.iter().map(|(on, _, _)| on.clone()));
        on.extend(owner(container, containers).cloned());
    }
    leaning
}

/// Stops dependents before those they lean on. Gives the step for each container by id.
pub(super) fn stop_in_order(
    draft: &mut Draft,
    containers: &[&Container],
    leaning: &Labelled,
    grace_secs: Option<u64>,
    why: &str,
) -> BTreeMap<String, StepId> {
    let mut of_service: BTreeMap<&ServiceName, Vec<StepId>> = BTreeMap::new();
    let mut steps = BTreeMap::new();
    let mut services = in_order(leaning).services;
    services.reverse();
    for service in &services {
        // Only dependents that stand before it here count: where labels close a circle, it is cut somewhere.
        let dependents = leaning.iter().filter(|(_, on)| on.contains(service)).map(|(dependent, _)| dependent);
        let before: Vec<StepId> = dependents.filter_map(|name| of_service.get(name)).flatten().copied().collect();
        for container in containers.iter().filter(|container| container.service.as_ref() == Some(service)) {
            let action = Action::StopContainer { target: Target::observed(container), grace_secs };
            let step = draft.add(action, Impact::Interrupt, why, before.iter().copied());
            of_service.entry(service).or_default().push(step);
            steps.insert(container.id.clone(), step);
        }
    }
    for container in containers.iter().filter(|container| container.service.is_none()) {
        let action = Action::StopContainer { target: Target::observed(container), grace_secs };
        steps.insert(container.id.clone(), draft.add(action, Impact::Interrupt, why, []));
    }
    steps
}

/// Starting containers, dependencies first.
struct Starting<'w> {
    order: &'w StackOrder,
    world: &'w Observed,
    chosen: &'w [&'w Container],
    /// `restart`: the stops that come before.
    stops: BTreeMap<String, StepId>,
    verb: &'static str,
}

impl Starting<'_> {
    fn start_in_order(&self, draft: &mut Draft) {
        let leaning = labelled_leaning(self.chosen);
        let mut started: BTreeMap<String, StepId> = BTreeMap::new();
        let mut waits: BTreeMap<(String, Condition), StepId> = BTreeMap::new();
        for service in in_order(&leaning).services {
            let of_service = self.chosen.iter().copied().filter(|c| c.service.as_ref() == Some(&service));
            for container in self.one_for_each_place(draft, of_service.collect()) {
                if !self.is_to_start(draft, container) {
                    continue;
                }
                let mut needs = self.ready_dependencies(draft, container, &started, &mut waits);
                needs.extend(self.stops.get(&container.id));
                needs.extend(self.attach(draft, container));
                let why = format!("`{}` was ordered", self.verb);
                let action = Action::StartContainer { target: Target::observed(container) };
                let step = draft.add(action, Impact::Live, why, needs);
                started.insert(container.id.clone(), step);
                if !self.order.no_wait {
                    let condition = self.ready_condition(container);
                    wait(draft, &mut waits, container, condition, Some(step), "the order waits until it is ready");
                }
            }
        }
    }

    /// Puts a container back on the networks that it lost, before it starts.
    fn attach(&self, draft: &mut Draft, container: &Container) -> Vec<StepId> {
        let held = self.order.held.iter().find(|held| Some(&held.service) == container.service.as_ref());
        let Some(held) = held else { return Vec::new() };
        let before = draft.steps().len();
        let places = places(draft, &[held], self.world, |network| self.missing(container, network));
        let attached = repair_all(draft, container, held, &places);
        if let Some(stop) = self.stops.get(&container.id) {
            let added: Vec<StepId> = draft.steps()[before..].iter().map(|step| step.id).collect();
            added.into_iter().for_each(|step| draft.need(step, *stop));
        }
        attached
    }

    /// A container does not start without a network that it was on, and what runs is not stopped for that.
    fn missing(&self, container: &Container, network: &str) -> Missing {
        let (name, stack, verb) = (&container.name, &self.order.stack, self.verb);
        let is_own = network.strip_prefix(stack.as_str()).is_some_and(|rest| rest.starts_with(['_', '-']));
        Missing {
            level: Level::Refusal,
            message: format!("the network `{network}`, which `{name}` is to be on, does not exist"),
            hint: match is_own {
                true => format!("`mainstay up` makes it and joins `{name}` to it; `{verb}` reads no files and cannot"),
                false => format!("`mainstay up` of the stack that makes it first, then `mainstay {verb}` again"),
            },
        }
    }

    /// Of the containers that a cut-off replacement left for one place, the one that ran last.
    fn one_for_each_place<'c>(&self, draft: &mut Draft, containers: Vec<&'c Container>) -> Vec<&'c Container> {
        let mut places: BTreeMap<u32, Vec<&Container>> = BTreeMap::new();
        for container in containers {
            places.entry(container.number).or_default().push(container);
        }
        let mut ones = Vec::new();
        for several in places.into_values() {
            if several.len() > 1 {
                let names: Vec<&String> = several.iter().map(|container| &container.name).collect();
                let message = format!("{} stand for the same place", listed(&names));
                draft.tell(Level::Warning, "half-replaced", message, Some("`mainstay up` finishes the replacement"));
            }
            let best = several.into_iter().reduce(|best, other| {
                let better = match (is_up(best), is_up(other)) {
                    (false, true) => true,
                    (true, false) => false,
                    _ if best.started_at.is_empty() => !other.started_at.is_empty(),
                    _ => is_later(&other.started_at, &best.started_at),
                };
                if better { other } else { best }
            });
            ones.extend(best);
        }
        ones
    }

    fn is_to_start(&self, draft: &mut Draft, container: &Container) -> bool {
        if self.stops.contains_key(&container.id) {
            return true;
        }
        match container.state {
            State::Running | State::Removing | State::Dead => false,
            State::Paused => {
                let message = format!("`{}` is paused and stays so", container.name);
                let hint = format!("`docker unpause {}`", container.name);
                draft.tell(Level::Warning, "paused", message, Some(&hint));
                false
            }
            // It ran to its good end, which is what others wait for; naming it runs it again.
            State::Exited if self.is_one_shot(container) && container.exit_code == Some(0) => {
                container.service.as_ref().is_some_and(|service| self.order.services.contains(service))
            }
            State::Created | State::Exited | State::Restarting => true,
        }
    }

    fn is_one_shot(&self, container: &Container) -> bool {
        let Some(service) = &container.service else { return false };
        let dependents = self.world.containers.iter().filter(|c| c.stack == container.stack);
        dependents.flat_map(|c| &c.depends_on).any(|(on, condition, _)| on == service && *condition == *COMPLETED)
    }

    fn ready_condition(&self, container: &Container) -> Condition {
        if self.is_one_shot(container) {
            Condition::Completed
        } else if !container.may_end || container.health != Health::Unverified {
            Condition::Healthy
        } else {
            Condition::Started
        }
    }

    /// The steps after which everything that a container's labels name is ready.
    fn ready_dependencies(
        &self,
        draft: &mut Draft,
        container: &Container,
        started: &BTreeMap<String, StepId>,
        waits: &mut BTreeMap<(String, Condition), StepId>,
    ) -> Vec<StepId> {
        let mut needs = Vec::new();
        let why = match &container.service {
            Some(service) => format!("`{service}` depends on it"),
            None => "a dependent waits for it".to_owned(),
        };
        for (on, condition, _) in &container.depends_on {
            let wanted = match condition.as_str() {
                HEALTHY => Condition::Healthy,
                COMPLETED => Condition::Completed,
                _ => Condition::Started,
            };
            for other in self.world.of_service(on) {
                let start = started.get(&other.id).copied();
                match wanted {
                    Condition::Started => needs.extend(start),
                    // A wait for one that comes later in a circle of labels would close it again.
                    _ if start.is_none() && self.stops.contains_key(&other.id) => {}
                    _ if start.is_none() && !is_still_to_come(other, wanted) => {}
                    _ => needs.push(wait(draft, waits, other, wanted, start, &why)),
                }
            }
        }
        let all: Vec<&Container> = self.chosen.to_vec();
        let owner = container.network_mode.strip_prefix("container:");
        let owner = owner.and_then(|of| all.iter().find(|other| other.id == of || other.name == of));
        needs.extend(owner.and_then(|owner| started.get(&owner.id)));
        needs
    }
}

const HEALTHY: &str = "service_healthy";
const COMPLETED: &str = "service_completed_successfully";

fn wait(
    draft: &mut Draft,
    waits: &mut BTreeMap<(String, Condition), StepId>,
    container: &Container,
    condition: Condition,
    started: Option<StepId>,
    why: &str,
) -> StepId {
    let steady_ms = match condition {
        Condition::Started | Condition::Healthy if container.health == Health::Unverified => {
            steady_ms(container.restarts_itself)
        }
        _ => 0,
    };
    let target = Target::observed(container);
    let action = Action::Await { target, condition, within_secs: READY_WITHIN_SECS, steady_ms };
    *waits.entry((container.id.clone(), condition)).or_insert_with(|| draft.add(action, Impact::Live, why, started))
}

fn tell_unchanged(draft: &mut Draft, chosen: &[&Container]) {
    let touched: BTreeSet<ServiceName> = draft.steps().iter().filter_map(|s| s.action.service().cloned()).collect();
    let services = chosen.iter().filter_map(|container| container.service.clone());
    let unchanged: Vec<ServiceName> = services.filter(|service| !touched.contains(service)).collect();
    draft.unchanged.extend(unchanged);
}
