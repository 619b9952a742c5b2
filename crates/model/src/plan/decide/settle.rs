//! A release that failed or was cut off, brought to one of its two ends: as if it had not begun, or committed whole.
//!
//! What stood before it is known by the engine's ids, so nothing is guessed: everything of the stack that is not among
//! them is the release's. Before the commit the release goes and what it stopped starts again; after the commit what it
//! took over from goes.

use std::collections::BTreeMap;

use super::containers::is_up;
use super::dependencies::in_order;
use super::down::edge_leaves;
use super::draft::Draft;
use super::start_stop::labelled_leaning;
use super::waits::{READY_WITHIN_SECS, steady_ms};
use crate::declared::Condition;
use crate::observed::{Container, Health, Maker, Observed, State};
use crate::plan::order::{SettleOrder, Stood, Towards};
use crate::plan::{Action, Impact, StepId, Target};

/// So long may a container that finishes take for the requests that are under way; its declaration is not at hand.
const DRAIN_SECS: u64 = 10;

pub(super) fn settle(order: &SettleOrder, world: &Observed) -> Draft {
    let mut settling = Settling { order, world, draft: Draft::default() };
    match order.towards {
        Towards::Before => settling.undo(),
        Towards::Release => settling.finish(),
    }
    settling.draft
}

struct Settling<'a> {
    order: &'a SettleOrder,
    world: &'a Observed,
    draft: Draft,
}

impl<'a> Settling<'a> {
    fn undo(&mut self) {
        const WHY: &str = "the release is taken back";
        let mut stops: Vec<StepId> = Vec::new();
        let mut removals: Vec<StepId> = Vec::new();
        for container in self.of_the_release() {
            let target = Target::observed(container);
            let mut needs = Vec::new();
            // What never ran has said nothing.
            if container.state != State::Created {
                let action = Action::KeepLogs { target: target.clone() };
                needs.push(self.draft.add(action, Impact::Live, WHY, []));
            }
            if is_up(container) {
                let action = Action::StopContainer { target: target.clone(), grace_secs: None };
                let stop = self.draft.add(action, Impact::Interrupt, WHY, []);
                // Its last words are kept too.
                needs.iter().for_each(|keep| self.draft.need(*keep, stop));
                stops.push(stop);
                needs.push(stop);
            }
            let action = Action::RemoveContainer { target, volumes: false };
            removals.push(self.draft.add(action, Impact::Live, WHY, needs));
        }
        self.start_again(&stops);
        self.name_again(&removals);
        self.networks_go(&removals);
    }

    /// What ran before and does not, dependencies first.
    fn start_again(&mut self, stops: &[StepId]) {
        let stood: Vec<&Container> = self.stood().into_iter().map(|(container, _)| container).collect();
        let leaning = labelled_leaning(&stood);
        let mut ready: BTreeMap<String, Vec<StepId>> = BTreeMap::new();
        for service in in_order(&leaning).services {
            let of_service = self.stood().into_iter().filter(|(c, _)| c.service.as_ref() == Some(&service));
            let mut done = Vec::new();
            for (container, was) in of_service.collect::<Vec<_>>() {
                if !was.was_up || is_up(container) {
                    continue;
                }
                let before = leaning.get(&service).into_iter().flatten();
                let before = before.filter_map(|on| ready.get(on.as_str())).flatten().copied();
                let needs: Vec<StepId> = before.chain(stops.iter().copied()).collect();
                let target = Target::observed(container);
                let action = Action::StartContainer { target: target.clone() };
                let start = self.draft.add(action, Impact::Live, "it ran before the release", needs);
                let steady_ms =
                    if container.health == Health::Unverified { steady_ms(container.restarts_itself) } else { 0 };
                let condition = if container.may_end { Condition::Started } else { Condition::Healthy };
                let action = Action::Await { target, condition, within_secs: READY_WITHIN_SECS, steady_ms };
                done.push(self.draft.add(action, Impact::Live, "it is to serve again", [start]));
            }
            ready.insert(service.to_string(), done);
        }
    }

    /// A name that the release had given away already.
    fn name_again(&mut self, removals: &[StepId]) {
        for (container, was) in self.stood().into_iter().filter(|(container, was)| container.name != was.name) {
            let action = Action::RenameContainer { target: Target::observed(container), to: was.name.clone() };
            self.draft.add(action, Impact::Live, "it had this name before", removals.iter().copied());
        }
    }

    fn networks_go(&mut self, removals: &[StepId]) {
        let edge = self.world.edge.as_ref().map(|edge| edge.container.as_str());
        for network in &self.world.networks {
            let is_new = network.maker == Maker::Mainstay
                && network.stack.as_ref() == Some(&self.order.stack)
                && !self.order.networks.contains(&network.id);
            let goes = |id: &str| self.of_the_release().iter().any(|container| container.id == id);
            let is_free = network
                .members
                .iter()
                .all(|member| goes(&member.container_id) || Some(member.container_name.as_str()) == edge);
            // A container that stood before may have been attached to it, because its own was lost.
            let is_needed = self
                .stood()
                .iter()
                .any(|(container, _)| container.endpoints.iter().any(|endpoint| endpoint.network_id == network.id));
            if is_new && is_free && !is_needed {
                let mut after = removals.to_vec();
                after.extend(edge_leaves(&mut self.draft, self.world, network, &after));
                let action = Action::RemoveNetwork { id: network.id.clone(), name: network.name.clone() };
                self.draft.add(action, Impact::Live, "the release made it", after);
            }
        }
    }

    fn finish(&mut self) {
        const WHY: &str = "the release is committed";
        let mut gone: BTreeMap<&str, StepId> = BTreeMap::new();
        for (old, _) in self.stood() {
            if self.taker_of(old).is_none() {
                continue;
            }
            let target = Target::observed(old);
            let mut needs = Vec::new();
            if is_up(old) {
                let action = Action::Drain { target: target.clone(), within_secs: DRAIN_SECS };
                let drain = self.draft.add(action, Impact::Live, WHY, []);
                let action = Action::StopContainer { target: target.clone(), grace_secs: None };
                needs.push(self.draft.add(action, Impact::Interrupt, WHY, [drain]));
            }
            let action = Action::RemoveContainer { target, volumes: false };
            gone.insert(&old.name, self.draft.add(action, Impact::Live, WHY, needs));
        }
        self.take_over_names(&gone);
    }

    /// A new container gets the name that it was made for, whether the one before it goes now or has gone already.
    fn take_over_names(&mut self, gone: &BTreeMap<&str, StepId>) {
        for new in self.of_the_release() {
            let before = self.order.before.iter().map(|was| was.name.as_str());
            let meant = before.filter(|name| is_next(&new.name, name)).min_by_key(|name| name.len());
            let Some(name) = meant else { continue };
            let removal = gone.get(name).copied();
            if removal.is_some() || self.world.container_named(name).is_none() {
                let action = Action::RenameContainer { target: Target::observed(new), to: name.to_owned() };
                self.draft.add(action, Impact::Live, "it takes over the name", removal);
            }
        }
    }

    /// Who runs in the place of one that stood before, or has finished there what it had to do.
    fn taker_of(&self, old: &Container) -> Option<&'a Container> {
        self.of_the_release().into_iter().find(|new| {
            new.service.is_some()
                && new.service == old.service
                && new.number == old.number
                && (new.state == State::Running || (new.state == State::Exited && new.exit_code == Some(0)))
        })
    }

    fn of_the_release(&self) -> Vec<&'a Container> {
        let stood = |container: &Container| self.order.before.iter().any(|was| was.id == container.id);
        let ours = self.world.containers.iter().filter(|c| c.stack.as_ref() == Some(&self.order.stack));
        ours.filter(|c| c.maker == Maker::Mainstay && !c.one_off && !stood(c)).collect()
    }

    /// Those that stood before and are still there.
    fn stood(&self) -> Vec<(&'a Container, &'a Stood)> {
        let before = self.order.before.iter();
        before
            .filter_map(|was| Some((self.world.container(&was.id)?, was)))
            .filter(|(container, _)| container.maker != Maker::Foreign && !container.one_off)
            .collect()
    }
}

/// Whether a container was made to take over a name.
fn is_next(made_as: &str, name: &str) -> bool {
    made_as.strip_prefix(name).is_some_and(|rest| rest == ".next" || rest.starts_with(".next."))
}
