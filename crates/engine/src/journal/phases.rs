//! How long each part of a release took, as the records of its steps tell it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mainstay_model::identity::StackName;
use mainstay_model::plan::{Action, Plan, Stage, StepId};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::operations::{StepOutcome, StepRecord, recorded};
use super::releases::{self, Release};

/// A part of a release, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Images, networks, volumes, and containers that do not run yet.
    Materials,
    /// Databases are backed up before they are migrated.
    BackUp,
    /// Databases are migrated.
    Migrate,
    /// Containers start, join, and are taken down where the new one cannot run beside the old.
    Start,
    /// They are waited for and asked.
    Proof,
    /// Smoke checks are asked, and visitors still get what was there before.
    SmokeBefore,
    Commit,
    /// Smoke checks are asked, and what was there before is still kept.
    SmokeAfter,
    /// What was taken over from finishes and goes; of a release that was taken back, the release itself.
    ClearAway,
}

/// A release with the milliseconds of its parts, from the first step of each to the end of its last one. Steps of
/// different parts run side by side, so these need not add up to the whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    #[serde(flatten)]
    pub release: Release,
    pub phases_ms: BTreeMap<Phase, u64>,
}

pub(super) fn log(connection: &Connection, stack: Option<&StackName>, limit: u32) -> rusqlite::Result<Vec<Logged>> {
    let logged = |release: Release| {
        let operation = recorded(connection, &release.operation).optional()?;
        let phases_ms = operation.map(|operation| times(&operation.plan, &operation.steps)).unwrap_or_default();
        Ok(Logged { release, phases_ms })
    };
    releases::of(connection, stack, limit)?.into_iter().map(logged).collect()
}

fn times(plan: &Plan, steps: &[StepRecord]) -> BTreeMap<Phase, u64> {
    let actions: BTreeMap<StepId, &Action> = plan.steps.iter().map(|step| (step.id, &step.action)).collect();
    let ran = |step: &&StepRecord| matches!(step.outcome, Some(StepOutcome::Done | StepOutcome::Failed));
    let spans: Vec<(&Action, Timestamp, Timestamp)> = steps
        .iter()
        .filter(ran)
        .filter_map(|step| {
            let ended: Timestamp = step.ended.as_deref()?.parse().ok()?;
            Some((*actions.get(&step.step)?, step.started.parse().ok()?, ended))
        })
        .collect();
    let committed = spans.iter().find(|(action, ..)| matches!(action, Action::Commit { .. })).map(|(_, _, end)| *end);
    let mut within: BTreeMap<Phase, (Timestamp, Timestamp)> = BTreeMap::new();
    for (action, start, end) in spans {
        let phase = match phase(action) {
            Phase::SmokeAfter => Phase::SmokeAfter,
            _ if committed.is_some_and(|at| start >= at) => Phase::ClearAway,
            phase => phase,
        };
        let span = within.entry(phase).or_insert((start, end));
        *span = (span.0.min(start), span.1.max(end));
    }
    let millis = |(start, end): (Timestamp, Timestamp)| {
        u64::try_from(end.as_millisecond() - start.as_millisecond()).unwrap_or_default()
    };
    within.into_iter().map(|(phase, span)| (phase, millis(span))).collect()
}

fn phase(action: &Action) -> Phase {
    match action {
        Action::PullImage { .. }
        | Action::BuildImage { .. }
        | Action::CreateNetwork { .. }
        | Action::CreateVolume { .. }
        | Action::CreateContainer { .. } => Phase::Materials,
        Action::Await { .. } | Action::Probe { .. } => Phase::Proof,
        Action::Smoke { stage: Stage::BeforeCommit | Stage::AtEnd, .. } => Phase::SmokeBefore,
        Action::Smoke { stage: Stage::AfterCommit, .. } => Phase::SmokeAfter,
        Action::Migrate { .. } => Phase::Migrate,
        Action::BackUp { .. } => Phase::BackUp,
        Action::MakeBucket { .. } => Phase::Materials,
        Action::Commit { .. } => Phase::Commit,
        Action::RemoveContainer { .. }
        | Action::RemoveNetwork { .. }
        | Action::RemoveVolume { .. }
        | Action::KeepLogs { .. }
        | Action::LeadBack { .. }
        | Action::ClosePreview
        | Action::Drain { .. } => Phase::ClearAway,
        Action::StartContainer { .. }
        | Action::StopContainer { .. }
        | Action::RenameContainer { .. }
        | Action::Attach { .. }
        | Action::Detach { .. }
        | Action::Unroute { .. } => Phase::Start,
    }
}

#[cfg(test)]
mod tests {
    use mainstay_model::identity::StackName;
    use mainstay_model::plan::{Impact, Step, Target, TargetContainer};

    use super::*;

    #[test]
    fn what_comes_after_the_commit_clears_away() {
        let target =
            || Target { name: "web-1".into(), service: None, number: 1, container: TargetContainer::Id("a".into()) };
        let actions = [
            Action::PullImage { image: "web".into(), platform: None },
            Action::StartContainer { target: target() },
            Action::Commit { routes: Vec::new(), kept: Vec::new(), lost: Vec::new(), tells_edge: false },
            Action::StopContainer { target: target(), grace_secs: None },
        ];
        let mut plan = Plan::empty(StackName::new("shop").unwrap(), "up");
        let mut steps = Vec::new();
        for (number, action) in (1..).zip(actions) {
            let id = StepId(number);
            plan.steps.push(Step { id, action, why: String::new(), impact: Impact::Live, needs: Vec::new() });
            steps.push(StepRecord {
                step: id,
                started: format!("2026-11-20T10:00:0{number}Z"),
                ended: Some(format!("2026-11-20T10:00:0{number}.{number}00Z")),
                outcome: Some(StepOutcome::Done),
                detail: None,
                failure: None,
            });
        }
        // What was skipped took no time.
        plan.steps.push(Step { id: StepId(5), ..plan.steps[0].clone() });
        steps.push(StepRecord { step: StepId(5), outcome: Some(StepOutcome::Skipped), ..steps[3].clone() });
        let expected = [(Phase::Materials, 100), (Phase::Start, 200), (Phase::Commit, 300), (Phase::ClearAway, 400)];
        assert_eq!(times(&plan, &steps), BTreeMap::from(expected));
    }
}
