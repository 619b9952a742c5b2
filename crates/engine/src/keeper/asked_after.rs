//! The checks that a release asks after its commit, as they stand in the record of an operation that was cut off.

use mainstay_model::plan::{Action, Stage};

use crate::journal::{OperationRecord, StepOutcome};

pub(super) fn is_asked_after(action: &Action) -> bool {
    matches!(action, Action::Smoke { stage: Stage::AfterCommit, .. })
}

/// What is known of the checks that a release asks after its commit.
#[derive(Default)]
pub(super) struct AskedAfter {
    /// So many were not asked to their end, though they should have been.
    pub unasked: usize,
    /// One did not hold, or somebody stopped the release while they were asked: it is not to stay.
    pub is_against_it: bool,
}

impl AskedAfter {
    pub(super) fn of(recorded: Option<&OperationRecord>) -> AskedAfter {
        let Some(recorded) = recorded else { return AskedAfter::default() };
        let mut found = AskedAfter::default();
        for step in &recorded.plan.steps {
            let Action::Smoke { stage: Stage::AfterCommit, checks, .. } = &step.action else { continue };
            match recorded.steps.iter().find(|record| record.step == step.id).and_then(|record| record.outcome) {
                Some(StepOutcome::Done) => return AskedAfter::default(),
                Some(StepOutcome::Failed | StepOutcome::Cancelled) => found.is_against_it = true,
                Some(StepOutcome::Skipped | StepOutcome::Unknown) | None => found.unasked = checks.len(),
            }
        }
        found
    }

    pub(super) fn told(&self) -> String {
        match self.unasked {
            0 => String::new(),
            1 => "; 1 smoke check after its commit was not asked (`mainstay smoke` asks it)".to_owned(),
            several => format!("; {several} smoke checks after its commit were not asked (`mainstay smoke` asks them)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use mainstay_model::identity::StackName;
    use mainstay_model::plan::{Impact, Plan, PlannedCheck, Step, StepId};
    use mainstay_model::smoke::Whence;

    use super::*;
    use crate::journal::{StepRecord, new_operation_id};

    /// An operation that asks two checks after its commit, with what is recorded of that.
    fn recorded(outcome: Option<Option<StepOutcome>>) -> OperationRecord {
        let check = |index| PlannedCheck {
            index,
            shown: "partner".into(),
            from: Whence::Outside,
            is_previewed: false,
            answered_by: Vec::new(),
        };
        let checks = vec![check(0), check(1)];
        let action = Action::Smoke { stage: Stage::AfterCommit, checks, preview: Vec::new(), kept: Vec::new() };
        let step = Step { id: StepId(1), action, why: String::new(), impact: Impact::Live, needs: Vec::new() };
        let plan = Plan { steps: vec![step], ..Plan::empty(StackName::new("shop").unwrap(), "up") };
        let steps = outcome.map(|outcome| StepRecord {
            step: StepId(1),
            started: String::new(),
            ended: None,
            outcome,
            detail: None,
            failure: None,
        });
        OperationRecord {
            id: new_operation_id(),
            stack: plan.stack.clone(),
            verb: "up".into(),
            plan,
            digest: String::new(),
            started: String::new(),
            ended: None,
            verdict: None,
            actor: String::new(),
            steps: steps.into_iter().collect(),
        }
    }

    #[test]
    fn what_was_found_wrong_is_not_finished_and_what_was_not_asked_is_told() {
        let found = |outcome| {
            let found = AskedAfter::of(Some(&recorded(outcome)));
            (found.unasked, found.is_against_it)
        };
        assert_eq!(found(Some(Some(StepOutcome::Done))), (0, false));
        assert_eq!(found(Some(Some(StepOutcome::Failed))), (0, true));
        assert_eq!(found(Some(Some(StepOutcome::Cancelled))), (0, true));
        assert_eq!(found(Some(None)), (2, false), "it was asked in the moment of the kill");
        assert_eq!(found(None), (2, false));
        assert_eq!(AskedAfter::of(None).told(), "");
    }
}
