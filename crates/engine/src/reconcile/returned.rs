//! A container of another stack came up: who crashed for want of it is started, and need not wait out the engine's
//! back-off.
//!
//! One stack leans on another when it requires it, or by those of its services that hold a place on one of its networks.
//! Only what is down at that moment is started, by the planner's word; what runs is never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::observed::{Container, Health, Observed, State};

use super::holding::{Holding, UnderWay};
use super::memory::{Cause, Memory};
use super::repair::Looked;
use super::strangers::{evidence_of, told_at};
use super::watched::{Glance, Watched};
use crate::docker::{EngineEvent, EventKind};

/// Stacks of which a container came up, each with those of its networks that the container is on.
pub(super) type Returned = BTreeMap<StackName, BTreeSet<String>>;

/// A stack's containers come up one after the other: those who lean on it are looked at once for so many as come together.
const TOGETHER: Duration = Duration::from_millis(100);

const HEALTHY: &str = "health_status: healthy";

impl<W: Watched> Holding<'_, W> {
    /// Whoever started it, we or somebody else: those who lean on it are not told otherwise.
    pub(super) fn hear_of_return<'a>(&'a self, event: &EngineEvent, under_way: &UnderWay<'a>) {
        if event.kind != EventKind::Container || !matches!(event.action.as_str(), "start" | HEALTHY) {
            return;
        }
        let Some(stack) = &event.stack else { return };
        if !self.memory().may_be_leant_on(stack) {
            return;
        }
        let how = if event.action == HEALTHY { "became healthy" } else { "started" };
        let words = format!("`{}` of the stack `{stack}` {how} at {}", event.name, told_at(event));
        let cause = Cause { evidence: evidence_of(event), ..Cause::new(words) };
        under_way.push(Box::pin(self.check_return(event.actor_id.clone(), stack.clone(), cause)));
    }

    /// Looks at the container that came up, and notes who leans on it as due. One whose health is checked counts when it
    /// is healthy; one that is gone again does not count.
    async fn check_return(&self, container: String, stack: StackName, cause: Cause) -> Looked {
        let glance = match self.keeper.docker.glance(&container).await {
            Ok(Some(glance)) => glance,
            Ok(None) => return Looked::Well,
            Err(error) => return Looked::Blind(None, error),
        };
        if !is_up(&glance.container) {
            return Looked::Well;
        }
        let networks = networks_of(&stack, &glance);
        let mut memory = self.memory();
        let when = Instant::now() + TOGETHER;
        for dependent in memory.leaning_on(&stack, &networks) {
            let cause = Cause { returned: [(stack.clone(), networks.clone())].into(), ..cause.clone() };
            memory.look_at(dependent, when, cause);
        }
        Looked::Well
    }

    /// Those that run at the moment, but crashed before, may crash once more from what they found before the return.
    pub(super) fn mind_who_may_crash_yet(&self, observed: &Observed, leaning: &Leaning, returned: &Returned) {
        let leans = |c: &&Container| c.service.as_ref().is_some_and(|service| leaning.contains_key(service));
        let mut memory = self.memory();
        for container in observed.containers.iter().filter(leans).filter(|c| is_between_crashes(c)) {
            memory.may_crash_yet(&container.id, returned.clone());
        }
    }
}

/// Services of one stack that lean on another one which is back, and that one.
pub(super) type Leaning = BTreeMap<ServiceName, StackName>;

/// Runs now, crashed before, and may crash once more from what it found.
pub(super) fn is_between_crashes(container: &Container) -> bool {
    container.state == State::Running && container.health != Health::Healthy && container.restart_count > 0
}

fn is_up(container: &Container) -> bool {
    let is_well = matches!(container.health, Health::Unverified | Health::Healthy);
    !container.one_off && container.state == State::Running && is_well
}

/// The networks of its own stack that a container is on: those of others it uses itself.
fn networks_of(stack: &StackName, glance: &Glance) -> BTreeSet<String> {
    let is_on = |name: &str| glance.container.endpoint(name).is_some();
    let own = glance.networks.iter().filter(|network| network.stack.as_ref() == Some(stack) && is_on(&network.name));
    own.map(|network| network.name.clone()).collect()
}

impl Memory {
    /// Whether anybody could lean on a stack; spares the look at every container that is started somewhere.
    fn may_be_leant_on(&self, stack: &StackName) -> bool {
        let own: BTreeSet<String> =
            self.services(stack).into_iter().flat_map(|held| held.attachments).map(|place| place.network).collect();
        let is_unknown = !self.knows(stack);
        self.stacks().iter().filter(|other| *other != stack).any(|other| {
            let mut places = self.services(other).into_iter().flat_map(|held| held.attachments);
            is_unknown || self.requires(other, stack) || places.any(|place| own.contains(&place.network))
        })
    }

    fn leaning_on(&self, stack: &StackName, networks: &BTreeSet<String>) -> Vec<StackName> {
        let returned = Returned::from([(stack.clone(), networks.clone())]);
        let others = self.stacks().into_iter().filter(|other| other != stack);
        others.filter(|other| !self.leaning(other, &returned).is_empty()).collect()
    }

    /// The services of a stack that lean on what is back.
    pub(super) fn leaning(&self, stack: &StackName, returned: &Returned) -> Leaning {
        let mut leaning = Leaning::new();
        for (back, networks) in returned.iter().filter(|(back, _)| *back != stack) {
            let is_required = self.requires(stack, back);
            for held in self.services(stack) {
                if is_required || held.attachments.iter().any(|place| networks.contains(&place.network)) {
                    leaning.insert(held.service, back.clone());
                }
            }
        }
        leaning
    }
}
