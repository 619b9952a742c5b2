//! From "something happened to this container" to its networks being back: glance, decide, walk.

use std::time::Instant;

use jiff::Timestamp;
use mainstay_model::identity::StackName;
use mainstay_model::observed::{Container, Observed, State};
use mainstay_model::operation::Verdict;
use mainstay_model::plan::{Action, HeldService, Impact, Level, Order, Plan, Step, TargetContainer};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::fights::Key;
use super::holding::Holding;
use super::memory::Cause;
use super::returned::is_between_crashes;
use super::watched::{Glance, Watched};
use crate::apply::{Manner, Teller, Walk};
use crate::journal::{Beginning, EntryKind, NewEntry, StepOutcome, new_operation_id, text_of};
use crate::keeper::writers::Writing;
use crate::keeper::{decided, scope_of};
use crate::world::WorldError;

/// In place of a network's name, which cannot be empty.
const START: &str = "";

/// What became of one look.
pub(super) enum Looked {
    /// All was well, or is again.
    Well,
    /// Somebody writes to the stack: look again when they are done.
    Occupied(StackName, Cause),
    /// Look again then.
    Later(StackName, Instant, Cause),
    /// The world could not be seen.
    Blind(Option<StackName>, WorldError),
}

impl<W: Watched> Holding<'_, W> {
    /// Looks at one container and brings back what it lost.
    pub(super) async fn check_container(&self, container: String, cause: Cause) -> Looked {
        loop {
            let before = self.keeper.writers.count();
            let glance = match self.keeper.docker.glance(&container).await {
                Ok(Some(glance)) => glance,
                Ok(None) => return Looked::Well,
                Err(error) => return Looked::Blind(None, error),
            };
            let Some((stack, held)) = self.held_of(&glance.container) else { return Looked::Well };
            self.tell_disconnect(&stack, &glance, &cause);
            let returned = self.memory().leaning(&stack, &cause.returned);
            let reattached = self.memory().reattached(&stack);
            let order = Order::Hold { stack: stack.clone(), services: vec![held], returned, reattached };
            let observed = observed(stack.clone(), glance);
            let plan = decided(&order, &observed);
            if plan.is_empty() {
                self.tell_findings(&plan, &cause);
                return Looked::Well;
            }
            let Some(writing) = self.keeper.writers.repair(&stack) else { return Looked::Occupied(stack, cause) };
            // Somebody was done with a stack since the glance: it may have been this one.
            if self.keeper.writers.count() != before {
                continue;
            }
            return self.repair(&order, observed, cause, writing).await;
        }
    }

    /// Looks at everything that is held of a stack.
    pub(super) async fn check_stack(&self, stack: StackName, cause: Cause) -> Looked {
        let Ok(_turn) = self.full_looks.acquire().await else { return Looked::Well };
        let Some(writing) = self.keeper.writers.repair(&stack) else { return Looked::Occupied(stack, cause) };
        let services = match self.held_services(&stack).await {
            Ok(services) if services.is_empty() => return Looked::Well,
            Ok(services) => services,
            Err(error) => return Looked::Blind(Some(stack), error),
        };
        let leaning = self.memory().leaning(&stack, &cause.returned);
        let reattached = self.memory().reattached(&stack);
        let order = Order::Hold { stack: stack.clone(), services, returned: leaning.clone(), reattached };
        match self.keeper.docker.look(&scope_of(&order)).await {
            Err(error) => Looked::Blind(Some(stack), error),
            Ok(observed) => {
                self.mind_who_may_crash_yet(&observed, &leaning, &cause.returned);
                self.repair(&order, observed, cause, writing).await
            }
        }
    }

    /// From the journal, or else from the labels of the stack's containers.
    async fn held_services(&self, stack: &StackName) -> Result<Vec<HeldService>, WorldError> {
        if self.memory().goes_by_labels(stack) {
            let scope = mainstay_model::observed::Scope::of_stack(stack.clone());
            let observed = self.keeper.docker.look(&scope).await?;
            for container in &observed.containers {
                self.held_of(container);
            }
        }
        Ok(self.memory().services(stack))
    }

    async fn repair(&self, order: &Order, mut observed: Observed, cause: Cause, _writing: Writing) -> Looked {
        let stack = observed.stack.clone();
        let now = Instant::now();
        // A container that somebody fights for is left alone for a while, and the others are not.
        let left_alone = self.memory().fights.left_alone(now);
        let fought_for = |name: &String| left_alone.get(name).copied();
        let until = observed.containers.iter().filter_map(|container| fought_for(&container.name)).min();
        observed.containers.retain(|container| fought_for(&container.name).is_none());
        let plan = decided(order, &observed);
        self.tell_findings(&plan, &cause);
        let later = |cause| until.map_or(Looked::Well, |until| Looked::Later(stack.clone(), until, cause));
        if plan.is_empty() || plan.refusals().next().is_some() {
            return later(cause);
        }
        if let Some(step) = plan.steps.iter().find(|step| !is_a_repair(step)) {
            let words = format!("BUG: the loop will not {}", mainstay_model::plan::describe(&step.action));
            self.tell_once(&stack, words, &cause);
            return later(cause);
        }
        self.mind_who_is_reattached(&plan, &observed);
        let (verdict, failed) = self.walk(&plan, &cause).await;
        match self.after(&plan, verdict, &failed, cause.clone()) {
            Looked::Well => later(cause),
            looked => looked,
        }
    }

    async fn walk(&self, plan: &Plan, cause: &Cause) -> (Verdict, Vec<Key>) {
        let operation = new_operation_id();
        let beginning = Beginning {
            operation: operation.clone(),
            plan: plan.clone(),
            digest: plan.digest(),
            actor: "the loop".into(),
            durable: false,
            entry: None,
            release: None,
        };
        self.keeper.journal.post_begin(beginning);
        let open = crate::keeper::Open::new(&self.keeper.journal, &operation);
        let teller = Teller {
            operation: operation.clone(),
            stack: plan.stack.clone(),
            events: None,
            redactions: self.keeper.journal.redactions.clone(),
        };
        let reaction_us = u64::try_from(cause.heard.elapsed().as_micros()).unwrap_or(u64::MAX);
        let evidence = json!({ "heard": cause.evidence, "reaction_us": reaction_us });
        // A repair is not cancelled in the middle: it takes milliseconds, and half of it helps nobody.
        let never = CancellationToken::new();
        let walked = Walk {
            world: &self.keeper.docker,
            journal: &self.keeper.journal,
            operation: &operation,
            plan,
            declared: None,
            env: None,
            made: Default::default(),
            teller: &teller,
            by: "the loop",
            cancel: &never,
            manner: Manner::Repair { cause: cause.words.clone(), evidence },
        }
        .go()
        .await;
        open.close();
        self.keeper.journal.post_finish(operation, walked.verdict);
        let failed = plan.steps.iter().filter(|step| walked.outcomes.get(&step.id) == Some(&StepOutcome::Failed));
        (walked.verdict, failed.filter_map(key).collect())
    }

    /// Counts what was repaired, and steps back from a fight.
    fn after(&self, plan: &Plan, verdict: Verdict, failed: &[Key], cause: Cause) -> Looked {
        let now = Instant::now();
        let mut memory = self.memory();
        if verdict != Verdict::Done {
            let waits = failed.iter().map(|key| memory.fights.failed(key.clone(), now)).max();
            let cause =
                Cause { words: format!("{} (tried again)", cause.words.trim_end_matches(" (tried again)")), ..cause };
            return Looked::Later(plan.stack.clone(), now + waits.unwrap_or_default(), cause);
        }
        let mut fights = Vec::new();
        for step in &plan.steps {
            match &step.action {
                Action::Attach { target, attachment } => {
                    if let TargetContainer::Id(id) = &target.container {
                        memory.is_back_on(id, &attachment.network);
                    }
                }
                Action::StartContainer { target } => {
                    if let Some(service) = &target.service {
                        memory.was_started(&plan.stack, service);
                    }
                }
                _ => {}
            }
        }
        for key in plan.steps.iter().filter_map(key) {
            if let Some(wait) = memory.fights.repaired(key.clone(), now) {
                fights.push((key, wait));
            }
        }
        drop(memory);
        let longest = fights.iter().map(|(_, wait)| *wait).max();
        for ((container, what), wait) in fights {
            let how = match what.as_str() {
                START => format!("`{container}` crashes again and again"),
                network => format!("`{container}` loses `{network}` again and again"),
            };
            let summary = format!("{how}: left alone for {} s now", wait.as_secs());
            let mut entry = NewEntry::new(EntryKind::Problem, Some(plan.stack.clone()), summary);
            entry.subject = container;
            entry.cause = Some(cause.words.clone());
            entry.evidence = cause.evidence.clone();
            self.keeper.journal.post(entry);
        }
        match longest {
            Some(wait) => Looked::Later(plan.stack.clone(), now + wait, cause),
            None => Looked::Well,
        }
    }

    /// A container that crashes again and again runs for a moment between two crashes. One that is given its network back
    /// in such a moment has found it missing already.
    fn mind_who_is_reattached(&self, plan: &Plan, observed: &Observed) {
        for step in &plan.steps {
            let Action::Attach { target, .. } = &step.action else { continue };
            let TargetContainer::Id(id) = &target.container else { continue };
            let between_crashes = |c: &&Container| c.id == *id && is_between_crashes(c);
            if let (Some(service), Some(_)) = (&target.service, observed.containers.iter().find(between_crashes)) {
                self.memory().is_reattached(&plan.stack, service);
            }
        }
    }

    fn held_of(&self, container: &Container) -> Option<(StackName, HeldService)> {
        self.memory().held_of(container, &self.keeper.journal.keeper())
    }

    /// Somebody took a container off a network while nobody watched. What became of that is seen by the first look; who
    /// did it is only known from the event.
    pub(super) async fn look_back(&self, container: String, cause: Cause) -> Looked {
        let glance = match self.keeper.docker.glance(&container).await {
            Ok(Some(glance)) => glance,
            Ok(None) => return Looked::Well,
            Err(error) => return Looked::Blind(None, error),
        };
        let container = &glance.container;
        // The engine may have told its end after that, while the glance was under way.
        let left_nanos = cause.evidence["time_nanos"].as_i64().unwrap_or_default();
        let text = |key| cause.evidence[key].as_str().unwrap_or_default();
        if let Some((stack, held)) = self.held_of(container)
            && held.attachments.iter().any(|place| place.network == text("name"))
            && !self.ended.ended_then(&container.id, text("id"), left_nanos)
        {
            self.record_disconnect(&stack, container, &cause);
        }
        Looked::Well
    }

    /// A container that runs and left a held network did so because somebody took it off: stops and crashes leave
    /// networks too, but then it does not run.
    fn tell_disconnect(&self, stack: &StackName, glance: &Glance, cause: &Cause) {
        let evidence = &cause.evidence;
        let network = evidence["name"].as_str().unwrap_or_default();
        let container = &glance.container;
        if evidence["action"] != "disconnect" || container.state != State::Running {
            return;
        }
        if container.endpoint(network).is_some() {
            self.memory().is_back_on(&container.id, network);
            return;
        }
        if !self.memory().is_taken_off(&container.id, network) {
            return;
        }
        self.record_disconnect(stack, container, cause);
    }

    fn record_disconnect(&self, stack: &StackName, container: &Container, cause: &Cause) {
        let evidence = &cause.evidence;
        let network = evidence["name"].as_str().unwrap_or_default();
        let summary = format!("`{}` was disconnected from `{network}`", container.name);
        let mut entry = NewEntry::new(EntryKind::Event, Some(stack.clone()), summary);
        entry.subject.clone_from(&container.name);
        entry.service = container.service.as_ref().map(|service| service.as_str().to_owned());
        entry.cause = Some("another client of the engine ordered it".into());
        entry.evidence = evidence.clone();
        let at = moment_in(evidence);
        if let Some(at) = at {
            entry.at = text_of(at);
        }
        self.keeper.journal.post(entry);
        // Together with its line, so that it is told once, whenever this process ends.
        if let Some(nanos) = at.and_then(|at| i64::try_from(at.as_nanosecond()).ok()) {
            self.keeper.journal.post_heard(nanos);
        }
    }

    /// What a hold cannot repair, told when it appears and not at every look.
    fn tell_findings(&self, plan: &Plan, cause: &Cause) {
        for finding in plan.findings.iter().filter(|finding| finding.level != Level::Note) {
            self.tell_once(&plan.stack, finding.message.clone(), cause);
        }
    }

    fn tell_once(&self, stack: &StackName, words: String, cause: &Cause) {
        if !self.memory().told.insert((stack.clone(), words.clone())) {
            return;
        }
        let mut entry = NewEntry::new(EntryKind::Problem, Some(stack.clone()), words);
        entry.cause = Some(cause.words.clone());
        entry.evidence = cause.evidence.clone();
        self.keeper.journal.post(entry);
    }
}

/// When the event happened that is the evidence.
fn moment_in(evidence: &serde_json::Value) -> Option<Timestamp> {
    Timestamp::from_nanosecond(evidence["time_nanos"].as_i64()?.into()).ok()
}

fn observed(stack: StackName, glance: Glance) -> Observed {
    let mut observed = Observed::empty(stack);
    observed.containers = vec![glance.container];
    observed.networks = glance.networks;
    observed.settle();
    observed
}

/// The law of repairs, held here as well as in the planner: live, and nothing but networks and the start of what
/// crashed without them.
fn is_a_repair(step: &Step) -> bool {
    let allowed = matches!(step.action, Action::Attach { .. } | Action::Detach { .. } | Action::StartContainer { .. });
    allowed && step.impact == Impact::Live
}

fn key(step: &Step) -> Option<Key> {
    match &step.action {
        Action::Attach { target, attachment } => Some((target.name.clone(), attachment.network.clone())),
        Action::StartContainer { target } => Some((target.name.clone(), START.into())),
        _ => None,
    }
}
