//! One writer a stack: who writes to it now, and who did a moment ago.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};
use mainstay_model::identity::{OperationId, StackName};
use tokio::sync::watch;

pub(crate) struct Writers {
    stacks: Mutex<BTreeMap<StackName, Slot>>,
    /// Stacks on which an order ended, for the loop to look at.
    ended: Mutex<BTreeSet<StackName>>,
    /// Counts releases, so that whoever waits for one misses none.
    released: watch::Sender<u64>,
}

impl Default for Writers {
    fn default() -> Self {
        Writers { stacks: Mutex::default(), ended: Mutex::default(), released: watch::Sender::new(0) }
    }
}

#[derive(Default)]
struct Slot {
    now: Option<Writer>,
    /// The last order that ended: the engine's events about it may still be on their way.
    last: Option<(Timestamp, Timestamp)>,
}

/// Some events are told a moment after the call that caused them has returned.
const ECHO: SignedDuration = SignedDuration::from_millis(200);

impl Slot {
    fn ordered_at(&self, at: Timestamp) -> bool {
        let now = matches!(&self.now, Some(Writer::Order(_, since)) if at >= *since);
        now || self.last.is_some_and(|(since, until)| at >= since && at.duration_since(until) <= ECHO)
    }
}

enum Writer {
    Order(OperationId, Timestamp),
    Repair,
}

/// The right to write to a stack. Dropping it gives it back.
pub(crate) struct Writing {
    writers: Arc<Writers>,
    stack: StackName,
}

impl Writers {
    /// For an order of someone. A repair under way is waited for: it takes milliseconds, and nobody who orders
    /// something should hear of it.
    pub(crate) async fn order(
        self: &Arc<Self>,
        stack: &StackName,
        operation: &OperationId,
    ) -> Result<Writing, OperationId> {
        let mut released = self.released.subscribe();
        loop {
            {
                let mut stacks = self.stacks();
                let slot = stacks.entry(stack.clone()).or_default();
                match &slot.now {
                    Some(Writer::Order(other, _)) => return Err(other.clone()),
                    Some(Writer::Repair) => {}
                    None => {
                        slot.now = Some(Writer::Order(operation.clone(), Timestamp::now()));
                        return Ok(Writing { writers: self.clone(), stack: stack.clone() });
                    }
                }
            }
            // The sender lives in `self`, so this cannot end in an error.
            let _ = released.changed().await;
        }
    }

    /// For the loop: `None` while anybody writes to the stack.
    pub(crate) fn repair(self: &Arc<Self>, stack: &StackName) -> Option<Writing> {
        let mut stacks = self.stacks();
        let slot = stacks.entry(stack.clone()).or_default();
        if slot.now.is_some() {
            return None;
        }
        slot.now = Some(Writer::Repair);
        Some(Writing { writers: self.clone(), stack: stack.clone() })
    }

    /// Whether an order of ours was at a stack then; what happened to the stack was no stranger's doing.
    pub(crate) fn ordered_at(&self, stack: &StackName, at: Timestamp) -> bool {
        self.stacks().get(stack).is_some_and(|slot| slot.ordered_at(at))
    }

    /// Whether an order of ours was at any stack then.
    pub(crate) fn any_ordered_at(&self, at: Timestamp) -> bool {
        self.stacks().values().any(|slot| slot.ordered_at(at))
    }

    /// Whether an order of ours is at a stack now.
    pub(crate) fn is_ordered(&self, stack: &StackName) -> bool {
        self.stacks().get(stack).is_some_and(|slot| matches!(slot.now, Some(Writer::Order(..))))
    }

    pub(crate) fn is_free(&self, stack: &StackName) -> bool {
        self.stacks().get(stack).is_none_or(|slot| slot.now.is_none())
    }

    /// How many releases there were so far.
    pub(crate) fn count(&self) -> u64 {
        *self.released.borrow()
    }

    /// Wakes those who wait for a release, for them to see for themselves.
    pub(crate) fn nudge(&self) {
        self.released.send_modify(|_| {});
    }

    /// The stacks on which an order ended since the last asking.
    pub(crate) fn take_ended(&self) -> BTreeSet<StackName> {
        std::mem::take(&mut *self.ended.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Changes whenever somebody is done with a stack.
    pub(crate) fn releases(&self) -> watch::Receiver<u64> {
        self.released.subscribe()
    }

    fn stacks(&self) -> MutexGuard<'_, BTreeMap<StackName, Slot>> {
        // The map is whole between any two lines that hold it.
        self.stacks.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(slot) = self.writers.stacks().get_mut(&self.stack)
            && let Some(Writer::Order(_, since)) = slot.now.take()
        {
            slot.last = Some((since, Timestamp::now()));
            let mut ended = self.writers.ended.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            ended.insert(self.stack.clone());
        }
        self.writers.released.send_modify(|count| *count += 1);
    }
}
