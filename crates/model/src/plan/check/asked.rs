//! Smoke checks: asked of what is proven, before what was there before goes, and led back before what serves goes.

use super::Reader;
use crate::edge::Answer;
use crate::observed::State;
use crate::plan::{Action, Order, Stage, Step, Stood, TargetContainer, Towards};

impl<'a> Reader<'a> {
    /// Law 5: a release is asked before it is committed, or while what ran before can still be led back to.
    pub fn read_checks(&mut self, step: &Step) {
        match &step.action {
            Action::Smoke { stage, .. } => self.read_smoke(step, *stage),
            Action::Drain { .. } | Action::StopContainer { .. } | Action::RemoveContainer { .. } => {
                self.read_clearing(step);
                self.read_leaving(step);
            }
            _ => {}
        }
    }

    fn read_smoke(&mut self, smoke: &Step, stage: Stage) {
        let commit = self.plan.steps.iter().find(|step| matches!(step.action, Action::Commit { .. }));
        let follows = |one: &Step, other: &Step| self.earlier(one).any(|step| step.id == other.id);
        let is_in_place = match (stage, commit) {
            (Stage::BeforeCommit, Some(commit)) => follows(commit, smoke),
            (Stage::AfterCommit, Some(commit)) => follows(smoke, commit),
            (Stage::AtEnd, commit) => commit.is_none() && self.earlier(smoke).count() + 1 == self.plan.steps.len(),
            (_, None) => false,
        };
        if !is_in_place {
            self.wrong(smoke, "asked-elsewhen", "its checks are not surely asked when it says so");
        }
        // What is asked runs, and was waited for.
        let Action::Smoke { checks, preview, .. } = &smoke.action else { return };
        let asked = checks.iter().flat_map(|check| &check.answered_by);
        for target in asked.chain(preview.iter().flat_map(|route| &route.to)) {
            let is_meant = |step: &Step| step.action.target().is_some_and(|other| other.container == target.container);
            let open = self.plan.steps.iter().find(|step| {
                let proves =
                    matches!(step.action, Action::StartContainer { .. } | Action::Await { .. } | Action::Probe { .. });
                proves && is_meant(step) && !self.earlier(smoke).any(|earlier| earlier.id == step.id)
            });
            if let Some(open) = open {
                self.wrong(smoke, "asked-unproven", format!("step {} is not surely done before", open.id.0));
            }
        }
    }

    /// What comes after the commit clears away, and so comes after the checks as well.
    fn read_clearing(&mut self, step: &Step) {
        let is_after = |action: &Action| matches!(action, Action::Smoke { stage: Stage::AfterCommit, .. });
        let Some(smoke) = self.plan.steps.iter().find(|other| is_after(&other.action)) else { return };
        let follows_commit = self.earlier(step).any(|other| matches!(other.action, Action::Commit { .. }));
        if follows_commit && !self.earlier(step).any(|other| other.id == smoke.id) {
            self.wrong(step, "cleared-unasked", format!("step {} may not be done by then", smoke.id.0));
        }
    }

    /// A release that is taken back does not leave visitors with nothing while what ran before could have them.
    fn read_leaving(&mut self, step: &Step) {
        let Order::Settle(order) = self.order else { return };
        let Some(TargetContainer::Id(id)) = step.action.target().map(|target| &target.container) else { return };
        let Some(container) = self.world.containers.iter().find(|container| container.id == *id) else { return };
        let sites = self.world.edge.iter().flat_map(|edge| &edge.sites);
        let mut of_stack = sites.filter(|site| site.stack == order.stack);
        let is_served = of_stack.any(|site| match &site.answer {
            Answer::Proxy(proxy) => {
                proxy.upstreams.iter().any(|dial| dial.split(':').next().is_some_and(|short| id.starts_with(short)))
            }
            _ => false,
        });
        // One that was stopped for it has to start in its place first.
        let waits = |was: &Stood| {
            was.was_up
                && self.world.containers.iter().any(|old| {
                    old.id == was.id
                        && old.service.is_some()
                        && old.service == container.service
                        && old.number == container.number
                        && !matches!(old.state, State::Running | State::Paused | State::Restarting)
                })
        };
        let goes = matches!(step.action, Action::StopContainer { .. } | Action::RemoveContainer { .. });
        let is_led_back = self.earlier(step).any(|other| matches!(other.action, Action::LeadBack { .. }));
        let takes_back = order.committed && order.towards == Towards::Before;
        if takes_back && goes && is_served && !is_led_back && !order.before.iter().any(waits) {
            self.wrong(step, "leaves-visitors", format!("the edge leads to `{}`", container.name));
        }
    }
}
