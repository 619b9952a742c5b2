//! Walks a plan: independent steps side by side, dependents only after success, every step in the journal.
//!
//! The walker decides nothing: what is done, why and in which order stands in the plan. Every step goes through
//! the same gate: its intent is committed, it is done, its outcome is committed, it is told. All steps run inside the
//! one future that [`Walk::go`] gives, so dropping that future drops everything and nothing runs on unseen.

mod failure;
mod state;
mod telling;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use mainstay_model::declared::Declared;
use mainstay_model::identity::OperationId;
use mainstay_model::operation::{Verdict, What};
use mainstay_model::plan::{Action, Plan, Step, StepId, TargetContainer};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::journal::{EntryKind, Journal, JournalError, NewEntry, StepEnd, StepOutcome};
use crate::world::{Acted, Context, Progress, Told, World};
pub(crate) use failure::{Failed, failure_of, failure_of_journal};
use state::{Next, State};
pub(crate) use telling::Teller;
use telling::{could_not, did, subject};

/// One plan on its way.
pub(crate) struct Walk<'a, W> {
    pub world: &'a W,
    pub journal: &'a Journal,
    pub operation: &'a OperationId,
    pub plan: &'a Plan,
    pub declared: Option<Arc<Declared>>,
    /// `--env`, with which that was read.
    pub env: Option<Arc<str>>,
    /// Containers that earlier rounds of the same operation made.
    pub made: BTreeMap<StepId, String>,
    pub teller: &'a Teller,
    pub cancel: &'a CancellationToken,
    /// Who asked for it.
    pub by: &'a str,
    pub manner: Manner,
}

/// Whose walk it is: it changes what is written down, and what a journal that cannot be written means.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// Someone ordered it. What cannot be written down is not done.
    Order,
    /// A release is taken back, or finished. It is done even when it cannot be written down: it asks the world what there
    /// is, not the journal, and half a way back is a site that is down.
    Settling,
    /// The loop brings something back. It is done even when it cannot be written down: a full disk must not take
    /// a stack off its networks, and the act is live and seen again by every later look.
    Repair { cause: String, evidence: serde_json::Value },
}

/// How a walk ended.
#[derive(Debug)]
pub(crate) struct Walked {
    /// `Done`, `Failed` or `Cancelled`.
    pub verdict: Verdict,
    pub outcomes: BTreeMap<StepId, StepOutcome>,
    /// Why steps failed.
    pub failed: BTreeMap<StepId, Failed>,
    /// By the step that made them: the engine's ids of containers, those of earlier rounds too.
    pub made: BTreeMap<StepId, String>,
    /// The engine's ids of the containers that were started.
    pub started: BTreeSet<String>,
}

/// What became of one step.
enum Ended {
    Done(Acted),
    Failed(Failed),
    Cancelled,
}

impl<W: World> Walk<'_, W> {
    pub(crate) async fn go(&self) -> Walked {
        let mut state = State::new(self.plan, self.made.clone());
        let mut failed = BTreeMap::new();
        let mut started = BTreeSet::new();
        let mut running = FuturesUnordered::new();
        loop {
            let mut skipped = Vec::new();
            while let Some(next) = state.next(self.cancel.is_cancelled()) {
                match next {
                    Next::Run(step) => running.push(self.step(step, self.context(&state))),
                    Next::Skip(step, because) => skipped.push(self.skip(step, because)),
                }
            }
            join_all(skipped).await;
            match running.next().await {
                Some((step, Ended::Done(acted))) => {
                    started.extend(started_by(step, state.made()));
                    state.done(step, acted.container_id);
                }
                Some((step, Ended::Failed(why))) => {
                    failed.insert(step.id, why);
                    state.ended(step, StepOutcome::Failed);
                }
                Some((step, Ended::Cancelled)) => state.ended(step, StepOutcome::Cancelled),
                None => {
                    let (verdict, made) = (state.verdict(), state.made().clone());
                    return Walked { verdict, outcomes: state.into_outcomes(), failed, made, started };
                }
            }
        }
    }

    fn context(&self, state: &State<'_>) -> Context {
        Context {
            stack: self.plan.stack.clone(),
            declared: self.declared.clone(),
            env: self.env.clone(),
            keeper: self.journal.keeper(),
            made: state.made().clone(),
            redactions: self.journal.redactions.clone(),
            by: self.by.into(),
            cancel: self.cancel.clone(),
        }
    }

    /// One step through the gate.
    async fn step<'s>(&self, step: &'s Step, context: Context) -> (&'s Step, Ended) {
        let began = Instant::now();
        if let Err(trouble) = self.intend(step).await {
            let mut failure = failure_of_journal(&trouble);
            failure.message = format!("{}, because the intent could not be written down", could_not(&step.action));
            failure.causes.insert(0, trouble.message);
            self.teller.tell(What::StepStarted { step: step.id });
            self.teller.tell(What::StepFailed { step: step.id, took_ms: took_ms(began), failure: failure.clone() });
            return (step, Ended::Failed(Failed { failure, contradicts: false }));
        }
        self.teller.tell(What::StepStarted { step: step.id });
        let mut ended = self.act(step, &context).await;
        let took_ms = took_ms(began);
        if let Err(trouble) = self.record(step, &ended, took_ms).await
            && matches!(self.manner, Manner::Order)
        {
            ended = unwritten(step, ended, &trouble);
        }
        self.teller.tell(match &ended {
            Ended::Done(acted) => What::StepDone { step: step.id, took_ms, detail: acted.detail.clone() },
            Ended::Failed(failed) => What::StepFailed { step: step.id, took_ms, failure: failed.failure.clone() },
            Ended::Cancelled => {
                What::StepSkipped { step: step.id, because: "the operation was cancelled while it ran".into() }
            }
        });
        (step, ended)
    }

    /// Writes the intent down. A repair does not wait for it to be committed: it is live and already true when done
    /// twice, and every start of the loop looks for it anyway. Neither does a settling, which every start goes on with.
    async fn intend(&self, step: &Step) -> Result<(), JournalError> {
        match self.manner {
            Manner::Order => self.journal.step_begins(self.operation, step).await,
            Manner::Settling | Manner::Repair { .. } => {
                self.journal.post_step_begins(self.operation, step);
                Ok(())
            }
        }
    }

    async fn act(&self, step: &Step, context: &Context) -> Ended {
        let teller = self.teller.clone();
        let id = step.id;
        let progress = Progress::new(move |told| {
            teller.tell(match told {
                Told::Line(message) => What::StepProgress { step: id, message },
                Told::Build(build) => What::BuildProgress { step: id, build },
            });
        });
        let act = self.world.act(step, context, &progress);
        let acted = if may_be_dropped(&step.action) {
            tokio::select! {
                // What has ended has ended, even in the moment of a cancel.
                biased;
                acted = act => acted,
                () = self.cancel.cancelled() => return Ended::Cancelled,
            }
        } else {
            act.await
        };
        match acted {
            Ok(acted) => Ended::Done(acted),
            Err(error) if error.cancelled && self.cancel.is_cancelled() => Ended::Cancelled,
            Err(error) => Ended::Failed(Failed { failure: failure_of(&error), contradicts: error.contradicts }),
        }
    }

    async fn skip(&self, step: &Step, because: String) {
        let end = StepEnd {
            operation: self.operation.clone(),
            step: step.id,
            outcome: StepOutcome::Skipped,
            detail: Some(because.clone()),
            failure: None,
            entry: None,
        };
        // That a step was not done costs nothing when it is forgotten.
        let _ = self.journal.step_ends(end).await;
        self.teller.tell(What::StepSkipped { step: step.id, because });
    }

    async fn record(&self, step: &Step, ended: &Ended, took_ms: u64) -> Result<(), JournalError> {
        let (outcome, detail, failure) = match ended {
            Ended::Done(acted) => (StepOutcome::Done, acted.detail.clone(), None),
            Ended::Failed(failed) => (StepOutcome::Failed, None, Some(failed.failure.clone())),
            Ended::Cancelled => (StepOutcome::Cancelled, None, None),
        };
        let end = StepEnd {
            operation: self.operation.clone(),
            step: step.id,
            outcome,
            detail,
            failure,
            entry: Some(self.entry(step, ended, took_ms)),
        };
        self.journal.step_ends(end).await
    }

    fn entry(&self, step: &Step, ended: &Ended, took_ms: u64) -> NewEntry {
        let (kind, cause, evidence) = match &self.manner {
            Manner::Order | Manner::Settling => (EntryKind::Step, step.why.clone(), serde_json::Value::Null),
            Manner::Repair { cause, evidence } => (EntryKind::Repair, cause.clone(), evidence.clone()),
        };
        let (kind, summary, told) = match ended {
            Ended::Done(acted) => (kind, did(&step.action), json!({ "detail": acted.detail })),
            Ended::Failed(Failed { failure, .. }) => {
                let kind = if kind == EntryKind::Repair { EntryKind::Problem } else { kind };
                let summary = format!("{}: {}", could_not(&step.action), failure.message);
                (kind, summary, json!({ "causes": failure.causes, "hints": failure.hints }))
            }
            Ended::Cancelled => (kind, format!("{}: cancelled", could_not(&step.action)), serde_json::Value::Null),
        };
        let (subject, service) = subject(&step.action);
        NewEntry {
            service: service.map(|service| service.as_str().to_owned()),
            subject,
            cause: Some(cause),
            operation: Some(self.operation.clone()),
            evidence: json!({
                "step": step.id, "took_ms": took_ms, "why": step.why, "action": step.action, "told": told,
                "event": evidence,
            }),
            ..NewEntry::new(kind, Some(self.plan.stack.clone()), summary)
        }
    }
}

/// A step that was done and could not be written down ends the walk: what depends on it is not begun.
fn unwritten(step: &Step, ended: Ended, trouble: &JournalError) -> Ended {
    let mut failure = failure_of_journal(trouble);
    match ended {
        Ended::Failed(failed) => return Ended::Failed(failed),
        Ended::Cancelled => return Ended::Cancelled,
        Ended::Done(_) => {
            failure.message = format!("{}, but that could not be written down", did(&step.action));
            failure.causes.insert(0, trouble.message.clone());
        }
    }
    Ended::Failed(Failed { failure, contradicts: false })
}

/// The container that a step has started.
fn started_by(step: &Step, made: &BTreeMap<StepId, String>) -> Option<String> {
    let Action::StartContainer { target } = &step.action else { return None };
    match &target.container {
        TargetContainer::Id(id) => Some(id.clone()),
        TargetContainer::MadeBy(step) => made.get(step).cloned(),
    }
}

/// Acts that only wait or fetch: dropping them leaves the world as it was. All others are short and end by themselves.
fn may_be_dropped(action: &Action) -> bool {
    matches!(
        action,
        Action::Await { .. }
            | Action::Probe { .. }
            | Action::Drain { .. }
            | Action::Smoke { .. }
            | Action::PullImage { .. }
            | Action::BuildImage { .. }
    )
}

fn took_ms(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
