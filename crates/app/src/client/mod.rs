//! Who does the work: the server of this state folder when one answers, else this process, under the same lock.

pub mod follow;
pub mod remember;
pub mod served;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_engine::journal::{Entry, HistoryFilter, Journal, KnownStack, Logged, Reading, Release, ReleaseState};
use mainstay_engine::{Keeper, KeeperError, Pinned, World as _};
use mainstay_model::identity::{OperationId, StackName};
use mainstay_model::operation::{Event, Verdict};
use mainstay_model::plan::{Order, Plan};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::boot::Boot;
use crate::config::Settings;
use crate::problem::Problem;
use crate::wire::ApplyRequest;
use follow::{Folder, Follow};
use served::Served;

/// How long another owner of the state folder is waited for: an `up` that hosts the engine takes minutes at most.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);
const LOCK_RETRY: Duration = Duration::from_millis(100);

/// Takes orders.
pub enum Client {
    /// This process, for the length of the command.
    Hosted(Box<Keeper>),
    Served(Served, Actor),
}

/// Who asks, for the record: "`mainstay up` by ada".
pub type Actor = Arc<str>;

/// Why an order was not carried out.
#[derive(Debug)]
pub enum ClientError {
    /// The world moved since the plan was shown; this is the plan as it would be now.
    PlanChanged(Box<Plan>),
    Problem(Problem),
}

impl From<Problem> for ClientError {
    fn from(problem: Problem) -> Self {
        ClientError::Problem(problem)
    }
}

impl From<KeeperError> for ClientError {
    fn from(error: KeeperError) -> Self {
        match error {
            KeeperError::PlanChanged { plan } => ClientError::PlanChanged(plan),
            other => ClientError::Problem(other.into()),
        }
    }
}

impl Client {
    /// The server when it answers; else the engine and the journal, under the lock.
    ///
    /// # Errors
    /// When the lock is held for longer than [`LOCK_PATIENCE`] by a process without a socket that answers, or the
    /// engine is away.
    pub async fn open(boot: &Boot, actor: Actor) -> Result<Client, Problem> {
        let settings = &boot.settings;
        let began = Instant::now();
        let mut told = false;
        loop {
            if let Some(served) = Served::find(settings).await? {
                return Ok(Client::Served(served, actor));
            }
            let machine = boot.machine(boot.docker().await?);
            match Keeper::open(settings.state_dir.clone(), machine).await {
                Ok(keeper) => {
                    let keeper = keeper.with_secrets(boot.secrets()).acting_for(&actor);
                    return Ok(Client::Hosted(Box::new(keeper)));
                }
                // A server that is just coming or going, or another command, which gives the folder back at its end.
                Err(KeeperError::Locked { pid, .. }) if began.elapsed() < LOCK_PATIENCE => {
                    if !told && began.elapsed() > Duration::from_secs(1) {
                        told = true;
                        boot.ui.talk(&format!("waiting until another mainstay (pid {pid}) is done"));
                    }
                    tokio::time::sleep(LOCK_RETRY).await;
                }
                Err(error) => return Err(locked(settings, error)),
            }
        }
    }

    pub fn is_hosted(&self) -> bool {
        matches!(self, Client::Hosted(_))
    }

    /// The journal's side of the same client.
    pub fn memory(&self) -> Memory {
        match self {
            Client::Hosted(keeper) => Memory::Hosted(keeper.journal.clone()),
            Client::Served(served, _) => Memory::Served(served.clone()),
        }
    }

    /// # Errors
    /// When the world cannot be looked at.
    pub async fn plan(&self, order: &Order) -> Result<Plan, Problem> {
        match self {
            Client::Hosted(keeper) => Ok(keeper.plan(order).await?),
            Client::Served(served, _) => served.plan(order).await,
        }
    }

    /// What the tag of an image is now, asked by the one who would pull it.
    ///
    /// # Errors
    /// When the engine cannot be asked, or the registry does not tell.
    pub async fn pin(&self, image: &str, local: bool) -> Result<Pinned, Problem> {
        match self {
            Client::Hosted(keeper) => Ok(keeper.docker.pin(image, local).await?),
            Client::Served(served, _) => served.pin(image, local).await,
        }
    }

    /// Carries out the plan with this digest. Events go to `events` as they happen.
    ///
    /// # Errors
    /// [`ClientError::PlanChanged`] with the new plan, or what stood in the way.
    pub async fn apply(
        &self,
        order: Order,
        digest: &str,
        operation: OperationId,
        events: UnboundedSender<Event>,
        cancel: CancellationToken,
    ) -> Result<Verdict, ClientError> {
        match self {
            Client::Hosted(keeper) => Ok(keeper.apply(order, digest, operation, events, cancel).await?),
            Client::Served(served, actor) => {
                let digest = digest.to_owned();
                let request = ApplyRequest { order, digest, operation, actor: actor.to_string() };
                served.apply(request, events, cancel).await
            }
        }
    }
}

/// Reads the journal, never under its lock.
pub enum Memory {
    /// Of the keeper in this process.
    Hosted(Arc<Journal>),
    /// Of the folder, whoever owns it.
    Folder(Box<Reading>),
    Served(Served),
}

impl Memory {
    /// The server's journal when it answers, else the folder's own, even while another command writes to it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn open(settings: &Settings) -> Result<Memory, Problem> {
        if let Some(served) = Served::find(settings).await? {
            return Ok(Memory::Served(served));
        }
        Ok(Memory::Folder(Box::new(Reading::open(&settings.state_dir).map_err(unreadable)?)))
    }

    /// # Errors
    /// When the journal cannot be read.
    pub async fn stacks(&self) -> Result<Vec<KnownStack>, Problem> {
        match self {
            Memory::Hosted(journal) => Ok(journal.stacks().map_err(unreadable)?),
            Memory::Folder(reading) => Ok(reading.stacks().map_err(unreadable)?),
            Memory::Served(served) => served.stacks().await,
        }
    }

    /// # Errors
    /// When the journal cannot be read.
    pub async fn history(&self, filter: &HistoryFilter) -> Result<Vec<Entry>, Problem> {
        match self {
            Memory::Hosted(journal) => Ok(journal.history(filter).map_err(unreadable)?),
            Memory::Folder(reading) => Ok(reading.history(filter).map_err(unreadable)?),
            Memory::Served(served) => served.history(filter).await,
        }
    }

    /// The newest so many releases of a stack, or of all, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn releases(&self, stack: Option<&StackName>, limit: u32) -> Result<Vec<Logged>, Problem> {
        match self {
            Memory::Hosted(journal) => Ok(journal.release_log(stack, limit).map_err(unreadable)?),
            Memory::Folder(reading) => Ok(reading.release_log(stack, limit).map_err(unreadable)?),
            Memory::Served(served) => served.releases(stack, limit).await,
        }
    }

    /// The release of a stack that serves: the newest that was committed.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn release_that_serves(&self, stack: &StackName) -> Result<Option<Release>, Problem> {
        match self {
            Memory::Hosted(journal) => Ok(journal.release_that_serves(stack).map_err(unreadable)?),
            Memory::Folder(reading) => Ok(reading.release_that_serves(stack).map_err(unreadable)?),
            Memory::Served(served) => {
                let log = served.releases(Some(stack), u32::MAX).await?;
                Ok(log.into_iter().map(|one| one.release).find(|one| one.state == ReleaseState::Committed))
            }
        }
    }

    /// What the filter lets through from now on.
    ///
    /// # Errors
    /// When the journal cannot be followed.
    pub async fn follow(&self, settings: &Settings, filter: &HistoryFilter) -> Result<Follow, Problem> {
        match self {
            Memory::Served(served) => Ok(Follow::Served(served.follow(filter).await?)),
            Memory::Hosted(_) | Memory::Folder(_) => {
                Ok(Follow::Folder(Box::new(Folder::new(&settings.state_dir, filter.clone())?)))
            }
        }
    }
}

fn unreadable(source: mainstay_engine::journal::JournalError) -> KeeperError {
    KeeperError::Journal { doing: "read", source }
}

/// Why the folder could not be had; when its owner has a socket on which nobody answers, that is said too.
fn locked(settings: &Settings, error: KeeperError) -> Problem {
    let owner = match &error {
        KeeperError::Locked { pid, .. } => Some(pid.clone()),
        _ => None,
    };
    let mut problem = Problem::from(error);
    if let Some(pid) = owner.filter(|_| settings.socket.exists()) {
        problem.causes.push(format!("`{}` is there, but nobody answers on it", settings.socket.display()));
        problem.hints = vec![format!("see what process {pid} does; when it hangs, end it and run the command again")];
    }
    problem
}
