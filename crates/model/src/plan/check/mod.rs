//! A second reader of plans. It shares no code with the planner and knows the laws only, so that a slip of the planner
//! is found by somebody who does not think alike.
//!
//! It does not ask whether a plan is the best one. It asks whether each step may be done to what it is done to, whether
//! what it leans on has surely happened before, and whether the plan says how grave it is. Steps may run side by side,
//! so "before" always means: in the closure of its needs.

mod anonymous;
mod asked;
mod backups;
mod buckets;
mod containers;
mod materials;
mod migrations;

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Impact, Level, Order, Plan, Stage, Step, StepId, Target, TargetContainer};
use crate::declared::Declared;
use crate::observed::{Container, Observed, State};

/// Something wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Complaint {
    pub severity: Severity,
    /// The step concerned; `None` when it is about the plan.
    pub step: Option<StepId>,
    /// A stable word, such as `need-ahead`.
    pub code: &'static str,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The plan breaks a law or cannot be walked: it must not be applied.
    Error,
    /// The plan can be walked, and somebody should look at it.
    Warning,
}

/// Reads a plan against its order and the world that it was made for. Empty when there is nothing to object to.
pub fn check(plan: &Plan, order: &Order, observed: &Observed) -> Vec<Complaint> {
    let mut reader = Reader::new(plan, order, observed);
    reader.read_order();
    reader.read_numbers();
    for step in &plan.steps {
        reader.read_permission(step);
        reader.read_materials(step);
        reader.read_container_life(step);
        reader.read_anonymous_volumes(step);
        reader.read_impact(step);
        reader.read_commit(step);
        reader.read_checks(step);
        reader.read_migration(step);
        reader.read_backup(step);
        reader.read_way_back(step);
        reader.read_bucket(step);
    }
    reader.read_doubles();
    reader.read_what_is_not_migrated();
    let mut complaints = reader.complaints;
    complaints.sort();
    complaints.dedup();
    complaints
}

struct Reader<'a> {
    plan: &'a Plan,
    order: &'a Order,
    world: &'a Observed,
    /// All that has surely happened before a step.
    before: BTreeMap<StepId, BTreeSet<StepId>>,
    complaints: Vec<Complaint>,
}

impl<'a> Reader<'a> {
    fn new(plan: &'a Plan, order: &'a Order, world: &'a Observed) -> Self {
        let mut before: BTreeMap<StepId, BTreeSet<StepId>> = BTreeMap::new();
        for step in &plan.steps {
            let mut all: BTreeSet<StepId> = step.needs.iter().copied().collect();
            all.extend(step.needs.iter().filter_map(|need| before.get(need)).flatten().copied());
            before.insert(step.id, all);
        }
        Reader { plan, order, world, before, complaints: Vec::new() }
    }

    fn wrong(&mut self, step: &Step, code: &'static str, message: impl Into<String>) {
        let complaint = Complaint { severity: Severity::Error, step: Some(step.id), code, message: message.into() };
        self.complaints.push(complaint);
    }

    fn declared(&self) -> Option<&'a Declared> {
        match self.order {
            Order::Up { declared, .. } => Some(declared),
            _ => None,
        }
    }

    /// A plan with a refusal is shown and not applied: it may lack what the refusal is about.
    fn is_refused(&self) -> bool {
        self.plan.findings.iter().any(|finding| finding.level == Level::Refusal)
    }

    /// The steps that have surely happened before a step.
    fn earlier(&self, step: &Step) -> impl Iterator<Item = &'a Step> {
        let before = self.before.get(&step.id).cloned().unwrap_or_default();
        self.plan.steps.iter().filter(move |other| before.contains(&other.id))
    }

    fn observed_target(&self, target: &Target) -> Option<&'a Container> {
        match &target.container {
            TargetContainer::Id(id) => self.world.containers.iter().find(|container| container.id == *id),
            TargetContainer::MadeBy(_) => None,
        }
    }

    fn read_order(&mut self) {
        let (plan, order) = (self.plan, self.order);
        if plan.stack != *order.stack() || plan.verb != order.verb() {
            let message = format!("the plan is for {} of `{}`, the order is another", plan.verb, plan.stack);
            self.complaints.push(Complaint { severity: Severity::Error, step: None, code: "other-order", message });
        }
        if !plan.steps.is_empty() && self.world.stack != plan.stack {
            let message = format!("the world was looked at for `{}`", self.world.stack);
            self.complaints.push(Complaint { severity: Severity::Error, step: None, code: "other-world", message });
        }
    }

    fn read_numbers(&mut self) {
        for (index, step) in self.plan.steps.iter().enumerate() {
            if step.id.0 as usize != index + 1 {
                self.wrong(step, "number", "steps are not counted from 1 without a gap");
            }
            if step.needs.iter().any(|need| *need >= step.id || need.0 == 0) {
                self.wrong(step, "need-ahead", "it needs a step that does not come before it");
            }
            if step.why.trim().is_empty() {
                let message = "it does not say why".to_owned();
                let severity = Severity::Warning;
                self.complaints.push(Complaint { severity, step: Some(step.id), code: "no-why", message });
            }
        }
    }

    /// Law 2: the impact is told, and never as less than it is.
    fn read_impact(&mut self, step: &Step) {
        let least = match &step.action {
            Action::RemoveVolume { .. } | Action::RemoveContainer { volumes: true, .. } => Impact::Destroy,
            Action::Migrate { .. } if self.loses_data(&step.action) => Impact::Destroy,
            Action::StopContainer { target, .. } => match self.observed_target(target).map(|c| c.state) {
                Some(_) if self.has_taken_over(step, target) => Impact::Replace,
                Some(State::Running | State::Paused | State::Restarting) => Impact::Interrupt,
                _ => Impact::Live,
            },
            Action::CreateContainer { service, number, .. } => {
                let there = self.world.containers.iter().any(|container| {
                    !container.one_off
                        && container.stack.as_ref() == Some(&self.plan.stack)
                        && container.service.as_ref() == Some(service)
                        && container.number == *number
                });
                if there { Impact::Replace } else { Impact::Live }
            }
            _ => Impact::Live,
        };
        if step.impact < least {
            self.wrong(step, "impact", format!("it says {:?} and is {least:?}", step.impact));
        }
        if matches!(self.order, Order::Hold { .. }) && step.impact != Impact::Live {
            self.wrong(step, "hold-not-live", "a hold has live steps only");
        }
    }

    /// Law 5: at the commit, everything that the plan starts is proven.
    fn read_commit(&mut self, commit: &Step) {
        if !matches!(commit.action, Action::Commit { .. }) {
            return;
        }
        let proves = |action: &Action| {
            matches!(
                action,
                Action::StartContainer { .. }
                    | Action::Await { .. }
                    | Action::Probe { .. }
                    | Action::Migrate { .. }
                    | Action::BackUp { .. }
                    | Action::MakeBucket { .. }
                    | Action::Smoke { stage: Stage::BeforeCommit, .. }
            )
        };
        let before = &self.before[&commit.id];
        let open = self.plan.steps.iter().find(|step| proves(&step.action) && !before.contains(&step.id));
        if let Some(open) = open {
            self.wrong(commit, "unproven", format!("step {} is not surely done before", open.id.0));
        }
    }

    /// Whether the place of a container was taken by another one, which runs, before this step: the release is committed.
    fn has_taken_over(&self, step: &Step, old: &Target) -> bool {
        let is_committed = self.earlier(step).any(|other| matches!(other.action, Action::Commit { .. }));
        let ends =
            |other: &Step| matches!(&other.action, Action::StopContainer { .. } | Action::RemoveContainer { .. });
        let runs_already = self.world.containers.iter().any(|container| {
            let id = TargetContainer::Id(container.id.clone());
            let goes = |other: &Step| ends(other) && other.action.target().is_some_and(|target| target.container == id);
            container.state == State::Running
                && id != old.container
                && container.stack.as_ref() == Some(&self.plan.stack)
                && container.service == old.service
                && container.number == old.number
                && !self.plan.steps.iter().any(goes)
        });
        let starts = self.earlier(step).any(|other| match &other.action {
            Action::StartContainer { target } => {
                target.container != old.container && target.service == old.service && target.number == old.number
            }
            _ => false,
        });
        is_committed && (runs_already || starts)
    }

    /// The same thing is done once to the same target, except for waits of different conditions and for stop and start.
    fn read_doubles(&mut self) {
        let mut seen: BTreeMap<String, StepId> = BTreeMap::new();
        for step in &self.plan.steps {
            let key = match &step.action {
                Action::StartContainer { target } => format!("start {:?}", target.container),
                Action::StopContainer { target, .. } => format!("stop {:?}", target.container),
                Action::RemoveContainer { target, .. } => format!("remove {:?}", target.container),
                Action::Attach { target, attachment } => {
                    format!("attach {:?} {}", target.container, attachment.network)
                }
                Action::Await { target, condition, .. } => format!("await {:?} {condition:?}", target.container),
                Action::Detach { target, network, network_id } => {
                    format!("detach {:?} {network} {network_id}", target.container)
                }
                Action::RenameContainer { to, target } => format!("rename {:?} {to}", target.container),
                Action::CreateContainer { name, .. } => format!("create container {name}"),
                Action::PullImage { image, .. } | Action::BuildImage { image, .. } => format!("image {image}"),
                Action::CreateNetwork { name, .. } => format!("create network {name}"),
                Action::RemoveNetwork { id, .. } => format!("remove network {id}"),
                Action::CreateVolume { name, .. } => format!("create volume {name}"),
                Action::RemoveVolume { name } => format!("remove volume {name}"),
                Action::Probe { target, .. } => format!("probe {:?}", target.container),
                Action::Drain { target, .. } => format!("drain {:?}", target.container),
                Action::KeepLogs { target } => format!("keep {:?}", target.container),
                Action::Migrate { database, .. } => format!("migrate {database}"),
                Action::BackUp { database, .. } => format!("back up {database}"),
                Action::MakeBucket { bucket, .. } => format!("make bucket {bucket}"),
                Action::Commit { .. } | Action::Unroute { .. } => "release".to_owned(),
                Action::Smoke { stage, .. } => format!("smoke {stage:?}"),
                Action::LeadBack { .. } => "lead back".to_owned(),
                Action::ClosePreview => "close preview".to_owned(),
            };
            if let Some(first) = seen.insert(key, step.id) {
                self.wrong(step, "twice", format!("step {} does the same", first.0));
            }
        }
    }
}
