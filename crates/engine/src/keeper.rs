//! The door of the engine: one value that keeps stacks, whoever hosts it (`mainstay serve`, or a command by itself).

use std::path::PathBuf;
use std::sync::Arc;

use mainstay_model::identity::{OperationId, StackName};
use mainstay_model::observed::{Observed, Scope};
use mainstay_model::operation::{Event, Verdict};
use mainstay_model::plan::{Order, Plan};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::docker::Docker;
use crate::journal::{Entry, HistoryFilter, Journal, KnownStack};
use crate::world::WorldError;

/// Plans, applies, remembers. Cheap to clone.
#[derive(Clone)]
pub struct Keeper {
    pub docker: Docker,
    pub journal: Arc<Journal>,
}

#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// Another process owns the state folder.
    #[error("the state folder `{}` is in use by another mainstay (pid {pid})", folder.display())]
    Locked { folder: PathBuf, pid: String },
    /// The world moved between the plan that was shown and the apply; the new plan is there to be shown.
    #[error("the world changed since the plan was shown")]
    PlanChanged { plan: Box<Plan> },
    /// The plan has refusals.
    #[error("the plan is refused")]
    Refused { plan: Box<Plan> },
    /// Another operation writes to this stack.
    #[error("another operation ({operation}) is changing the stack `{stack}`")]
    Busy { stack: StackName, operation: OperationId },
    #[error(transparent)]
    World(#[from] WorldError),
    #[error("the journal could not be {doing}")]
    Journal {
        doing: &'static str,
        #[source]
        source: crate::journal::JournalError,
    },
}

impl Keeper {
    /// Connects to the engine and opens the journal under its lock.
    ///
    /// # Errors
    /// [`KeeperError::Locked`] when another process owns the folder; the engine's or the journal's own trouble.
    pub async fn open(state_dir: PathBuf, docker: Docker) -> Result<Keeper, KeeperError> {
        let journal = Journal::open(&state_dir)?;
        Ok(Keeper { docker, journal: Arc::new(journal) })
    }

    /// Looks and decides. Changes nothing.
    ///
    /// # Errors
    /// When the world cannot be looked at.
    pub async fn plan(&self, order: &Order) -> Result<Plan, KeeperError> {
        let _ = order;
        Err(WorldError::new("not built yet").into())
    }

    /// Looks again, decides again, and walks the plan if it is still the one with this digest.
    ///
    /// One writer a stack: a second apply on the same stack is [`KeeperError::Busy`]. Events go to `events` as they
    /// happen; a receiver that went away stops nothing. Cancelling ends what runs, skips the rest and leaves a record.
    ///
    /// # Errors
    /// See [`KeeperError`]; a failed step is not an error here but [`Verdict::Failed`].
    pub async fn apply(
        &self,
        order: Order,
        shown_digest: &str,
        operation: OperationId,
        events: mpsc::UnboundedSender<Event>,
        cancel: CancellationToken,
    ) -> Result<Verdict, KeeperError> {
        let _ = (order, shown_digest, operation, events, cancel);
        Err(WorldError::new("not built yet").into())
    }

    /// Watches the engine's events and holds declared attachments until cancelled. Never polls while events flow.
    pub async fn hold(&self, cancel: CancellationToken) {
        cancel.cancelled().await;
    }

    /// # Errors
    /// When the world cannot be looked at.
    pub async fn look(&self, scope: &Scope) -> Result<Observed, KeeperError> {
        let _ = scope;
        Err(WorldError::new("not built yet").into())
    }

    /// The stacks that the journal knows, by name.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn stacks(&self) -> Result<Vec<KnownStack>, KeeperError> {
        self.journal.stacks().map_err(|source| KeeperError::Journal { doing: "read", source })
    }

    /// What happened, newest last.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn history(&self, filter: &HistoryFilter) -> Result<Vec<Entry>, KeeperError> {
        self.journal.history(filter).map_err(|source| KeeperError::Journal { doing: "read", source })
    }
}
