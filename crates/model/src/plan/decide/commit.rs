//! The commit point: everything of a release is proven before it, and what was there before is cleared away after it.

use std::collections::BTreeSet;

use super::up::Up;
use crate::declared::container::MountKind;
use crate::declared::{NetworkMode, Service, Strategy};
use crate::edge::wanted::routed_port;
use crate::observed::Container;
use crate::plan::{Action, Impact, Step, StepId, Target};

impl<'a> Up<'a> {
    /// Whether a new container of the service may run beside the one before it.
    ///
    /// Only where that is of use: requests are led over by the edge, or several containers of the service run anyway.
    /// And only where it cannot hurt: a port of the host, a fixed name or address, and data that is written to can be
    /// had by one container at a time. A declared strategy decides about data and use, not about what the engine refuses.
    pub fn goes_beside(&self, service: &Service, serving: &[&Container], carries_volumes: bool) -> bool {
        // Whoever wants the port of an old container starts before the commit.
        let holds_ports = serving.iter().any(|old| !old.ports.is_empty());
        let cannot = holds_ports
            || service.container.ports.iter().any(|port| port.published.is_some())
            || service.container_name.is_some()
            || service.network_mode != NetworkMode::Attached
            || service.attachments.iter().any(|at| at.ipv4_address.is_some() || at.ipv6_address.is_some());
        if cannot || self.options.no_wait || service.unwaited || self.is_one_shot(&service.name) {
            return false;
        }
        match service.rollout.strategy {
            Some(Strategy::Rolling) => true,
            Some(Strategy::StopFirst) => false,
            None => {
                // Of use also to one that loses its routes: until the commit requests are led to the old container.
                let is_served = || serving.iter().any(|old| self.leads_to(old));
                let is_of_use = service.replicas > 1 || routed_port(service).is_some() || is_served();
                is_of_use && !carries_volumes && !writes_data(service)
            }
        }
    }

    /// What follows the commit for a container whose place was taken while it served: it finishes and stops.
    pub fn retire(&mut self, service: &Service, old: &'a Container, taker: &str, proven: &[StepId]) -> StepId {
        let mut after = proven.to_vec();
        if routed_port(service).is_some() || self.leads_to(old) {
            let why = format!("`{taker}` serves in its place");
            if let Some(step) = self.drain(old, service.rollout.drain_secs(), why, &after) {
                after = vec![step];
            }
        }
        let action = Action::StopContainer { target: Target::observed(old), grace_secs: None };
        let why = format!("`{taker}` has taken over");
        let step = self.draft.add(action, Impact::Replace, why, after);
        self.ports.stops(&old.id, step);
        self.after_commit.push(step);
        step
    }

    /// What is under way in a container that gets no new requests after the commit is waited for.
    pub fn drain(&mut self, old: &Container, within_secs: u64, why: String, after: &[StepId]) -> Option<StepId> {
        if within_secs == 0 {
            return None;
        }
        let action = Action::Drain { target: Target::observed(old), within_secs };
        let step = self.draft.add(action, Impact::Live, why, after.iter().copied());
        self.after_commit.push(step);
        Some(step)
    }

    /// Nothing is touched before everything that a new container is made from is there: a build that fails leaves no
    /// trace of its release.
    pub fn images_first(&mut self) {
        let is_image = |step: &&Step| matches!(step.action, Action::PullImage { .. } | Action::BuildImage { .. });
        let images: Vec<StepId> = self.draft.steps().iter().filter(is_image).map(|step| step.id).collect();
        let others = self.draft.steps().iter().filter(|step| !images.contains(&step.id));
        let first = others.filter(|step| step.needs.iter().all(|need| images.contains(need)));
        let first: Vec<StepId> = first.map(|step| step.id).collect();
        for step in first {
            images.iter().for_each(|image| self.draft.need(step, *image));
        }
    }

    /// Adds the commit between what proves and what clears away.
    pub fn commit(&mut self) {
        let routes = self.routes_to_tell();
        if routes.is_none() && self.after_commit.is_empty() {
            self.ask_at_the_end();
            return;
        }
        let mut checks = self.sorted_checks(routes.is_some());
        let after: Vec<StepId> = std::mem::take(&mut self.after_commit);
        let later = self.leaning_on(&after);
        let mut proofs: Vec<StepId> =
            self.draft.steps().iter().map(|step| step.id).filter(|step| !later.contains(step)).collect();
        let why = match (proofs.is_empty(), routes.is_some()) {
            (true, true) => "the edge serves something else",
            _ => "all of it is proven",
        };
        let asked = checks.as_mut().and_then(|checks| self.ask_before(checks, &proofs));
        proofs.extend(asked);
        let lost = routes.as_ref().map(|routes| self.lost(routes)).unwrap_or_default();
        let impact = if lost.is_empty() { Impact::Live } else { Impact::Interrupt };
        let action = Action::Commit {
            tells_edge: routes.is_some(),
            routes: routes.unwrap_or_default(),
            kept: self.with_kept_routes(),
            lost,
        };
        let commit = self.draft.add(action, impact, why, proofs);
        let accepted = checks.as_mut().and_then(|checks| self.ask_after(checks, commit)).unwrap_or(commit);
        // A wish and no need: what holds a port that a new container wants has to go before that one can be proven.
        after.into_iter().for_each(|step| self.draft.wish(step, accepted));
    }

    /// These steps and all that need them.
    fn leaning_on(&self, steps: &[StepId]) -> BTreeSet<StepId> {
        let mut found: BTreeSet<StepId> = steps.iter().copied().collect();
        loop {
            let before = found.len();
            for step in self.draft.steps() {
                if step.needs.iter().any(|need| found.contains(need)) {
                    found.insert(step.id);
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }
}

/// Whether containers of the service write to something that outlives them.
fn writes_data(service: &Service) -> bool {
    let is_data = |kind: &MountKind| matches!(kind, MountKind::Volume | MountKind::Bind);
    let mut mounts = service.container.mounts.iter();
    mounts.any(|mount| is_data(&mount.kind) && !mount.read_only) || !service.container.volumes_from.is_empty()
}
