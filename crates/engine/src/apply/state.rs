//! How far a walk is: which steps may begin, which can never begin, and what became of the others.

use std::collections::{BTreeMap, VecDeque};

use mainstay_model::operation::Verdict;
use mainstay_model::plan::{Action, Impact, Plan, Step, StepId};

use crate::journal::StepOutcome;

/// What a step asks of the machine; each kind has a bound of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Load {
    /// Pulls and builds: disk, network and processor.
    Image,
    /// Calls to the engine, which it works off one by one in part.
    Call,
    /// Waiting costs nothing, and must not keep a start from running whose container somebody waits for.
    Wait,
}

impl Load {
    fn of(action: &Action) -> Load {
        match action {
            Action::PullImage { .. } | Action::BuildImage { .. } => Load::Image,
            Action::Await { .. }
            | Action::Probe { .. }
            | Action::Drain { .. }
            | Action::Migrate { .. }
            | Action::BackUp { .. }
            | Action::MakeBucket { .. }
            | Action::Smoke { .. } => Load::Wait,
            _ => Load::Call,
        }
    }

    fn bound(self) -> usize {
        match self {
            Load::Image => 3,
            Load::Call => 16,
            Load::Wait => 256,
        }
    }
}

pub(super) enum Next<'a> {
    Run(&'a Step),
    Skip(&'a Step, String),
}

pub(super) struct State<'a> {
    pending: VecDeque<&'a Step>,
    running: BTreeMap<Load, usize>,
    ended: BTreeMap<StepId, StepOutcome>,
    made: BTreeMap<StepId, String>,
    cancelled: bool,
    /// The commit that the steps work towards, which nothing that has failed can be part of.
    commit: Option<StepId>,
    has_failed: bool,
}

impl<'a> State<'a> {
    pub(super) fn new(plan: &'a Plan, made: BTreeMap<StepId, String>) -> Self {
        State {
            pending: plan.steps.iter().collect(),
            running: BTreeMap::new(),
            ended: BTreeMap::new(),
            made,
            cancelled: false,
            commit: plan.steps.iter().find(|step| matches!(step.action, Action::Commit { .. })).map(|step| step.id),
            has_failed: false,
        }
    }

    /// The next step that can begin or never will, in the plan's order; `None` when only waiting is left.
    pub(super) fn next(&mut self, cancelled: bool) -> Option<Next<'a>> {
        let position = self.pending.iter().position(|step| cancelled || self.is_settled(step))?;
        let step = self.pending.remove(position)?;
        if let Some(because) = self.obstacle(step, cancelled) {
            self.cancelled |= cancelled;
            self.ended.insert(step.id, StepOutcome::Skipped);
            return Some(Next::Skip(step, because));
        }
        *self.running.entry(Load::of(&step.action)).or_default() += 1;
        Some(Next::Run(step))
    }

    /// Whether it is known what to do with a step now.
    fn is_settled(&self, step: &Step) -> bool {
        if self.failed_need(step).is_some() || self.is_forgone(step) {
            return true;
        }
        let waits = step.needs.iter().any(|need| !self.ended.contains_key(need));
        if waits {
            // Nothing runs that could end the waiting: the plan goes in circles, and an apply must end all the same.
            return self.running.values().all(|count| *count == 0) && !self.any_can_begin();
        }
        let load = Load::of(&step.action);
        self.running.get(&load).copied().unwrap_or_default() < load.bound()
    }

    /// Whether a step would be felt, for a release that cannot be committed any more.
    fn is_forgone(&self, step: &Step) -> bool {
        let is_ahead = self.commit.is_some_and(|commit| !self.ended.contains_key(&commit));
        is_ahead && self.has_failed && step.impact > Impact::Live
    }

    fn any_can_begin(&self) -> bool {
        self.pending.iter().any(|step| step.needs.iter().all(|need| self.ended.contains_key(need)))
    }

    fn failed_need(&self, step: &Step) -> Option<(StepId, StepOutcome)> {
        step.needs
            .iter()
            .filter_map(|need| self.ended.get(need).map(|outcome| (*need, *outcome)))
            .find(|(_, outcome)| *outcome != StepOutcome::Done)
    }

    fn obstacle(&self, step: &Step, cancelled: bool) -> Option<String> {
        match self.failed_need(step) {
            Some((need, StepOutcome::Failed)) => Some(format!("it needs step {}, which failed", need.0)),
            _ if cancelled => Some("the operation was cancelled".into()),
            None if self.is_forgone(step) => Some("the release cannot be committed any more".into()),
            Some((need, _)) => Some(format!("it needs step {}, which was not done", need.0)),
            None => {
                let missing = step.needs.iter().find(|need| !self.ended.contains_key(need))?;
                Some(format!("BUG: it waits for step {}, which can never begin", missing.0))
            }
        }
    }

    pub(super) fn done(&mut self, step: &Step, made: Option<String>) {
        if let Some(id) = made {
            self.made.insert(step.id, id);
        }
        self.ended(step, StepOutcome::Done);
    }

    pub(super) fn ended(&mut self, step: &Step, outcome: StepOutcome) {
        if let Some(count) = self.running.get_mut(&Load::of(&step.action)) {
            *count = count.saturating_sub(1);
        }
        self.cancelled |= outcome == StepOutcome::Cancelled;
        self.has_failed |= outcome == StepOutcome::Failed;
        self.ended.insert(step.id, outcome);
    }

    pub(super) fn made(&self) -> &BTreeMap<StepId, String> {
        &self.made
    }

    pub(super) fn verdict(&self) -> Verdict {
        if self.cancelled {
            return Verdict::Cancelled;
        }
        let all_done = self.ended.values().all(|outcome| *outcome == StepOutcome::Done);
        if all_done { Verdict::Done } else { Verdict::Failed }
    }

    pub(super) fn into_outcomes(self) -> BTreeMap<StepId, StepOutcome> {
        self.ended
    }
}
