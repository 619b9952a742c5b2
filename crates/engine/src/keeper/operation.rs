//! One order from its plan to its verdict: begun in the journal, walked in [`rounds`](super::rounds), closed.

use std::time::{Duration, Instant};

use mainstay_model::identity::OperationId;
use mainstay_model::operation::{Event, Failure, Verdict, What};
use mainstay_model::plan::{Order, Plan};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::met::MetEdge;
use super::rounds::{Rounds, Story};
use super::{Keeper, KeeperError, known};
use crate::apply::Teller;
use crate::journal::{Beginning, EntryKind, Journal, JournalError, KnownChange, NewEntry, NewRelease, verdict_text};
use crate::secrets::Namespace;
use crate::world::World;

pub(super) struct Running<'a, W> {
    pub keeper: &'a Keeper<W>,
    pub order: &'a Order,
    pub plan: &'a Plan,
    pub operation: &'a OperationId,
    pub cancel: &'a CancellationToken,
    /// The edge that was seen when the plan was decided.
    pub met: Option<&'a MetEdge>,
}

impl<W: World + Clone> Running<'_, W> {
    pub(super) async fn to_its_end(
        &self,
        events: mpsc::UnboundedSender<Event>,
        release: Option<NewRelease>,
    ) -> Result<Verdict, KeeperError> {
        let began = Instant::now();
        let teller = Teller {
            operation: self.operation.clone(),
            stack: self.plan.stack.clone(),
            events: Some(events),
            redactions: self.keeper.journal.redactions.clone(),
        };
        // Refused here, a full disk has cost nothing: no step was taken.
        self.keeper.journal.begin(self.beginning(release.clone())).await.map_err(unwritable)?;
        let open = Open::new(&self.keeper.journal, self.operation);
        teller.tell(What::Planned { plan: self.plan.clone(), digest: self.plan.digest() });
        let mut story = Story::new(self.plan);
        let (verdict, mut failure) = if self.plan.is_empty() {
            (Verdict::Unchanged, None)
        } else {
            Rounds { running: self, teller: &teller }.walk(&mut story).await
        };
        let mut released = Ok(());
        if let Some(release) = &release {
            (failure, released) = self.end_release(release, verdict, failure, &mut story, &teller).await;
        }
        let entry = self.ending(verdict, &story, failure.as_ref(), began.elapsed());
        let changes = self.changes(verdict, &story);
        let durable = !self.plan.is_empty();
        let finished = self.keeper.journal.finish(self.operation.clone(), verdict, durable, Some(entry), changes).await;
        open.close();
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        teller.tell(What::Finished { verdict, took_ms, failure });
        finished.and(released).map_err(unwritable)?;
        Ok(verdict)
    }

    fn beginning(&self, release: Option<NewRelease>) -> Beginning {
        let mut entry = NewEntry::new(
            EntryKind::Operation,
            Some(self.plan.stack.clone()),
            format!("`{}` began: {}", self.plan.verb, count(self.plan.steps.len(), "step")),
        );
        entry.operation = Some(self.operation.clone());
        entry.evidence = json!({ "actor": &*self.keeper.actor, "digest": self.plan.digest() });
        Beginning {
            operation: self.operation.clone(),
            plan: self.plan.clone(),
            digest: self.plan.digest(),
            actor: self.keeper.actor.to_string(),
            // What changes nothing may be forgotten in a power cut: an fsync would be its longest part.
            durable: !self.plan.is_empty() || release.is_some(),
            release,
            // That an order found nothing to do is one line, told at its end.
            entry: (!self.plan.is_empty()).then_some(entry),
        }
    }

    fn changes(&self, verdict: Verdict, story: &Story) -> Vec<KnownChange> {
        match verdict {
            Verdict::Done | Verdict::Unchanged => {
                self.keep_timetable();
                // What cannot be read is written anew.
                let before = self.keeper.journal.stack(&self.plan.stack).ok().flatten();
                let own = known::change_after(self.order, &story.walked, before);
                own.into_iter().chain(self.met.and_then(|met| met.change_after(self.order, &story.walked))).collect()
            }
            Verdict::Failed | Verdict::Cancelled => Vec::new(),
        }
    }

    /// What is done by itself from now on. A server wakes by the entry that is written next.
    fn keep_timetable(&self) {
        let Some(secrets) = &self.keeper.secrets else { return };
        // One that cannot be written now is written by the next order; its backups would be told as late.
        let _ = match self.order {
            Order::Up { declared, options } => Namespace::new(declared.stack.clone(), options.env.as_deref())
                .and_then(|namespace| secrets.keep_timetable(&namespace, declared)),
            Order::Down(down) if down.services.is_empty() => {
                let env = self.keeper.journal.stack(&down.stack).ok().flatten().and_then(|known| known.env);
                Namespace::new(down.stack.clone(), env.as_deref())
                    .and_then(|namespace| secrets.forget_timetable(&namespace))
            }
            _ => Ok(()),
        };
    }

    fn ending(&self, verdict: Verdict, story: &Story, failure: Option<&Failure>, took: Duration) -> NewEntry {
        let verb = &self.plan.verb;
        let (failed, skipped) = (story.failed, story.skipped);
        let done = count(story.done.len(), "step");
        let secs = took.as_secs_f64();
        let summary = match (verdict, failure) {
            (Verdict::Unchanged, _) => format!("`{verb}` found nothing to do"),
            (Verdict::Done, _) => format!("`{verb}` done: {done} in {secs:.1} s"),
            (Verdict::Cancelled, _) => format!("`{verb}` cancelled: {done} done, {skipped} not done"),
            (Verdict::Failed, Some(failure)) if failed == 0 => format!("`{verb}` failed: {}", failure.message),
            (Verdict::Failed, _) => {
                format!("`{verb}` failed: {} failed, {done} done, {skipped} not done", count(failed, "step"))
            }
        };
        let mut entry = NewEntry::new(EntryKind::Operation, Some(self.plan.stack.clone()), summary);
        entry.operation = Some(self.operation.clone());
        entry.evidence = json!({
            "verdict": verdict_text(verdict),
            "actor": &*self.keeper.actor,
            "digest": self.plan.digest(),
            "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "failure": failure,
        });
        entry
    }
}

/// An operation that stands open in the journal. Dropped before it was closed, it is recorded as interrupted.
pub(crate) struct Open<'a> {
    journal: &'a Journal,
    operation: Option<&'a OperationId>,
}

impl<'a> Open<'a> {
    pub(crate) fn new(journal: &'a Journal, operation: &'a OperationId) -> Self {
        Open { journal, operation: Some(operation) }
    }

    pub(crate) fn close(mut self) {
        self.operation = None;
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some(operation) = self.operation {
            self.journal.abandon(operation.clone());
        }
    }
}

fn unwritable(source: JournalError) -> KeeperError {
    KeeperError::Journal { doing: "written", source }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
