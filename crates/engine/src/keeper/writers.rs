//! One writer a stack: who writes to it now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use mainstay_model::identity::{OperationId, StackName};
use tokio::sync::watch;

pub(crate) struct Writers {
    /// Those to which somebody writes.
    stacks: Mutex<BTreeMap<StackName, Writer>>,
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

enum Writer {
    Order(OperationId),
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
                match stacks.get(stack) {
                    Some(Writer::Order(other)) => return Err(other.clone()),
                    Some(Writer::Repair) => {}
                    None => {
                        stacks.insert(stack.clone(), Writer::Order(operation.clone()));
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
        if stacks.contains_key(stack) {
            return None;
        }
        stacks.insert(stack.clone(), Writer::Repair);
        Some(Writing { writers: self.clone(), stack: stack.clone() })
    }

    /// Whether an order of ours is at a stack now.
    pub(crate) fn is_ordered(&self, stack: &StackName) -> bool {
        matches!(self.stacks().get(stack), Some(Writer::Order(_)))
    }

    pub(crate) fn is_free(&self, stack: &StackName) -> bool {
        !self.stacks().contains_key(stack)
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

    fn stacks(&self) -> MutexGuard<'_, BTreeMap<StackName, Writer>> {
        // The map is whole between any two lines that hold it.
        self.stacks.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(Writer::Order(_)) = self.writers.stacks().remove(&self.stack) {
            let mut ended = self.writers.ended.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            ended.insert(self.stack.clone());
        }
        self.writers.released.send_modify(|count| *count += 1);
    }
}
