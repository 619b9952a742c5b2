//! The door of the engine: one value that keeps stacks, whoever hosts it (`mainstay serve`, or a command by itself).

mod afterwards;
mod asked_after;
mod known;
mod met;
mod operation;
mod preflight;
mod release;
mod remembering;
mod rounds;
#[cfg(test)]
mod rounds_tests;
#[cfg(test)]
mod tests;
pub(crate) mod writers;

use std::path::PathBuf;
use std::sync::Arc;

use mainstay_model::identity::{OperationId, StackName};
use mainstay_model::observed::{Observed, Scope};
use mainstay_model::operation::{Event, Verdict};
use mainstay_model::plan::{Finding, Level, Order, Plan, Severity, check, decide};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::journal::{Entry, HistoryFilter, Journal, KnownStack};
use crate::machine::Machine;
use crate::secrets::Secrets;
use crate::world::{World, WorldError};
pub(crate) use operation::Open;
pub use preflight::{add_preflight, last_of};
use writers::Writers;

/// Plans, applies, remembers. Cheap to clone.
#[derive(Clone)]
pub struct Keeper<W = Machine> {
    pub docker: W,
    pub journal: Arc<Journal>,
    /// Who asks, for the record.
    actor: Arc<str>,
    pub(crate) writers: Arc<Writers>,
    /// Where the secrets are that are never to be told.
    secrets: Option<Secrets>,
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
    /// What the release declares could not be sealed, so there would be no way back to it.
    #[error(transparent)]
    Secrets(#[from] crate::secrets::SecretsError),
    #[error("the journal could not be {doing}")]
    Journal {
        doing: &'static str,
        #[source]
        source: crate::journal::JournalError,
    },
}

impl<W: World + Clone> Keeper<W> {
    /// Connects to the engine and opens the journal under its lock.
    ///
    /// # Errors
    /// [`KeeperError::Locked`] when another process owns the folder; the engine's or the journal's own trouble.
    pub async fn open(state_dir: PathBuf, docker: W) -> Result<Keeper<W>, KeeperError> {
        let opening = tokio::task::spawn_blocking(move || Journal::open(&state_dir));
        let journal = match opening.await {
            Ok(journal) => journal?,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        Ok(Keeper {
            docker,
            journal: Arc::new(journal),
            actor: "mainstay".into(),
            writers: Arc::default(),
            secrets: None,
        })
    }

    /// The same keeper, that tells none of these secrets: not to the journal, not to whoever listens. Where they cannot
    /// be opened, it knows only those that come with an order.
    #[must_use]
    pub fn with_secrets(self, secrets: Secrets) -> Keeper<W> {
        self.journal.redactions.learn(&secrets.everything(None).unwrap_or_default());
        Keeper { secrets: Some(secrets), ..self }
    }

    fn learn(&self, order: &Order) {
        let redactions = &self.journal.redactions;
        if let Order::Up { declared, .. } = order {
            redactions.learn(declared.secrets.values.values());
            let passwords = declared.databases.values().filter_map(|database| database.whereabouts.password());
            redactions.learn(&passwords.collect::<Vec<_>>());
        }
        if let Some(secrets) = &self.secrets {
            redactions.learn(&secrets.everything(Some(order.stack())).unwrap_or_default());
        }
    }

    /// The same keeper, whose operations are recorded as asked for by `actor`: "`mainstay up` by root".
    #[must_use]
    pub fn acting_for(&self, actor: &str) -> Keeper<W> {
        Keeper { actor: actor.into(), ..self.clone() }
    }

    /// Looks and decides. Changes nothing.
    ///
    /// # Errors
    /// When the world cannot be looked at.
    pub async fn plan(&self, order: &Order) -> Result<Plan, KeeperError> {
        self.learn(order);
        Ok(self.decide_now(&self.with_held(order).await?).await?.0)
    }

    async fn decide_now(&self, order: &Order) -> Result<(Plan, Observed), KeeperError> {
        let looked = self.docker.look(&scope_of(order)).await;
        let observed = looked.map_err(|error| self.journal.redactions.clean_error(error))?;
        let mut plan = decided(order, &observed);
        self.preflight(order, &observed, &mut plan).await?;
        Ok((plan, observed))
    }

    pub(crate) fn actor(&self) -> &str {
        &self.actor
    }

    /// `start` and `restart` with the attachments that are held of the stack: by the journal, and where it does not
    /// know the stack, by the labels of the containers.
    async fn with_held(&self, order: &Order) -> Result<Order, KeeperError> {
        let mut order = order.clone();
        if let Order::Start(order) | Order::Restart(order) = &mut order {
            let known =
                self.journal.stack(&order.stack).map_err(|source| KeeperError::Journal { doing: "read", source })?;
            order.held = match known {
                Some(known) => known.held,
                None => known::held_by_labels(&self.docker.look(&Scope::of_stack(order.stack.clone())).await?),
            };
        }
        Ok(order)
    }

    /// Looks again, decides again, and walks the plan if it is still the one with this digest.
    ///
    /// One writer a stack: a second apply on the same stack is [`KeeperError::Busy`]. Events go to `events` as they
    /// happen; a receiver that went away stops nothing. Cancelling ends what runs, skips the rest and leaves a record.
    /// Dropping the future drops what runs with it; the record says so.
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
        self.learn(&order);
        let stack = order.stack().clone();
        let writing = tokio::select! {
            biased;
            writing = self.writers.order(&stack, &operation) => writing,
            // A repair that hangs on a hanging engine is nothing to wait for without end.
            () = cancel.cancelled() => return Ok(Verdict::Cancelled),
        };
        let _writing = writing.map_err(|operation| KeeperError::Busy { stack: stack.clone(), operation })?;
        self.settle_first(&stack).await?;
        let order = self.with_held(&order).await?;
        let promotes = self.promotes(&order)?;
        let (plan, release, met) = match nothing_to_do(&order, shown_digest).filter(|_| !promotes) {
            Some(empty) => (empty, None, None),
            None => {
                let (plan, observed) = self.decide_now(&order).await?;
                let release = release::of(&order, &plan, &observed, &operation, &self.actor, promotes);
                let met = met::MetEdge::in_sight(&observed);
                (plan, release, met)
            }
        };
        if plan.refusals().next().is_some() {
            return Err(KeeperError::Refused { plan: Box::new(plan) });
        }
        if plan.digest() != shown_digest {
            return Err(KeeperError::PlanChanged { plan: Box::new(plan) });
        }
        if release.is_some() {
            self.seal(&order, &plan, &operation)?;
        }
        let met = met.as_ref();
        operation::Running { keeper: self, order: &order, plan: &plan, operation: &operation, cancel: &cancel, met }
            .to_its_end(events, release)
            .await
    }

    /// # Errors
    /// When the world cannot be looked at.
    pub async fn look(&self, scope: &Scope) -> Result<Observed, KeeperError> {
        Ok(self.docker.look(scope).await?)
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

/// The planner's answer, with the objections of its second reader: what breaks a law is a refusal.
pub(crate) fn decided(order: &Order, observed: &Observed) -> Plan {
    let mut plan = decide(order, observed);
    for complaint in check(&plan, order, observed) {
        let step = complaint.step.map(|step| format!(" (step {})", step.0)).unwrap_or_default();
        let (level, message) = match complaint.severity {
            Severity::Error => (
                Level::Refusal,
                format!("BUG: the planner made a plan that its checker refuses: {}{step}", complaint.message),
            ),
            Severity::Warning => (Level::Warning, format!("the plan's checker objects: {}{step}", complaint.message)),
        };
        let hint = (level == Level::Refusal)
            .then(|| "nothing was touched; please report this with the output of `mainstay plan --json`".to_owned());
        plan.findings.push(Finding { level, code: complaint.code.to_owned(), message, hint });
    }
    plan
}

/// What one look has to bring for this order.
pub fn scope_of(order: &Order) -> Scope {
    match order {
        Order::Up { declared, .. } => Scope::of(declared).with_insides(declared),
        Order::Down(order) => {
            let mut scope = Scope::of_stack(order.stack.clone());
            scope.volumes.extend(order.volumes.iter().cloned());
            // A network that others are on stays. The edge may be on one for routes that are gone.
            scope.members = true;
            scope.edge = true;
            scope
        }
        Order::Settle(order) => {
            let mut scope = Scope::of_stack(order.stack.clone());
            scope.members = true;
            scope
        }
        Order::Start(order) | Order::Stop(order) | Order::Restart(order) => {
            let mut scope = Scope::of_stack(order.stack.clone());
            let held = order.held.iter().flat_map(|service| &service.attachments);
            scope.networks.extend(held.map(|attachment| attachment.network.clone()));
            scope
        }
        Order::Hold { stack, services, .. } => {
            let mut scope = Scope::of_stack(stack.clone());
            for service in services {
                scope.container_names.extend(service.container_names.iter().cloned());
                scope.networks.extend(service.attachments.iter().map(|attachment| attachment.network.clone()));
            }
            scope
        }
    }
}

/// The empty plan, when that is what was shown. There is no step that a second look could save from being wrong, and
/// the look is nearly all that such an order costs. Of an `up` of some services the plan itself is needed afterwards.
fn nothing_to_do(order: &Order, shown_digest: &str) -> Option<Plan> {
    let Order::Up { options, .. } = order else { return None };
    let empty = Plan::empty(order.stack().clone(), order.verb());
    (options.services.is_empty() && empty.digest() == shown_digest).then_some(empty)
}
