//! The operations that run in this server, so that they can be cancelled, and waited for when it stops.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstay_model::identity::OperationId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::problem::Problem;

pub struct Running {
    state: Mutex<State>,
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    stopping: bool,
    operations: BTreeMap<OperationId, CancellationToken>,
}

/// One operation's place among the running; given up when dropped.
pub struct Place {
    running: Arc<Running>,
    operation: OperationId,
    pub cancel: CancellationToken,
}

impl Default for Running {
    fn default() -> Self {
        Running { state: Mutex::default(), count: watch::Sender::new(0) }
    }
}

impl Running {
    /// A place for a new operation.
    ///
    /// # Errors
    /// When the server stops, or this operation runs already.
    pub fn begin(self: &Arc<Self>, operation: &OperationId) -> Result<Place, Problem> {
        let mut state = self.state();
        if state.stopping {
            return Err(Problem::world("stopping", "the server is stopping and takes no more orders")
                .hint("run the command again when it is back, or without a server"));
        }
        if state.operations.contains_key(operation) {
            return Err(Problem::world("busy", format!("the operation {operation} runs already")));
        }
        let cancel = CancellationToken::new();
        state.operations.insert(operation.clone(), cancel.clone());
        self.count.send_replace(state.operations.len());
        Ok(Place { running: self.clone(), operation: operation.clone(), cancel })
    }

    /// Whether such an operation ran and was told to end.
    pub fn cancel(&self, operation: &OperationId) -> bool {
        let state = self.state();
        let token = state.operations.get(operation);
        if let Some(token) = token {
            token.cancel();
        }
        token.is_some()
    }

    /// Resolves when the operation was told to end.
    #[cfg(test)]
    pub async fn cancelled(&self, operation: &OperationId) {
        let token = self.state().operations.get(operation).cloned();
        token.expect("it runs").cancelled().await;
    }

    /// From now on no order is taken; gives the number of operations that still run.
    pub fn stop_taking(&self) -> usize {
        let mut state = self.state();
        state.stopping = true;
        state.operations.len()
    }

    pub fn cancel_all(&self) {
        self.state().operations.values().for_each(CancellationToken::cancel);
    }

    /// Resolves when nothing runs.
    pub async fn all_done(&self) {
        let mut count = self.count.subscribe();
        // The sender lives as long as `self`, so that waiting cannot fail.
        let _ = count.wait_for(|count| *count == 0).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.running.state();
        state.operations.remove(&self.operation);
        self.running.count.send_replace(state.operations.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stopping_server_must_refuse_orders_and_wait_for_running_ones() {
        let running = Arc::new(Running::default());
        let first = OperationId("1".to_owned());
        let place = running.begin(&first).expect("a place");
        assert_eq!(running.begin(&first).map(|_| ()).expect_err("twice").code, "busy");
        assert_eq!(running.stop_taking(), 1);
        let second = running.begin(&OperationId("2".to_owned()));
        assert_eq!(second.map(|_| ()).expect_err("stopping").code, "stopping");
        assert!(running.cancel(&first));
        assert!(place.cancel.is_cancelled());
        drop(place);
        running.all_done().await;
        assert!(!running.cancel(&first));
    }
}
