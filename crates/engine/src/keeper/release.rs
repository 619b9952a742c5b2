//! A release around the walk of an `up`: what there was is written down before it; when it fails before its commit, what
//! there was is given back.

use std::collections::BTreeMap;
use std::time::Instant;

use mainstay_model::declared::{Declared, Promoted};
use mainstay_model::identity::{OperationId, ServiceName, StackName, digest};
use mainstay_model::observed::{Observed, ObservedDatabase, Scope, State};
use mainstay_model::operation::{Failure, Verdict, What};
use mainstay_model::plan::{Action, CANNOT_LEAD_BACK, Order, Plan, SettleOrder, Towards, describe};
use mainstay_model::postgres::migration::SchemaLevel;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::asked_after::{AskedAfter, is_asked_after};
use super::operation::Running;
use super::rounds::Story;
use super::{Keeper, KeeperError, decided, known, scope_of};
use crate::apply::{Manner, Teller, Walk, failure_of, failure_of_journal};
use crate::journal::{
    Beginning, EntryKind, JournalError, KnownStack, NewEntry, NewRelease, Release, ReleaseState, SeenAtEnd,
    StepOutcome, new_operation_id,
};
use crate::world::{World, WorldError};

/// What a plan of an `up` makes, as a release; `None` when it makes nothing.
pub(super) fn of(
    order: &Order,
    plan: &Plan,
    observed: &Observed,
    operation: &OperationId,
    actor: &str,
    promotes: bool,
) -> Option<NewRelease> {
    let Order::Up { declared, options } = order else { return None };
    let makes = |action: &Action| match action {
        Action::Migrate { files, .. } => !files.is_empty(),
        action => action.makes_container() || matches!(action, Action::Commit { .. }),
    };
    if !promotes && !plan.steps.iter().any(|step| makes(&step.action)) {
        return None;
    }
    let makers = plan.steps.iter().filter(|step| step.action.makes_container());
    // Once for all replicas.
    let mut of_services: Vec<String> = Vec::new();
    for change in makers.filter_map(|step| Some(format!("{}: {}", step.action.service()?, step.why))) {
        if !of_services.contains(&change) {
            of_services.push(change);
        }
    }
    let migrates = |action: &Action| matches!(action, Action::Migrate { files, .. } if !files.is_empty());
    let migrations = plan.steps.iter().filter(|step| migrates(&step.action)).map(|step| describe(&step.action));
    let back = options.back_to.map(|number| format!("rollback to {number}"));
    let promoted = promotes && options.back_to.is_none();
    let promoted = promoted.then(|| told_promoted(&options.promoted));
    let services = declared.services.iter();
    Some(NewRelease {
        operation: operation.clone(),
        stack: plan.stack.clone(),
        actor: actor.to_owned(),
        env: options.env.clone(),
        before: SettleOrder::before(observed),
        images: services.map(|(name, service)| (name.to_string(), service.image.clone())).collect(),
        changes: back.into_iter().chain(promoted).chain(migrations).chain(of_services).collect(),
        schemas: schemas_before(plan, observed),
        fingerprint: digest(&declared.as_ref().clone().without_sql()),
        back_to: options.back_to,
        promoted: options.promoted.clone(),
    })
}

/// How far databases are before the release, as far as that is known; one that the plan makes has nothing.
fn schemas_before(plan: &Plan, observed: &Observed) -> BTreeMap<String, SchemaLevel> {
    let mut schemas = levels(observed);
    for step in &plan.steps {
        if let Action::Migrate { database, is_new: true, .. } = &step.action {
            schemas.insert(database.clone(), SchemaLevel::default());
        }
    }
    schemas
}

fn levels(observed: &Observed) -> BTreeMap<String, SchemaLevel> {
    let seen = observed.databases.iter().filter_map(|(name, seen)| Some((name, seen.ledger()?)));
    seen.map(|(name, ledger)| (name.clone(), SchemaLevel::of(&ledger.rows))).collect()
}

fn told_promoted(images: &BTreeMap<ServiceName, Promoted>) -> String {
    if images.is_empty() {
        return "no promoted image any more".to_owned();
    }
    let each = images.iter().map(|(service, promoted)| format!("`{}` for `{service}`", promoted.image));
    format!("promoted {}", each.collect::<Vec<_>>().join(", "))
}

impl Story {
    /// Whether the one commit point is behind. A plan without one commits by ending well.
    fn is_committed(&self) -> bool {
        self.any_done(|action| matches!(action, Action::Commit { .. }))
    }

    /// Whether it is committed, and no check that is asked after the commit stands against it. From here on what was
    /// there before is cleared away, and there is no way back.
    fn is_accepted(&self) -> bool {
        let is_asked = self.walked.steps.iter().any(|step| is_asked_after(&step.action));
        self.is_committed() && (!is_asked || self.any_done(is_asked_after))
    }

    fn any_done(&self, what: impl Fn(&Action) -> bool) -> bool {
        self.walked.steps.iter().any(|step| what(&step.action) && self.done.contains(&step.id))
    }
}

impl<W: World + Clone> Running<'_, W> {
    /// Brings a release to its end in the journal; one that failed before its commit is taken back first.
    pub(super) async fn end_release(
        &self,
        release: &NewRelease,
        verdict: Verdict,
        failure: Option<Failure>,
        story: &mut Story,
        teller: &Teller,
    ) -> (Option<Failure>, Result<(), JournalError>) {
        let has_failed = matches!(verdict, Verdict::Failed | Verdict::Cancelled);
        let is_over = !has_failed || story.is_accepted() || self.edge_has_moved(release, story).await;
        let (state, failure) = if is_over {
            (ReleaseState::Committed, failure)
        } else if release.before.protects() {
            match self.take_back(release, verdict, story, teller).await {
                Ok(Back::Taken) => (ReleaseState::Undone, Some(told_undone(failure, story.is_committed()))),
                Ok(Back::Impossible(why)) => (ReleaseState::Committed, Some(told_kept(failure, why))),
                // It stands open, so the next start takes it back.
                Err(trouble) => return (Some(told_not_undone(failure, trouble)), Ok(())),
            }
        } else {
            (ReleaseState::Failed, failure)
        };
        let declared = match self.order {
            Order::Up { declared, .. } => Some(declared.as_ref()),
            _ => None,
        };
        let seen = self.keeper.look_at_the_end(&self.plan.stack, declared).await;
        let failure = match seen.as_ref().filter(|_| state != ReleaseState::Committed) {
            Some(observed) => told_what_stays(failure, release, story, observed),
            None => failure,
        };
        let seen = seen.map(|observed| seen_at_end(&self.plan.stack, &observed)).unwrap_or_default();
        let seen = of_itself(seen, state);
        // One that went well is remembered with its operation.
        let stays = has_failed && state == ReleaseState::Committed;
        let before = self.keeper.journal.stack(&self.plan.stack).ok().flatten();
        let remembered = if stays { known::committed(self.order, &story.walked, before) } else { None };
        let ended = self.keeper.journal.release_ends(self.operation, state, seen, remembered).await;
        self.keeper.keep_ways_back(&self.plan.stack).await;
        (failure, ended)
    }

    /// Whether a commit that is said to have failed has moved the edge all the same: what came after the move failed, such
    /// as writing it down on a full disk. Then the containers that the edge leads to must not go.
    async fn edge_has_moved(&self, release: &NewRelease, story: &Story) -> bool {
        let tells_edge = |action: &Action| matches!(action, Action::Commit { tells_edge: true, .. });
        // A commit that was written down is taken back by what its checks found, not by this.
        if story.is_committed() || !story.walked.steps.iter().any(|step| tells_edge(&step.action)) {
            return false;
        }
        let looked = self.keeper.docker.look(&scope_of(&Order::Settle(release.before.clone()))).await;
        looked.is_ok_and(|observed| release.before.edge_has_moved(&observed))
    }

    async fn take_back(
        &self,
        release: &NewRelease,
        verdict: Verdict,
        story: &mut Story,
        teller: &Teller,
    ) -> Result<Back, Failure> {
        let order = Order::Settle(SettleOrder { committed: story.is_committed(), ..release.before.clone() });
        let observed = self.keeper.docker.look(&scope_of(&order)).await.map_err(|error| failure_of(&error))?;
        let plan = decided(&order, &observed).numbered_after(story.last_number());
        if let Some(refusal) = plan.refusals().next() {
            if refusal.code == CANNOT_LEAD_BACK {
                return Ok(Back::Impossible(refusal.message.clone()));
            }
            return Err(Failure { message: refusal.message.clone(), ..Failure::default() });
        }
        if plan.is_empty() {
            return Ok(Back::Taken);
        }
        let because = match story.is_committed() {
            true if verdict == Verdict::Cancelled => "the release was cancelled while it was asked".to_owned(),
            true => "the release does not hold after its commit".to_owned(),
            false => "the release failed before its commit".to_owned(),
        };
        story.walked.steps.extend(plan.steps.iter().cloned());
        let mut entry = NewEntry::new(
            EntryKind::Operation,
            Some(plan.stack.clone()),
            format!("`{}` takes the release back", self.plan.verb),
        );
        entry.cause = Some(because.clone());
        entry.operation = Some(self.operation.clone());
        entry.evidence = json!({ "plan": plan });
        // What cannot be written down is given back all the same: a full disk must not leave a site down.
        let _ = self.keeper.journal.decided_again(self.operation, story.walked.clone(), entry).await;
        teller.tell(What::TakenBack { because, plan: plan.clone(), digest: plan.digest() });
        self.keeper.walk_settling(&plan, self.operation, teller).await?;
        Ok(Back::Taken)
    }
}

/// How the taking back of a release ended.
enum Back {
    Taken,
    /// The release serves, and what ran before is not there to be led back to.
    Impossible(String),
}

impl<W: World + Clone> Keeper<W> {
    /// Walks a plan that no Ctrl-C stops: half a way back is no way back.
    async fn walk_settling(&self, plan: &Plan, operation: &OperationId, teller: &Teller) -> Result<(), Failure> {
        let walk = Walk {
            world: &self.docker,
            journal: &self.journal,
            operation,
            plan,
            declared: None,
            env: None,
            made: BTreeMap::new(),
            teller,
            cancel: &CancellationToken::new(),
            by: self.actor(),
            manner: Manner::Settling,
        };
        let walked = walk.go().await;
        match walked.failed.into_values().next() {
            Some(failed) => Err(failed.failure),
            None if walked.outcomes.values().all(|outcome| *outcome == StepOutcome::Done) => Ok(()),
            None => Err(Failure { message: "not every step was done".into(), ..Failure::default() }),
        }
    }

    /// What there is once a release has ended. Nothing when it cannot be looked at: it is for the record only.
    async fn look_at_the_end(&self, stack: &StackName, declared: Option<&Declared>) -> Option<Observed> {
        let scope = Scope::of_stack(stack.clone());
        let scope = match declared {
            Some(declared) => scope.with_insides(declared),
            None => scope,
        };
        self.docker.look(&scope).await.ok()
    }

    /// The same for a release that was cut off, by what is kept of it.
    async fn seen_after(&self, release: &Release) -> SeenAtEnd {
        let kept =
            self.secrets.as_ref().and_then(|all| all.released(&release.stack, &release.operation).ok().flatten());
        let seen = self.look_at_the_end(&release.stack, kept.as_ref().map(|released| &released.declared)).await;
        seen.map(|observed| seen_at_end(&release.stack, &observed)).unwrap_or_default()
    }

    /// Brings every release whose process was ended in the middle to one of its ends. Gives what was done, in words.
    ///
    /// # Errors
    /// When the journal cannot be read or written. What cannot be settled now is told, and is tried again at the next
    /// start.
    pub async fn settle_releases(&self) -> Result<Vec<String>, KeeperError> {
        let read = |source| KeeperError::Journal { doing: "read", source };
        let mut told = Vec::new();
        for release in self.journal.releases_cut_off().map_err(read)? {
            let operation = new_operation_id();
            let Ok(_writing) = self.writers.order(&release.stack, &operation).await else { continue };
            match self.settle(&release, &operation).await {
                Ok(what) => told.push(what),
                Err(failure) => told.push(format!(
                    "release {} of `{}` was cut off and could not be settled: {}",
                    release.number, release.stack, failure.message
                )),
            }
        }
        Ok(told)
    }

    /// Brings a release of the stack that stands open to its end before anything else is done to the stack: what came
    /// between the two would be taken for a part of it later.
    pub(super) async fn settle_first(&self, stack: &StackName) -> Result<(), KeeperError> {
        let open = self.journal.releases_cut_off().map_err(|source| KeeperError::Journal { doing: "read", source })?;
        for release in open.iter().filter(|release| release.stack == *stack) {
            self.settle(release, &new_operation_id()).await.map_err(|failure| WorldError {
                hints: failure.hints,
                ..WorldError::new(format!(
                    "release {} of `{stack}` was cut off, and could not be settled before anything else: {}",
                    release.number, failure.message
                ))
            })?;
        }
        Ok(())
    }

    async fn settle(&self, release: &Release, operation: &OperationId) -> Result<String, Failure> {
        let recorded = self.journal.operation(&release.operation).map_err(|trouble| failure_of_journal(&trouble))?;
        let commits = |step: u32| {
            let plan = recorded.as_ref().map(|operation| &operation.plan);
            let action = plan.and_then(|plan| plan.steps.iter().find(|s| s.id.0 == step)).map(|step| &step.action);
            action.cloned()
        };
        let observed = self.docker.look(&scope_of(&Order::Settle(release.before.clone()))).await;
        let observed = observed.map_err(|error| failure_of(&error))?;
        let steps = recorded.iter().flat_map(|operation| &operation.steps);
        let mut committed = recorded.as_ref().is_some_and(|operation| operation.verdict.as_deref() == Some("done"));
        for step in steps {
            match commits(step.step.0) {
                Some(Action::Commit { tells_edge: false, .. }) => {
                    committed |= step.outcome == Some(StepOutcome::Done);
                }
                // Whether it was told can be seen at the edge, whatever was written down.
                Some(Action::Commit { tells_edge: true, .. }) => {
                    committed |= step.outcome == Some(StepOutcome::Done) || release.before.edge_has_moved(&observed);
                }
                _ => {}
            }
        }
        let after = AskedAfter::of(recorded.as_ref());
        let was_committed = committed;
        committed &= !after.is_against_it;
        let (mut towards, mut state) = match (committed, release.before.protects()) {
            (true, _) => (Towards::Release, ReleaseState::Committed),
            (false, true) => (Towards::Before, ReleaseState::Undone),
            // There is nothing to go back to; the next `up` goes on from what is there.
            (false, false) => {
                let ended = self
                    .journal
                    .release_ends(&release.operation, ReleaseState::Failed, SeenAtEnd::default(), None)
                    .await;
                ended.map_err(|trouble| failure_of_journal(&trouble))?;
                return Ok(format!(
                    "the first release of `{}` was cut off; `mainstay up` goes on with it",
                    release.stack
                ));
            }
        };
        let settling =
            |towards| Order::Settle(SettleOrder { towards, committed: was_committed, ..release.before.clone() });
        let mut order = settling(towards);
        let mut plan = decided(&order, &observed);
        if plan.refusals().any(|refusal| refusal.code == CANNOT_LEAD_BACK) {
            (towards, state) = (Towards::Release, ReleaseState::Committed);
            order = settling(towards);
            plan = decided(&order, &observed);
        }
        self.carry_out_settling(&order, &plan, operation, &release.operation).await?;
        let seen = of_itself(self.seen_after(release).await, state);
        let remembered = if state == ReleaseState::Committed { self.remembered_of(release) } else { None };
        let ended = self.journal.release_ends(&release.operation, state, seen, remembered).await;
        ended.map_err(|trouble| failure_of_journal(&trouble))?;
        self.keep_ways_back(&release.stack).await;
        let what = match towards {
            Towards::Before => "was taken back: what ran before it runs".to_owned(),
            Towards::Release => format!("had been committed and was finished{}", after.told()),
        };
        Ok(format!("release {} of `{}` was cut off and {what}", release.number, release.stack))
    }

    /// Where the files of a release that was cut off are, and what is held of it, from what is sealed of it.
    fn remembered_of(&self, release: &Release) -> Option<KnownStack> {
        let released = self.secrets.as_ref()?.released(&release.stack, &release.operation).ok().flatten()?;
        let order = Order::Up { declared: Box::new(released.declared), options: released.options };
        let before = self.journal.stack(&release.stack).ok().flatten();
        known::committed(&order, &Plan::empty(release.stack.clone(), "up"), before)
    }

    async fn carry_out_settling(
        &self,
        order: &Order,
        plan: &Plan,
        operation: &OperationId,
        of: &OperationId,
    ) -> Result<(), Failure> {
        if plan.is_empty() {
            return Ok(());
        }
        if let Some(refusal) = plan.refusals().next() {
            return Err(Failure { message: refusal.message.clone(), ..Failure::default() });
        }
        let began = Instant::now();
        let entry = |summary: String| {
            let mut entry = NewEntry::new(EntryKind::Operation, Some(plan.stack.clone()), summary);
            entry.cause = Some(format!("{of} was cut off"));
            entry.operation = Some(operation.clone());
            entry
        };
        let beginning = Beginning {
            operation: operation.clone(),
            plan: plan.clone(),
            digest: plan.digest(),
            actor: self.actor().to_owned(),
            durable: true,
            entry: Some(entry(format!("`{}` began: {} steps", order.verb(), plan.steps.len()))),
            release: None,
        };
        self.journal.begin(beginning).await.map_err(|trouble| failure_of_journal(&trouble))?;
        let teller = Teller {
            operation: operation.clone(),
            stack: plan.stack.clone(),
            events: None,
            redactions: self.journal.redactions.clone(),
        };
        let walked = self.walk_settling(plan, operation, &teller).await;
        let (verdict, summary) = match &walked {
            Ok(()) => (Verdict::Done, format!("`{}` done in {:.1} s", order.verb(), began.elapsed().as_secs_f64())),
            Err(failure) => (Verdict::Failed, format!("`{}` failed: {}", order.verb(), failure.message)),
        };
        let closed = self.journal.finish(operation.clone(), verdict, true, Some(entry(summary)), Vec::new()).await;
        walked?;
        closed.map_err(|trouble| failure_of_journal(&trouble))
    }
}

/// By service the images of what there is, and by database how far it is migrated.
fn seen_at_end(stack: &StackName, observed: &Observed) -> SeenAtEnd {
    // The edge may have come along.
    let ours = observed.containers.iter().filter(|container| container.stack.as_ref() == Some(stack));
    // What has run to its end is of the release as well; where there are several, the one that runs tells.
    let (up, ended): (Vec<_>, Vec<_>) =
        ours.filter(|container| !container.one_off).partition(|container| container.state == State::Running);
    let each = ended.into_iter().chain(up);
    let image_ids = each.filter_map(|c| Some((c.service.as_ref()?.to_string(), c.image_id.clone()))).collect();
    SeenAtEnd { image_ids, schemas: levels(observed) }
}

/// Of one that was taken back nothing runs: what does is of the release before it. What it has migrated stays.
fn of_itself(seen: SeenAtEnd, state: ReleaseState) -> SeenAtEnd {
    match state {
        ReleaseState::Undone => SeenAtEnd { image_ids: BTreeMap::new(), ..seen },
        _ => seen,
    }
}

/// A release that does not stay leaves the migrations that it has applied.
fn told_what_stays(
    failure: Option<Failure>,
    release: &NewRelease,
    story: &Story,
    observed: &Observed,
) -> Option<Failure> {
    let is_migrated = |name: &String| {
        story
            .walked
            .steps
            .iter()
            .any(|step| matches!(&step.action, Action::Migrate { database, .. } if database == name))
    };
    let mut failure = failure;
    for (name, before) in release.schemas.iter().filter(|(name, _)| is_migrated(name)) {
        let now = observed.databases.get(name).and_then(ObservedDatabase::ledger);
        let stays = now.and_then(|ledger| before.since(&ledger.rows)).unwrap_or_default();
        if let Some(last) = stays.last() {
            let which = match stays.as_slice() {
                [one] => format!("`{one}` was applied to `{name}`, and stays"),
                [first, .., _] if stays.len() > 3 => {
                    format!("{} migrations were applied to `{name}`, `{first}` to `{last}`, and stay", stays.len())
                }
                several => format!("`{}` were applied to `{name}`, and stay", several.join("`, `")),
            };
            failure.get_or_insert_default().hints.push(which);
        }
    }
    // Data goes when somebody names it, and not before.
    for step in story.walked.steps.iter().filter(|step| story.done.contains(&step.id)) {
        if let Action::CreateVolume { name, .. } = &step.action {
            let stays = format!("the volume `{name}`, which it made, stays; `docker volume rm {name}` removes it");
            failure.get_or_insert_default().hints.push(stays);
        }
    }
    failure
}

fn told_undone(failure: Option<Failure>, was_committed: bool) -> Failure {
    let mut failure = failure.unwrap_or_default();
    let again =
        if was_committed { "visitors are led to what ran before again" } else { "what ran before runs as before" };
    failure.hints.push(format!("the release was taken back: {again}, and what the new containers said is kept"));
    failure
}

fn told_kept(failure: Option<Failure>, why: String) -> Failure {
    let mut failure = failure.unwrap_or_default();
    failure.causes.push(format!("and the release stays: {why}"));
    failure
}

fn told_not_undone(failure: Option<Failure>, trouble: Failure) -> Failure {
    let mut failure = failure.unwrap_or_default();
    failure.causes.push(format!("and it could not be taken back: {}", trouble.message));
    failure.causes.extend(trouble.causes);
    failure.hints.push("the next `mainstay` command for this stack, or `mainstay serve`, takes it back".to_owned());
    failure
}
