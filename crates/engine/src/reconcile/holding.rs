//! The loop on one connection: hears events, looks where they point, repairs, and looks again where it has to.
//!
//! One task drives everything; the looks and repairs that are under way run inside it side by side, so that a slow
//! one delays no other, and nothing runs on when the loop ends.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered, StreamExt};
use jiff::Timestamp;
use mainstay_model::identity::StackName;
use mainstay_model::identity::labels::{ATTACHMENTS, KEEPER};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::ended::Ended;
use super::memory::{Cause, Memory};
use super::past::Past;
use super::repair::Looked;
use super::strangers::{entry_of, evidence_of, moment_of, told_at};
use super::watched::Watched;
use crate::docker::{EngineEvent, EventKind};
use crate::journal::{EntryKind, NewEntry};
use crate::keeper::Keeper;
use crate::world::WorldError;

pub(super) struct Holding<'k, W> {
    pub keeper: &'k Keeper<W>,
    memory: Mutex<Memory>,
    /// What happened before is told by the engine as well, but only for the record: the first look sees what is left.
    began: Timestamp,
    past: Past,
    pub ended: Ended,
    /// Full looks are costly for the engine: a few side by side at most, when everything has to be seen at once.
    pub full_looks: Semaphore,
}

/// Looks and repairs under way.
pub(super) type UnderWay<'a> = FuturesUnordered<BoxFuture<'a, Looked>>;

/// How long the repairs under way may still take when a connection or the loop ends.
const LAST_REPAIRS: Duration = Duration::from_secs(5);
/// After a look that failed, the next one.
const BLIND_RETRY: Duration = Duration::from_millis(500);

/// Why a connection was over.
pub(super) enum Over {
    Cancelled,
    Lost(Option<WorldError>),
}

impl<'k, W: Watched> Holding<'k, W> {
    pub(super) fn new(keeper: &'k Keeper<W>, past: Past) -> Self {
        Holding {
            keeper,
            memory: Mutex::default(),
            began: Timestamp::now(),
            past,
            ended: Ended::default(),
            full_looks: Semaphore::new(4),
        }
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        // The memory is whole between any two lines that hold it.
        self.memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Holds until the stream ends or `cancel` says so. `last_nanos` is the time of the last event that was heard.
    pub(super) async fn run(
        &self,
        mut events: BoxStream<'static, Result<EngineEvent, WorldError>>,
        last_nanos: &mut i64,
        cause: Cause,
        cancel: &CancellationToken,
    ) -> Over {
        let heard_before = *last_nanos;
        let mut releases = self.keeper.writers.releases();
        let mut under_way: UnderWay<'_> = FuturesUnordered::new();
        under_way.push(Box::pin(self.find_all(cause)));
        loop {
            tokio::select! {
                // Repairs go on before more is heard: a flood of events must not keep the first one waiting.
                biased;
                () = cancel.cancelled() => {
                    finish(under_way).await;
                    return Over::Cancelled;
                }
                Some(looked) = under_way.next() => self.note(looked),
                heard = events.next() => match heard {
                    // A connection made anew tells of its last moment again.
                    Some(Ok(event)) if event.time_nanos <= heard_before => {}
                    Some(Ok(event)) => {
                        *last_nanos = event.time_nanos.max(*last_nanos);
                        self.hear(&event, &under_way);
                    }
                    lost => {
                        finish(under_way).await;
                        return Over::Lost(lost.and_then(Result::err));
                    }
                },
                not_ours = self.keeper.docker.given_back() => {
                    for event in not_ours {
                        self.hear_of_others(&event, &under_way);
                    }
                }
                _ = releases.changed() => self.look_where_others_are_done(&mut releases, &under_way),
                () = sleep_until(self.next_due()) => self.look_where_it_is_due(&under_way),
            }
        }
    }

    /// Every stack that the journal or a label tells of. The looks themselves are noted as due at once.
    async fn find_all(&self, cause: Cause) -> Looked {
        // Read anew: an order of a process before this one may have changed what is held.
        if let Ok(known) = self.keeper.journal.stacks() {
            let mut memory = self.memory();
            memory.forget_all();
            for stack in known {
                memory.hold(stack.stack, stack.held, stack.requires);
            }
        }
        let labelled = match self.keeper.docker.labelled(&self.keeper.journal.keeper()).await {
            Ok(labelled) => labelled,
            Err(error) => return Looked::Blind(None, error),
        };
        let mut memory = self.memory();
        let mut stacks = memory.stacks();
        stacks.extend(labelled.into_iter().filter(|stack| memory.goes_by_labels(stack)));
        for stack in stacks {
            memory.look_at(stack, Instant::now(), cause.clone());
        }
        Looked::Well
    }

    fn hear<'a>(&'a self, event: &EngineEvent, under_way: &UnderWay<'a>) {
        if self.is_past(event) {
            self.ended.hear(event);
            if self.past.has_told(event) {
                return;
            }
        }
        self.hear_of_return(event, under_way);
        if !self.did(event) {
            self.hear_of_others(event, under_way);
        } else if (event.kind, event.action.as_str()) == (EventKind::Network, "create") {
            // Made by an order of ours on one stack while another one holds a place on it.
            self.network_is_back(event, self.stacks_of(event), under_way);
        }
    }

    /// Whether an event tells of what we did ourselves, now or before the loop began.
    fn did(&self, event: &EngineEvent) -> bool {
        self.keeper.docker.did(event) || self.is_past(event) && self.past.did(event)
    }

    fn is_past(&self, event: &EngineEvent) -> bool {
        moment_of(event).is_some_and(|at| at < self.began)
    }

    fn hear_of_others<'a>(&'a self, event: &EngineEvent, under_way: &UnderWay<'a>) {
        let stacks = self.stacks_of(event);
        self.record(event, &stacks);
        if self.is_past(event) {
            let is_leave = (event.kind, event.action.as_str()) == (EventKind::Network, "disconnect");
            if let Some(container) =
                event.container_id.clone().filter(|id| is_leave && !stacks.is_empty() && !self.ended.is_down(id))
            {
                under_way.push(Box::pin(self.look_back(container, cause_of(event))));
            }
            return;
        }
        let writers = &self.keeper.writers;
        match (event.kind, event.action.as_str()) {
            // While an order of ours is at it, every look would see things half done. It is looked at afterwards.
            (EventKind::Container, _) if stacks.iter().any(|stack| writers.is_ordered(stack)) => {}
            (EventKind::Container, "create" | "start" | "die" | "rename" | "unpause") if !stacks.is_empty() => {
                let mut cause = cause_of(event);
                if event.action == "die" {
                    cause.returned = self.memory().back_before_crash(&event.actor_id);
                }
                under_way.push(Box::pin(self.check_container(event.actor_id.clone(), cause)));
            }
            (EventKind::Network, "connect" | "disconnect") if !stacks.is_empty() => {
                if let Some(container) = event.container_id.clone() {
                    under_way.push(Box::pin(self.check_container(container, cause_of(event))));
                }
            }
            (EventKind::Network, "create") => self.network_is_back(event, stacks, under_way),
            _ => {}
        }
    }

    /// What somebody else did becomes a line of history; what an order of ours did stands in its steps.
    fn record(&self, event: &EngineEvent, stacks: &[StackName]) {
        let entries: Vec<_> = stacks.iter().filter_map(|stack| entry_of(event, stack.clone())).collect();
        if entries.is_empty() {
            return;
        }
        for entry in entries {
            self.keeper.journal.post(entry);
        }
        // Together with its line, so that it is told once, whenever this process ends.
        self.keeper.journal.post_heard(event.time_nanos);
    }

    fn stacks_of(&self, event: &EngineEvent) -> Vec<StackName> {
        stacks_of(event, &self.memory(), &self.keeper.journal.keeper())
    }

    fn network_is_back<'a>(&'a self, event: &EngineEvent, holders: Vec<StackName>, under_way: &UnderWay<'a>) {
        let quoted = format!("`{}`", event.name);
        self.memory().told.retain(|(_, words)| !words.contains(&quoted));
        for stack in holders {
            under_way.push(Box::pin(self.check_stack(stack, cause_of(event))));
        }
    }

    fn note(&self, looked: Looked) {
        let mut memory = self.memory();
        match looked {
            Looked::Well => {}
            Looked::Occupied(stack, cause) => {
                memory.wait_for(stack, cause);
                // Whoever wrote may be done already; then nobody would come to tell.
                self.keeper.writers.nudge();
            }
            Looked::Later(stack, when, cause) => memory.look_at(stack, when, cause),
            Looked::Blind(stack, error) => {
                // A lost engine is told once, by the stream that ends. One that answers but refuses is asked again.
                let cause = Cause::new(format!("looked again after: {}", error.message));
                let stacks = stack.map_or_else(|| memory.stacks(), |stack| [stack].into());
                for stack in stacks {
                    memory.look_at(stack, Instant::now() + BLIND_RETRY, cause.clone());
                }
            }
        }
    }

    /// After an order of ours, what is held is read anew and looked at; and so is what had to wait for a writer.
    fn look_where_others_are_done<'a>(&'a self, releases: &mut watch::Receiver<u64>, under_way: &UnderWay<'a>) {
        releases.mark_unchanged();
        let mut ended = self.keeper.writers.take_ended();
        let mut memory = self.memory();
        // An order on one stack changes where another one is held, too: the edge.
        let known = if ended.is_empty() { Ok(Vec::new()) } else { self.keeper.journal.stacks() };
        for known in known.unwrap_or_default() {
            let stack = known.stack;
            if (ended.contains(&stack) || memory.knows(&stack))
                && memory.hold(stack.clone(), known.held, known.requires)
            {
                ended.insert(stack);
            }
        }
        let writers = &self.keeper.writers;
        let mut looks = memory.no_more_waiting(|stack| writers.is_free(stack));
        for stack in ended {
            if looks.iter().all(|(other, _)| *other != stack) {
                looks.push((stack, Cause::new("found after an operation of our own")));
            }
        }
        drop(memory);
        for (stack, cause) in looks {
            under_way.push(Box::pin(self.check_stack(stack, cause)));
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.memory().due.values().map(|(when, _)| *when).min()
    }

    fn look_where_it_is_due<'a>(&'a self, under_way: &UnderWay<'a>) {
        let now = Instant::now();
        let mut memory = self.memory();
        let due: Vec<StackName> =
            memory.due.iter().filter(|(_, (when, _))| *when <= now).map(|(stack, _)| stack.clone()).collect();
        for stack in due {
            if let Some((stack, (_, cause))) = memory.due.remove_entry(&stack) {
                under_way.push(Box::pin(self.check_stack(stack, cause)));
            }
        }
    }

    /// Records that the engine went away, or is back.
    pub(super) fn tell(&self, summary: String, error: Option<&WorldError>) {
        let mut entry = NewEntry::new(EntryKind::Event, None, summary);
        entry.cause = error.map(|error| error.message.clone());
        self.keeper.journal.post(entry);
    }
}

/// Lets the repairs under way come to their end: half a repair helps nobody.
async fn finish(under_way: UnderWay<'_>) {
    let _ = tokio::time::timeout(LAST_REPAIRS, under_way.collect::<Vec<_>>()).await;
}

/// The stacks that an event is about: of those that are held, or were.
fn stacks_of(event: &EngineEvent, memory: &Memory, keeper: &str) -> Vec<StackName> {
    match (event.kind, &event.stack) {
        (EventKind::Container, Some(stack)) => {
            let labelled = event.attributes.contains_key(ATTACHMENTS)
                && event.attributes.get(KEEPER).is_none_or(|of| of == keeper);
            if memory.knows(stack) || labelled { vec![stack.clone()] } else { Vec::new() }
        }
        (EventKind::Container, None) => memory.by_name(&event.name).map(|(stack, _)| stack).into_iter().collect(),
        // The engine tells no labels of networks: those who hold a place there are concerned.
        (EventKind::Network, _) => memory.holders_of(&event.name),
        _ => Vec::new(),
    }
}

async fn sleep_until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}

/// Why a look follows from an event, in the words of the record.
fn cause_of(event: &EngineEvent) -> Cause {
    let at = told_at(event);
    let name = &event.name;
    let words = match (event.kind, event.action.as_str()) {
        (EventKind::Network, "disconnect") => format!("disconnected by someone else at {at}"),
        (EventKind::Network, "connect") => format!("connected otherwise than declared by someone else at {at}"),
        (EventKind::Network, _) => format!("the network `{name}` was made again at {at}"),
        (_, "create") => format!("the container was created by another client at {at}"),
        (_, "start") => format!("the container started without it at {at}"),
        (_, "die") => format!("the container ended at {at}"),
        (_, action) => format!("found after `{action}` of the container at {at}"),
    };
    Cause { evidence: evidence_of(event), ..Cause::new(words) }
}
