//! The rounds of one operation. The first walks the plan that was shown; when the world moved under it, what is left is
//! looked at and decided once more, told, written down, and walked.
//!
//! Two things show that the world moved: a step whose call the engine contradicted (a name in use, a thing gone) and
//! that a new plan does not begin with again; and a walk in which every step was done, after which the world is not as
//! ordered. Neither is taken for more than it is: what a further round may do is bounded by what was shown
//! ([`round::beyond`]), a container that was started and does not run is not started again, and after a few rounds it
//! is somebody else's hand and no leftover.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mainstay_model::operation::{Failure, Verdict, What};
use mainstay_model::plan::{Action, Order, Plan, Step, StepId, TargetContainer, describe, round};
use serde_json::json;

use super::operation::Running;
use super::{afterwards, decided, scope_of};
use crate::apply::{Failed, Manner, Teller, Walk, Walked, failure_of, failure_of_journal};
use crate::journal::{EntryKind, NewEntry, StepOutcome};
use crate::world::World;

/// How often an operation decides once more.
const FURTHER_ROUNDS: u32 = 4;

/// What an operation has done so far, over all its rounds.
pub(super) struct Story {
    /// Every plan that was walked, as one: their steps never share a number.
    pub walked: Plan,
    pub done: BTreeSet<StepId>,
    /// Of the last round: what failed and was mended by a further one is no failure.
    pub failed: usize,
    pub skipped: usize,
    made: BTreeMap<StepId, String>,
    started: BTreeSet<String>,
    further: u32,
}

impl Story {
    pub(super) fn new(shown: &Plan) -> Story {
        Story {
            walked: shown.clone(),
            done: BTreeSet::new(),
            failed: 0,
            skipped: 0,
            made: BTreeMap::new(),
            started: BTreeSet::new(),
            further: 0,
        }
    }

    fn goes_on_with(&mut self, walked: &Walked) {
        let of = |outcome| walked.outcomes.iter().filter(move |(_, found)| **found == outcome).map(|(step, _)| *step);
        self.done.extend(of(StepOutcome::Done));
        self.failed = of(StepOutcome::Failed).count();
        self.skipped = of(StepOutcome::Skipped).chain(of(StepOutcome::Cancelled)).count();
        self.made.clone_from(&walked.made);
        self.started.extend(walked.started.iter().cloned());
    }

    pub(super) fn last_number(&self) -> u32 {
        self.walked.steps.last().map_or(0, |step| step.id.0)
    }

    /// The steps of all rounds that were done.
    fn done_plan(&self) -> Plan {
        self.walked.clone().without(|step| !self.done.contains(&step.id))
    }

    /// A start of a container that this operation has started already: it ended by itself, or somebody stops it.
    fn starts_again<'p>(&self, left: &'p Plan) -> Option<&'p Step> {
        left.steps.iter().find(|step| match &step.action {
            Action::StartContainer { target } => {
                matches!(&target.container, TargetContainer::Id(id) if self.started.contains(id))
            }
            _ => false,
        })
    }
}

/// The rounds of one order.
pub(super) struct Rounds<'a, W> {
    pub running: &'a Running<'a, W>,
    pub teller: &'a Teller,
}

/// How a round ended.
enum Next {
    End(Verdict, Option<Failure>),
    /// What is left, and what showed that the world had moved.
    Again(Plan, String),
}

impl<W: World + Clone> Rounds<'_, W> {
    pub(super) async fn walk(&self, story: &mut Story) -> (Verdict, Option<Failure>) {
        let mut plan = self.running.plan.clone();
        loop {
            let walked = self.one(&plan, story).await;
            story.goes_on_with(&walked);
            let next = match walked.verdict {
                Verdict::Done => self.after_all_was_done(story).await,
                Verdict::Failed => self.after_a_failure(&plan, &walked.failed, story).await,
                verdict => Next::End(verdict, None),
            };
            match next {
                Next::End(verdict, failure) => return (verdict, failure),
                Next::Again(left, because) => {
                    plan = left.numbered_after(story.last_number());
                    if let Err(failure) = self.begin_again(&plan, because, story).await {
                        return (Verdict::Failed, Some(failure));
                    }
                }
            }
        }
    }

    async fn one(&self, plan: &Plan, story: &Story) -> Walked {
        let Running { keeper, order, operation, cancel, .. } = self.running;
        let (declared, env) = match order {
            Order::Up { declared, options } => (Some(Arc::new(declared.as_ref().clone())), options.env.as_deref()),
            _ => (None, None),
        };
        Walk {
            world: &keeper.docker,
            journal: &keeper.journal,
            operation,
            plan,
            declared,
            env: env.map(Arc::from),
            made: story.made.clone(),
            teller: self.teller,
            cancel,
            by: keeper.actor(),
            manner: Manner::Order,
        }
        .go()
        .await
    }

    /// One look after the walk. A world that cannot be seen is not known to be as declared.
    async fn after_all_was_done(&self, story: &Story) -> Next {
        let left = match self.look_and_decide(story).await {
            Ok(left) => left,
            Err(mut failure) => {
                failure.causes.insert(0, failure.message);
                failure.message = "every step was done, but the world could not be looked at afterwards".into();
                return Next::End(Verdict::Failed, Some(failure));
            }
        };
        let Some(failure) = afterwards::not_as_ordered(&left) else { return Next::End(Verdict::Done, None) };
        match self.obstacle(&left, story) {
            None => Next::Again(left, "the world is not as ordered after every step was done".into()),
            Some(obstacle) => Next::End(Verdict::Failed, Some(failure_with(failure, obstacle))),
        }
    }

    /// Whether what failed was decided for a world that is no more; if so, what is left to do in the world as it is.
    async fn after_a_failure(&self, plan: &Plan, failed: &BTreeMap<StepId, Failed>, story: &Story) -> Next {
        let end = Next::End(Verdict::Failed, None);
        // Which containers a `restart` has restarted cannot be seen, so it is not taken up in its middle.
        let can_be_taken_up = !matches!(self.running.order, Order::Restart(_));
        if !can_be_taken_up || failed.is_empty() || !failed.values().all(|failed| failed.contradicts) {
            return end;
        }
        let Ok(left) = self.look_and_decide(story).await else { return end };
        let mut steps = failed.keys().filter_map(|id| plan.step(*id));
        if !steps.all(|step| round::is_outdated(step, &left)) {
            return end;
        }
        if left.is_empty() && left.refusals().next().is_none() {
            return Next::End(Verdict::Done, None);
        }
        if let Some(obstacle) = self.obstacle(&left, story) {
            let failure = Failure { message: obstacle, ..Failure::default() };
            return Next::End(Verdict::Failed, Some(failure));
        }
        let said: Vec<String> = failed.values().map(|failed| in_one_line(&failed.failure)).collect();
        Next::Again(left, said.join("; "))
    }

    async fn look_and_decide(&self, story: &Story) -> Result<Plan, Failure> {
        let order = afterwards::rest_of(self.running.order, story.made.values().cloned().collect());
        let observed = self.running.keeper.docker.look(&scope_of(&order)).await;
        let observed = observed.map_err(|error| failure_of(&error))?;
        let left = decided(&order, &observed);
        let left = afterwards::what_remains(&order, &story.walked, &story.done_plan(), &observed, left);
        Ok(Plan { verb: self.running.plan.verb.clone(), ..left })
    }

    /// Why what is left is not done without asking; `None` when it may be.
    fn obstacle(&self, left: &Plan, story: &Story) -> Option<String> {
        if self.running.cancel.is_cancelled() {
            return Some("the operation was cancelled".into());
        }
        if story.further >= FURTHER_ROUNDS {
            return Some(format!(
                "the world changed again and again: decided {FURTHER_ROUNDS} times more, and not done"
            ));
        }
        if let Some(refusal) = left.refusals().next() {
            return Some(format!("what is left to do is refused: {}", refusal.message));
        }
        if let Some(step) = story.starts_again(left) {
            let name = step.action.target().map(|target| target.name.as_str()).unwrap_or_default();
            return Some(format!("`{name}` was started and does not run any more: it is not started again"));
        }
        let beyond = round::beyond(self.running.order, self.running.plan, left)?;
        Some(format!(
            "the world changed, and to {} goes beyond the plan that was shown: run it again",
            describe(&beyond.action)
        ))
    }

    /// Nothing is done that was not told and written down before.
    async fn begin_again(&self, plan: &Plan, because: String, story: &mut Story) -> Result<(), Failure> {
        story.further += 1;
        story.walked.steps.extend(plan.steps.iter().cloned());
        let Running { keeper, operation, .. } = self.running;
        let count = plan.steps.len();
        let steps = if count == 1 { "1 step is".to_owned() } else { format!("{count} steps are") };
        let summary = format!("`{}` looked and decided once more: {steps} left to do", plan.verb);
        let mut entry = NewEntry::new(EntryKind::Operation, Some(plan.stack.clone()), summary);
        entry.cause = Some(because.clone());
        entry.operation = Some((*operation).clone());
        entry.evidence = json!({ "digest": plan.digest(), "plan": plan });
        let written = keeper.journal.decided_again(operation, story.walked.clone(), entry).await;
        written.map_err(|trouble| failure_of_journal(&trouble))?;
        self.teller.tell(What::Replanned { because, plan: plan.clone(), digest: plan.digest() });
        Ok(())
    }
}

/// "`web-1` could not be started: network back is ambiguous (2 matches found on name)"
fn in_one_line(failure: &Failure) -> String {
    let said = std::iter::once(&failure.message).chain(failure.causes.first());
    said.map(String::as_str).collect::<Vec<_>>().join(": ")
}

fn failure_with(mut failure: Failure, obstacle: String) -> Failure {
    failure.causes.push(obstacle);
    failure
}
