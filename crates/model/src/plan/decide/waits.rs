//! Who waits for whom.
//!
//! A start that succeeded means "running", so a dependent that wants its dependency *started* needs just that step.
//! For *healthy* and *completed* there is a step of its own, one for each container and condition, whoever waits.

use super::dependencies::bonds;
use super::up::Up;
use crate::declared::container::Restart;
use crate::declared::{Condition, Service};
use crate::identity::ServiceName;
use crate::observed::{Container, Health, State};
use crate::plan::{Action, Impact, StepId};

/// How long a container may take to become ready, when nobody said.
pub(in crate::plan) const READY_WITHIN_SECS: u64 = 300;

/// For how long a container without a health check has to run before it is called running.
///
/// One that its engine starts again after a crash looks as if nothing had happened for most of the time, so it is looked
/// at for longer; of any other one the crash stays to be seen.
pub(super) fn steady_ms(is_restarted: bool) -> u64 {
    if is_restarted { 1000 } else { 500 }
}

impl<'a> Up<'a> {
    /// What "ready" means for a service.
    pub fn ready_condition(&self, service: &Service) -> Condition {
        let has_check = service.container.healthcheck.as_ref().is_some_and(|check| !check.is_off());
        let may_end = matches!(service.container.restart, Restart::No | Restart::OnFailure { .. });
        if self.is_one_shot(&service.name) {
            Condition::Completed
        } else if may_end && !has_check {
            // It may be meant to end well; that it does not crash at its start is all that can be asked.
            Condition::Started
        } else {
            Condition::Healthy
        }
    }

    /// The steps after which everything that a service leans on is as it wants it.
    ///
    /// Only dependencies that are required are waited for. A step cannot say "after that one, however it ended", and an
    /// optional dependency that fails must not keep its dependent from starting.
    pub fn ready_dependencies(&mut self, service: &Service) -> Vec<StepId> {
        let mut ready = Vec::new();
        for (on, dependency) in service.depends_on.iter().filter(|(_, dependency)| dependency.required) {
            let count = self.instances.get(on).map_or(0, Vec::len);
            for index in 0..count {
                match dependency.condition {
                    Condition::Started => ready.extend(self.instances[on][index].started),
                    wanted => ready.extend(self.ready_dependency(on, index, wanted, &service.name)),
                }
            }
        }
        let owners = bonds(service).into_iter().filter_map(|(owner, _)| self.instances.get(&owner)?.first()?.started);
        ready.extend(owners);
        ready
    }

    fn ready_dependency(
        &mut self,
        on: &ServiceName,
        index: usize,
        wanted: Condition,
        dependent: &ServiceName,
    ) -> Option<StepId> {
        let instance = &self.instances[on][index];
        let is_needed = match (instance.started, instance.kept) {
            (Some(_), _) => true,
            (None, Some(container)) => is_still_to_come(container, wanted),
            // Made and not started: `--no-start`, and then nobody starts.
            (None, None) => false,
        };
        is_needed.then(|| self.wait_for(on, index, wanted, &format!("`{dependent}` depends on it")))
    }

    /// The step that waits for one container to meet a condition; made when it is asked for first.
    pub fn wait_for(&mut self, service: &ServiceName, index: usize, condition: Condition, why: &str) -> StepId {
        let instance = &self.instances[service][index];
        if let Some(step) = instance.awaits.get(&condition) {
            return *step;
        }
        let within_secs = self.options.ready_within_secs.unwrap_or(READY_WITHIN_SECS);
        let steady_ms = self.declared.services.get(service).map_or(0, |service| steadiness(service, condition));
        let action = Action::Await { target: instance.target.clone(), condition, within_secs, steady_ms };
        let step = self.draft.add(action, Impact::Live, why, instance.started);
        if let Some(instance) = self.instances.get_mut(service).and_then(|instances| instances.get_mut(index)) {
            instance.awaits.insert(condition, step);
        }
        step
    }
}

/// What a wait asks of a container that turns out to have no health check. Whether it has one is known for sure only of
/// a declared test: an image can bring its own.
fn steadiness(service: &Service, condition: Condition) -> u64 {
    let has_test = service.container.healthcheck.as_ref().is_some_and(|check| check.test.is_some() && !check.is_off());
    match condition {
        Condition::Healthy if has_test => 0,
        Condition::Started | Condition::Healthy => {
            let usual = steady_ms(service.container.restart != Restart::No);
            service.rollout.stable_ms.map_or(usual, |declared| declared.max(usual))
        }
        Condition::Completed => 0,
    }
}

/// Whether a container that this plan leaves alone may yet come to meet a condition that it does not meet now.
pub(super) fn is_still_to_come(container: &Container, wanted: Condition) -> bool {
    let runs = container.state == State::Running;
    match wanted {
        Condition::Started => false,
        Condition::Healthy => runs && matches!(container.health, Health::Starting | Health::Unhealthy),
        Condition::Completed => runs,
    }
}
