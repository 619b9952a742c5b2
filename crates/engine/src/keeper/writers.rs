//! One writer a stack: who writes to it now, and who did a moment ago.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use mainstay_model::identity::{OperationId, StackName};
use tokio::sync::watch;

pub(crate) struct Writers {
    stacks: Mutex<BTreeMap<StackName, Slot>>,
    /// Counts releases, so that whoever waits for one misses none.
    released: watch::Sender<u64>,
}

impl Default for Writers {
    fn default() -> Self {
        Writers { stacks: Mutex::default(), released: watch::Sender::new(0) }
    }
}

#[derive(Default)]
struct Slot {
    now: Option<Writer>,
    /// The last order that ended: the engine's events about it may still be on their way.
    last: Option<(OperationId, Timestamp, Timestamp)>,
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

    /// The order of ours during which something happened to a stack, which then was no stranger's doing.
    pub(crate) fn ordered_at(&self, stack: &StackName, at: Timestamp) -> Option<OperationId> {
        let stacks = self.stacks();
        let slot = stacks.get(stack)?;
        match (&slot.now, &slot.last) {
            (Some(Writer::Order(operation, since)), _) if at >= *since => Some(operation.clone()),
            (_, Some((operation, since, until))) if at >= *since && at <= *until => Some(operation.clone()),
            _ => None,
        }
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
            && let Some(Writer::Order(operation, since)) = slot.now.take()
        {
            slot.last = Some((operation, since, Timestamp::now()));
        }
        self.writers.released.send_modify(|count| *count += 1);
    }
}
