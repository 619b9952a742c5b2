//! A release that failed or was cut off, brought to one of its two ends: as if it had not begun, or committed whole.
//!
//! What stood before it is known by the engine's ids, so nothing is guessed: everything of the stack that is not among
//! them is the release's. Before the commit the release goes and what it stopped starts again; so it does after the commit,
//! once requests are led back, when a check then found it wrong. After the commit of one that stays, what it took over from
//! goes.

use std::collections::BTreeMap;

use super::containers::is_up;
use super::dependencies::in_order;
use super::down::edge_leaves;
use super::draft::Draft;
use super::start_stop::labelled_leaning;
use super::waits::{READY_WITHIN_SECS, steady_ms};
use crate::declared::Condition;
use crate::edge::{Site, wanted};
use crate::observed::{Container, Health, Maker, Observed, State};
use crate::plan::order::{SettleOrder, Stood, Towards};
use crate::plan::{Action, Impact, Level, StepId, Target};

/// The refusal of a release that serves and whose predecessor is gone.
pub const CANNOT_LEAD_BACK: &str = "cannot-lead-back";

/// So long may a container that finishes take for the requests that are under way; its declaration is not at hand.
pub(super) const DRAIN_SECS: u64 = 10;

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
        let led = self.led_to_the_release();
        self.close_preview(WHY);
        // What serves stays until requests are led elsewhere, unless what is to serve again needs its place.
        let serves_on = |container: &Container| led.contains(&container.id.as_str()) && !self.is_in_the_way(container);
        let (serving, others): (Vec<_>, Vec<_>) = self.of_the_release().into_iter().partition(|c| serves_on(c));
        let (stops, mut removals) = self.go(&others, WHY, None);
        let starts = self.start_again(&stops);
        let back = self.lead_back(&starts);
        removals.extend(self.go(&serving, WHY, back).1);
        self.name_again(&removals);
        self.networks_go(&removals);
    }

    /// Containers of the release stop, after requests under way in them where they serve, and are removed.
    fn go(&mut self, containers: &[&'a Container], why: &str, led_back: Option<StepId>) -> (Vec<StepId>, Vec<StepId>) {
        let mut stops: Vec<StepId> = Vec::new();
        let mut removals: Vec<StepId> = Vec::new();
        for container in containers.iter().copied() {
            let target = Target::observed(container);
            let mut needs = Vec::new();
            // What never ran has said nothing.
            if container.state != State::Created {
                let action = Action::KeepLogs { target: target.clone() };
                needs.push(self.draft.add(action, Impact::Live, why, []));
            }
            if is_up(container) {
                let drain = Action::Drain { target: target.clone(), within_secs: DRAIN_SECS };
                let drained = led_back.map(|back| self.draft.add(drain, Impact::Live, why, [back]));
                let action = Action::StopContainer { target: target.clone(), grace_secs: None };
                let stop = self.draft.add(action, Impact::Interrupt, why, drained);
                // Its last words are kept too.
                needs.iter().for_each(|keep| self.draft.need(*keep, stop));
                stops.push(stop);
                needs.push(stop);
            }
            needs.extend(led_back);
            let action = Action::RemoveContainer { target, volumes: false };
            removals.push(self.draft.add(action, Impact::Live, why, needs));
        }
        (stops, removals)
    }

    /// The containers of the release that the edge leads to: it was committed, and is not to stay.
    fn led_to_the_release(&self) -> Vec<&'a str> {
        if !self.order.committed {
            return Vec::new();
        }
        let ids: Vec<&str> = self.of_the_release().into_iter().map(|container| container.id.as_str()).collect();
        let sites = self.world.edge.iter().flat_map(|edge| &edge.sites);
        let dials: Vec<&String> =
            sites.filter(|site| site.stack == self.order.stack).flat_map(Site::upstreams).collect();
        ids.into_iter().filter(|id| dials.iter().any(|dial| wanted::leads_to(dial, id))).collect()
    }

    /// Whether something that ran before is to start in the place of this one.
    fn is_in_the_way(&self, new: &Container) -> bool {
        self.stood().iter().any(|(old, was)| {
            was.was_up && !is_up(old) && old.service.is_some() && old.service == new.service && old.number == new.number
        })
    }

    fn close_preview(&mut self, why: &str) {
        if self.world.edge.as_ref().is_some_and(|edge| edge.previews.contains(&self.order.stack)) {
            self.draft.add(Action::ClosePreview, Impact::Live, why, []);
        }
    }

    /// What was served before must be there again: an edge that leads to nothing is worse than a release that is not
    /// what was declared.
    fn lead_back(&mut self, starts: &[StepId]) -> Option<StepId> {
        let edge = self.world.edge.as_ref().filter(|_| self.order.committed)?;
        let before = edge.before.get(&self.order.stack);
        let of_stack = edge.sites.iter().filter(|site| site.stack == self.order.stack);
        if before.is_some_and(|sites| of_stack.eq(sites)) {
            return None;
        }
        let stands = |dial: &String| self.stood().iter().any(|(container, _)| wanted::leads_to(dial, &container.id));
        if !before.is_some_and(|sites| sites.iter().flat_map(Site::upstreams).all(stands)) {
            let message = "what was served before the release is not there any more, so requests cannot be led back";
            let hint = "the release serves; `mainstay rollback`, or `mainstay up` with other files, replaces it";
            self.draft.tell(Level::Refusal, CANNOT_LEAD_BACK, message, Some(hint));
            return None;
        }
        let now = edge.sites.iter().filter(|site| site.stack == self.order.stack);
        let action = Action::LeadBack { addresses: now.map(Site::address).collect() };
        Some(self.draft.add(action, Impact::Live, "the release is taken back", starts.iter().copied()))
    }

    /// What ran before and does not, dependencies first. Gives the starts.
    fn start_again(&mut self, stops: &[StepId]) -> Vec<StepId> {
        let mut starts = Vec::new();
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
                starts.push(start);
                let steady_ms =
                    if container.health == Health::Unverified { steady_ms(container.restarts_itself) } else { 0 };
                let condition = if container.may_end { Condition::Started } else { Condition::Healthy };
                let action = Action::Await { target, condition, within_secs: READY_WITHIN_SECS, steady_ms };
                done.push(self.draft.add(action, Impact::Live, "it is to serve again", [start]));
            }
            ready.insert(service.to_string(), done);
        }
        starts
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
