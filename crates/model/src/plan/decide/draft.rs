//! A plan while it is being written: steps may lean on steps that are written later.
//!
//! Deciding goes service by service, yet a need can cross that order: a rename waits until somebody else has left
//! the name, a port is free only when its holder has stopped. So the draft takes any need and [`Draft::finish`]
//! brings the steps into an order in which every need points backwards, numbers them, and leaves out each need
//! that another one implies already.

use std::collections::{BTreeMap, BTreeSet};

use crate::identity::{ServiceName, StackName};
use crate::plan::{Action, Finding, Impact, Level, Plan, Step, StepId, Target, TargetContainer};

#[derive(Default)]
pub(super) struct Draft {
    steps: Vec<Step>,
    /// Pairs (step, after) that hold only where they close no circle.
    wishes: Vec<(StepId, StepId)>,
    /// The same, granted before the others.
    first_wishes: Vec<(StepId, StepId)>,
    pub findings: Vec<Finding>,
    pub unchanged: Vec<ServiceName>,
}

impl Draft {
    /// Adds a step under a provisional id.
    pub fn add(
        &mut self,
        action: Action,
        impact: Impact,
        why: impl Into<String>,
        needs: impl IntoIterator<Item = StepId>,
    ) -> StepId {
        let id = StepId(self.steps.len() as u32 + 1);
        self.steps.push(Step { id, action, why: why.into(), impact, needs: needs.into_iter().collect() });
        id
    }

    /// Says later that a step needs another one too.
    pub fn need(&mut self, step: StepId, on: StepId) {
        if let Some(step) = self.steps.iter_mut().find(|s| s.id == step) {
            step.needs.push(on);
        }
    }

    /// A step should come after another one, unless that would close a circle.
    pub fn wish(&mut self, step: StepId, after: StepId) {
        self.wishes.push((step, after));
    }

    pub fn wish_first(&mut self, step: StepId, after: StepId) {
        self.first_wishes.push((step, after));
    }

    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub fn tell(&mut self, level: Level, code: &str, message: impl Into<String>, hint: Option<&str>) {
        let hint = hint.map(str::to_owned);
        self.findings.push(Finding { level, code: code.into(), message: message.into(), hint });
    }

    pub fn finish(mut self, stack: StackName, verb: &str) -> Plan {
        self.grant_wishes();
        let mut findings = self.findings;
        findings.sort();
        findings.dedup();
        let mut unchanged = self.unchanged;
        unchanged.sort();
        unchanged.dedup();
        Plan { stack, verb: verb.into(), steps: numbered(self.steps), findings, unchanged }
    }

    fn grant_wishes(&mut self) {
        let mut wishes = std::mem::take(&mut self.first_wishes);
        wishes.append(&mut self.wishes);
        for (step, after) in wishes {
            if step != after && !leans_on(&self.steps, after, step) {
                self.need(step, after);
            }
        }
    }
}

/// Whether `from` needs `on`, directly or through others.
fn leans_on(steps: &[Step], from: StepId, on: StepId) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        if id == on {
            return true;
        }
        if seen.insert(id) {
            open.extend(
                steps.iter().find(|step| step.id == id).into_iter().flat_map(|step| step.needs.iter().copied()),
            );
        }
    }
    false
}

/// Materials come first, whatever asked for them; within a phase the order of writing stays.
fn phase(action: &Action) -> u8 {
    match action {
        Action::PullImage { .. } | Action::BuildImage { .. } => 0,
        Action::CreateNetwork { .. } => 1,
        Action::CreateVolume { .. } => 2,
        _ => 3,
    }
}

/// The steps in an order in which they could run one by one, with final numbers and minimal needs.
fn numbered(steps: Vec<Step>) -> Vec<Step> {
    let mut waiting: BTreeMap<(u8, StepId), Step> =
        steps.into_iter().map(|step| ((phase(&step.action), step.id), step)).collect();
    let mut number: BTreeMap<StepId, StepId> = BTreeMap::new();
    let mut implied: BTreeMap<StepId, BTreeSet<StepId>> = BTreeMap::new();
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = waiting.iter().find(|(_, step)| step.needs.iter().all(|need| number.contains_key(need)));
        // The planner's rules close no circle; were one of them wrong, the checker would tell of the need that is
        // lost here, which is better than a planner that never returns.
        let Some(key) = ready.or_else(|| waiting.iter().next()).map(|(key, _)| *key) else { break };
        let Some(mut step) = waiting.remove(&key) else { break };
        let id = StepId(ordered.len() as u32 + 1);
        number.insert(step.id, id);
        step.id = id;
        let direct: BTreeSet<StepId> = step.needs.iter().filter_map(|need| number.get(need).copied()).collect();
        let beyond: BTreeSet<StepId> = direct.iter().filter_map(|need| implied.get(need)).flatten().copied().collect();
        step.needs = direct.difference(&beyond).copied().collect();
        implied.insert(id, direct.union(&beyond).copied().collect());
        ordered.push(step);
    }
    for step in &mut ordered {
        for target in step.action.targets_mut() {
            if let Target { container: TargetContainer::MadeBy(made), .. } = target
                && let Some(id) = number.get(made)
            {
                *made = *id;
            }
        }
    }
    ordered
}
