//! How a container takes its place, and how those that stood there go.
//!
//! Create under a free name, stop the old, start the new, wait until it is ready, remove the old, give the new its
//! name. Everything that can fail without harm (images, networks, dependencies) comes before the stop, and the old
//! container is removed only after the new one is proven: until then the way back is to start it again.

use std::collections::BTreeMap;

use super::containers::is_up;
use super::settle::DRAIN_SECS;
use super::up::Up;
use crate::declared::{Condition, Service};
use crate::observed::{Container, Health};
use crate::plan::{Action, Impact, StepId, Target};

/// What stands for one place at the end of the plan.
pub(super) struct Instance<'a> {
    pub target: Target,
    /// As observed; `None` for one that this plan makes.
    pub kept: Option<&'a Container>,
    pub created: Option<StepId>,
    pub started: Option<StepId>,
    /// Stopped and started by this plan though it did not differ.
    pub restarted: bool,
    pub awaits: BTreeMap<Condition, StepId>,
    /// The last step that proves it.
    pub probed: Option<StepId>,
    /// The stops after which nobody else runs in this place.
    pub cleared: Vec<StepId>,
}

impl<'a> Instance<'a> {
    pub fn kept(container: &'a Container) -> Self {
        Instance {
            target: Target::observed(container),
            kept: Some(container),
            created: None,
            started: None,
            restarted: false,
            awaits: BTreeMap::new(),
            probed: None,
            cleared: Vec::new(),
        }
    }

    pub fn made(target: Target, created: StepId) -> Self {
        Instance {
            target,
            kept: None,
            created: Some(created),
            started: None,
            restarted: false,
            awaits: BTreeMap::new(),
            probed: None,
            cleared: Vec::new(),
        }
    }

    /// The last step after which this instance is as good as this plan makes it.
    fn proven(&self) -> Option<StepId> {
        self.probed.or_else(|| self.awaits.values().last().copied()).or(self.started)
    }
}

/// Whether a container is started.
pub(super) enum Start {
    /// It runs and goes on running.
    Runs,
    /// It does not run; with the reason for starting it.
    Needed(String),
    /// It runs and has to stop and start; with the reason.
    Again(String),
    /// It does not run and is not started.
    Left,
}

/// A container about to take a place.
pub(super) struct Taking<'a> {
    pub instance: Instance<'a>,
    /// Steps before its start: its making, or its attachments.
    pub prepared: Vec<StepId>,
    /// Those that stand for the same place and go.
    pub others: Vec<&'a Container>,
    /// The final name.
    pub name: String,
    pub start: Start,
    /// Whether nameless volumes of those who go are mounted in the one who comes.
    pub carries_volumes: bool,
}

impl<'a> Up<'a> {
    pub fn take_place(&mut self, service: &'a Service, taking: Taking<'a>) {
        let Taking { mut instance, prepared, others, name, start, carries_volumes } = taking;
        let serving: Vec<&Container> = others.iter().copied().filter(|other| is_up(other)).collect();
        if matches!(start, Start::Left) && self.options.no_start && !serving.is_empty() {
            // Made but not to be started: the old one serves on, and the next `up` finds the new one ready to go.
            self.instances.entry(service.name.clone()).or_default().push(instance);
            return;
        }
        let runs_on = matches!(start, Start::Runs);
        let beside = !serving.is_empty() && self.goes_beside(service, &serving, carries_volumes);
        let ready = self.before_start(service, &start, !serving.is_empty());
        let mut stops: Vec<StepId> = Vec::new();
        if let Start::Again(why) = &start {
            stops.push(self.stop(&instance.target, instance.kept, why, &[]));
            instance.restarted = true;
        }
        if !runs_on && !beside {
            stops.extend(self.stop_all(&serving, &instance.target.name, &[]));
        }
        // The old serves while the new is made and dependencies become ready. Those are wishes only: a dependency may
        // itself be waiting for a port that the old one has, and then the stop has to come first.
        for stop in &stops {
            prepared.iter().chain(&ready).for_each(|step| self.draft.wish(*stop, *step));
        }
        if let Start::Needed(why) | Start::Again(why) = start {
            let action = Action::StartContainer { target: instance.target.clone() };
            let needs = prepared.iter().chain(&ready).chain(&stops).copied();
            let step = self.draft.add(action, Impact::Live, why, needs);
            self.ports.starts(step, service);
            instance.started = Some(step);
        }
        instance.cleared = stops;
        let instances = self.instances.entry(service.name.clone()).or_default();
        instances.push(instance);
        let index = instances.len() - 1;
        let ready = self.prove(service, index, !others.is_empty());
        let proven = self.probe(service, index, prepared.iter().copied().chain(ready)).or(ready);
        if let Some(instance) = self.instances.get_mut(&service.name).and_then(|all| all.get_mut(index)) {
            instance.probed = proven;
        }
        let mut gone: Vec<StepId> = prepared.into_iter().chain(proven).collect();
        if beside {
            let taker = self.instances[&service.name][index].target.name.clone();
            let stops: Vec<StepId> = serving.iter().map(|old| self.retire(service, old, &taker, &gone)).collect();
            gone.extend(stops);
        } else if runs_on {
            let taker = self.instances[&service.name][index].target.name.clone();
            let stops = self.stop_all(&serving, &taker, &gone);
            gone.extend(stops.iter().copied());
            if let Some(instance) = self.instances.get_mut(&service.name).and_then(|all| all.get_mut(index)) {
                instance.cleared = stops;
            }
        }
        self.clear_place(service, index, &others, &gone, name);
    }

    /// What comes before a start besides the making: dependencies that are ready and, where somebody is stopped for it,
    /// the container before this one. Several containers of a service go one after the other, so that some serve.
    fn before_start(&mut self, service: &Service, start: &Start, stops_somebody: bool) -> Vec<StepId> {
        if matches!(start, Start::Runs | Start::Left) {
            return Vec::new();
        }
        let mut ready = self.ready_dependencies(service);
        if stops_somebody || matches!(start, Start::Again(_)) {
            let last = self.instances.get(&service.name).and_then(|instances| instances.last());
            ready.extend(last.and_then(Instance::proven));
        }
        ready
    }

    /// The wait that belongs to an instance by itself, unless nobody wants to wait.
    fn prove(&mut self, service: &Service, index: usize, has_others: bool) -> Option<StepId> {
        let instance = &self.instances[&service.name][index];
        let (started, kept) = (instance.started, instance.kept);
        if has_others && kept.is_some_and(|container| is_up(container) && container.health == Health::Unhealthy) {
            // A replacement that did not become healthy: the old container is the way back, and is kept until it does.
            return Some(self.wait_for(&service.name, index, Condition::Healthy, "it is not healthy yet"));
        }
        if self.options.no_wait || self.options.no_start || service.unwaited {
            return started;
        }
        let one_shot = self.is_one_shot(&service.name);
        let unfinished = kept
            .is_some_and(|container| is_up(container) && (one_shot || matches!(container.health, Health::Starting)));
        if started.is_some() {
            let condition = self.ready_condition(service);
            return Some(self.wait_for(&service.name, index, condition, "`up` waits until it is ready"));
        }
        if unfinished {
            let condition = if one_shot { Condition::Completed } else { Condition::Healthy };
            return Some(self.wait_for(&service.name, index, condition, "it is not ready yet"));
        }
        None
    }

    /// Removes those who stood here and gives the name to the one who stays.
    fn clear_place(
        &mut self,
        service: &Service,
        index: usize,
        others: &[&'a Container],
        proven: &[StepId],
        name: String,
    ) {
        let taker = self.instances[&service.name][index].target.clone();
        let mut needs: Vec<StepId> = proven.to_vec();
        for other in others {
            let action = Action::RemoveContainer { target: Target::observed(other), volumes: false };
            let mut after = proven.to_vec();
            after.extend(self.ports.stop_of(&other.id));
            let step = self.draft.add(action, Impact::Live, format!("`{}` has taken its place", taker.name), after);
            self.names.freed_by(&other.name, step);
            self.after_commit.push(step);
            needs.push(step);
        }
        if taker.name == name {
            return;
        }
        // A name that is free, or left within this place, is given at once; for one that a container of another place
        // leaves, everybody has to be decided first.
        let holder = self.world.container_named(&name);
        if holder.is_none_or(|holder| others.iter().any(|other| other.id == holder.id)) {
            let had = taker.name.clone();
            let action = Action::RenameContainer { target: taker, to: name };
            let step = self.draft.add(action, Impact::Live, "it takes over the name", needs);
            self.names.freed_by(&had, step);
        } else {
            self.names.wants(taker, name, needs);
        }
    }

    fn stop_all(&mut self, serving: &[&'a Container], taker: &str, before: &[StepId]) -> Vec<StepId> {
        let why = format!("it gives way to `{taker}`");
        let stops = serving.iter().map(|other| self.stop(&Target::observed(other), Some(other), &why, before));
        stops.collect()
    }

    fn stop(&mut self, target: &Target, container: Option<&Container>, why: &str, before: &[StepId]) -> StepId {
        let action = Action::StopContainer { target: target.clone(), grace_secs: None };
        let step = self.draft.add(action, Impact::Interrupt, why, before.iter().copied());
        if let Some(container) = container {
            self.ports.stops(&container.id, step);
        }
        step
    }

    /// Takes away a container that stands for no place.
    pub fn stop_and_remove(&mut self, container: &'a Container, why: &str) {
        let is_leading = is_up(container) && self.uses_edge() && self.leads_to(container);
        let declared = container.service.as_ref().and_then(|name| self.declared.services.get(name));
        let drain_secs = declared.map_or(DRAIN_SECS, |service| service.rollout.drain_secs());
        let drained = is_leading.then(|| self.drain(container, drain_secs, why.to_owned(), &[])).flatten();
        let before: Vec<StepId> = drained.into_iter().collect();
        let stop = is_up(container).then(|| self.stop(&Target::observed(container), Some(container), why, &before));
        let action = Action::RemoveContainer { target: Target::observed(container), volumes: false };
        let step = self.draft.add(action, Impact::Live, why, stop);
        self.names.freed_by(&container.name, step);
        self.after_commit.extend(stop.into_iter().chain([step]));
    }
}
