//! An operation whose world moved under it looks and decides once more: the rules for the plan of that further round.
//!
//! The first round's plan is the one that was shown and consented to. A further one is told before it is walked, and
//! may only lead to the same end: it stops nothing and destroys nothing that the shown plan did not, and it leaves
//! alone what the shown plan did not speak of.

use std::collections::BTreeMap;

use super::{Action, Impact, Order, Plan, PlannedMigration, Step, StepId, Target, TargetContainer, describe};
use crate::identity::ServiceName;

/// What a step is about, whatever it does to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing<'a> {
    Image(&'a str),
    Network(&'a str),
    Volume(&'a str),
    /// A container's place: whoever stands there.
    Place(&'a ServiceName, u32),
    /// A container that stands for no service.
    Container(&'a str),
    Database(&'a str),
    Bucket(&'a str),
    /// Which containers serve.
    Release,
}

impl<'a> Thing<'a> {
    fn of(action: &'a Action) -> Self {
        match action {
            Action::PullImage { image, .. } | Action::BuildImage { image, .. } => Thing::Image(image),
            Action::CreateNetwork { name, .. } | Action::RemoveNetwork { name, .. } => Thing::Network(name),
            Action::CreateVolume { name, .. } | Action::RemoveVolume { name } => Thing::Volume(name),
            Action::CreateContainer { service, number, .. } => Thing::Place(service, *number),
            Action::StartContainer { target }
            | Action::StopContainer { target, .. }
            | Action::RemoveContainer { target, .. }
            | Action::RenameContainer { target, .. }
            | Action::Attach { target, .. }
            | Action::Detach { target, .. }
            | Action::Await { target, .. }
            | Action::Probe { target, .. }
            | Action::Drain { target, .. }
            | Action::KeepLogs { target } => Thing::of_target(target),
            Action::Migrate { database, .. } | Action::BackUp { database, .. } => Thing::Database(database),
            Action::MakeBucket { bucket, .. } => Thing::Bucket(bucket),
            Action::Commit { .. }
            | Action::Unroute { .. }
            | Action::Smoke { .. }
            | Action::LeadBack { .. }
            | Action::ClosePreview => Thing::Release,
        }
    }

    fn of_target(target: &'a Target) -> Self {
        match &target.service {
            Some(service) => Thing::Place(service, target.number),
            None => Thing::Container(&target.name),
        }
    }
}

/// The first step that goes beyond what was shown; `None` when the new plan may be walked without asking again.
///
/// `stop`, `restart` and `down` say by their names what happens to the whole stack, so that only data is shown to be
/// spared there. An `up` was shown by its steps and by the services that it called unchanged.
pub fn beyond<'p>(order: &Order, shown: &Plan, now: &'p Plan) -> Option<&'p Step> {
    let spoken_of = spoken_of(shown);
    now.steps.iter().find(|step| {
        let shown_impact = spoken_of.get(&Thing::of(&step.action)).copied();
        match (order, step.impact) {
            (_, Impact::Destroy) if shown_impact != Some(Impact::Destroy) => true,
            _ if applies_more(&step.action, shown) => true,
            (Order::Up { .. }, impact) => {
                let called_unchanged = || step.action.service().is_some_and(|name| shown.unchanged.contains(name));
                let least = if called_unchanged() { Some(Impact::Live) } else { None };
                // A replacement alone stops nothing that runs: who may be touched may be replaced.
                let allowed = shown_impact.map(|shown| shown.max(Impact::Replace)).or(least);
                allowed.is_none_or(|allowed| impact > allowed)
            }
            _ => false,
        }
    })
}

/// Whether a step applies a file that was not shown.
fn applies_more(action: &Action, shown: &Plan) -> bool {
    let Action::Migrate { database, files, .. } = action else { return false };
    let is_shown = |file: &PlannedMigration| {
        shown.steps.iter().any(|step| match &step.action {
            Action::Migrate { database: other, files, .. } => other == database && files.contains(file),
            _ => false,
        })
    };
    !files.iter().all(is_shown)
}

/// What the steps of a plan are about, and how grave the gravest of them is. A network that somebody joins is spoken of.
fn spoken_of(plan: &Plan) -> BTreeMap<Thing<'_>, Impact> {
    let mut found: BTreeMap<Thing<'_>, Impact> = BTreeMap::new();
    for step in &plan.steps {
        let gravest = found.entry(Thing::of(&step.action)).or_insert(step.impact);
        *gravest = step.impact.max(*gravest);
        let joined: &[String] = match &step.action {
            Action::CreateContainer { networks, .. } => networks,
            Action::Attach { attachment, .. } => std::slice::from_ref(&attachment.network),
            _ => &[],
        };
        for network in joined {
            found.entry(Thing::Network(network)).or_insert(Impact::Live);
        }
    }
    found
}

/// Whether a step that the engine contradicted was decided for a world that is no more.
///
/// It was not when the new plan has it again with nothing to do before it: then the step itself is what fails, and
/// doing it again would fail again.
pub fn is_outdated(failed: &Step, now: &Plan) -> bool {
    !now.steps.iter().any(|step| step.needs.is_empty() && is_same_act(&step.action, &failed.action))
}

/// The same thing done to the same thing, whichever plan it stands in.
fn is_same_act(one: &Action, other: &Action) -> bool {
    let same_id = match (one, other) {
        (Action::Detach { network_id: one, .. }, Action::Detach { network_id: other, .. }) => one == other,
        (Action::RemoveNetwork { id: one, .. }, Action::RemoveNetwork { id: other, .. }) => one == other,
        _ => true,
    };
    let ids = |action: &Action| match action.target().map(|target| &target.container) {
        Some(TargetContainer::Id(id)) => Some(id.clone()),
        _ => None,
    };
    // One that a plan makes has an id in the next plan only.
    let same_container = ids(one).zip(ids(other)).is_none_or(|(one, other)| one == other);
    same_id && same_container && describe(one) == describe(other)
}

impl Plan {
    /// The same plan with the steps counted on from a number, so that the steps of one operation never share one.
    #[must_use]
    pub fn numbered_after(mut self, last: u32) -> Plan {
        let moved = |id: &mut StepId| id.0 += last;
        for step in &mut self.steps {
            moved(&mut step.id);
            step.needs.iter_mut().for_each(moved);
            for target in step.action.targets_mut() {
                if let Target { container: TargetContainer::MadeBy(made), .. } = target {
                    moved(made);
                }
            }
        }
        self
    }

    /// The plan without some of its steps, which are done; what leaned on them leans on what they leaned on no more.
    #[must_use]
    pub fn without(mut self, done: impl Fn(&Step) -> bool) -> Plan {
        self.steps.retain(|step| !done(step));
        let left: Vec<StepId> = self.steps.iter().map(|step| step.id).collect();
        for step in &mut self.steps {
            step.needs.retain(|need| left.contains(need));
        }
        self
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::identity::StackName;
    use crate::plan::{StackOrder, UpOptions};

    fn plan(steps: Vec<(Action, Impact, &[u32])>) -> Plan {
        let mut plan = Plan::empty(StackName::new("shop").unwrap(), "up");
        for (index, (action, impact, needs)) in steps.into_iter().enumerate() {
            let needs = needs.iter().map(|need| StepId(*need)).collect();
            plan.steps.push(Step { id: StepId(index as u32 + 1), action, why: "it is so".into(), impact, needs });
        }
        plan
    }

    fn at(service: &str, container: TargetContainer) -> Target {
        Target {
            name: format!("shop-{service}-1"),
            service: Some(ServiceName::new(service).unwrap()),
            number: 1,
            container,
        }
    }

    fn seen(service: &str) -> Target {
        at(service, TargetContainer::Id(format!("id-of-{service}")))
    }

    fn create(service: &str) -> Action {
        Action::CreateContainer {
            service: ServiceName::new(service).unwrap(),
            number: 1,
            name: format!("shop-{service}-1"),
            networks: vec!["shop_default".into()],
            carried: Vec::new(),
        }
    }

    fn network() -> Action {
        Action::CreateNetwork { key: "default".into(), name: "shop_default".into() }
    }

    fn start(service: &str) -> Action {
        Action::StartContainer { target: seen(service) }
    }

    fn stop(service: &str) -> Action {
        Action::StopContainer { target: seen(service), grace_secs: None }
    }

    fn up() -> Order {
        let declared = crate::declared::Declared {
            stack: StackName::new("shop").unwrap(),
            directory: "/srv/shop".into(),
            files: Vec::new(),
            services: BTreeMap::new(),
            networks: BTreeMap::new(),
            volumes: BTreeMap::new(),
            requires: Vec::new(),
            secrets: Default::default(),
            smoke: Vec::new(),
            databases: std::collections::BTreeMap::new(),
            buckets: std::collections::BTreeMap::new(),
            disabled: Default::default(),
        };
        Order::Up { declared: Box::new(declared), options: UpOptions::default() }
    }

    fn goes_beyond(shown: &Plan, now: Vec<(Action, Impact, &[u32])>) -> bool {
        beyond(&up(), shown, &plan(now)).is_some()
    }

    #[test]
    fn what_was_shown_may_be_done_in_another_way() {
        let shown = plan(vec![(create("web"), Impact::Live, &[])]);
        assert!(!goes_beyond(&shown, vec![(start("web"), Impact::Live, &[])]));
        assert!(!goes_beyond(&shown, vec![(create("web"), Impact::Replace, &[])]));
        assert!(!goes_beyond(&shown, vec![(network(), Impact::Live, &[])]), "a network that was to be joined");
    }

    #[test]
    fn nothing_is_stopped_that_was_not_shown_to_be_stopped() {
        let shown = plan(vec![(create("web"), Impact::Live, &[]), (stop("db"), Impact::Interrupt, &[])]);
        assert!(goes_beyond(&shown, vec![(stop("web"), Impact::Interrupt, &[])]));
        assert!(!goes_beyond(&shown, vec![(stop("db"), Impact::Interrupt, &[])]));
        let volume = Action::RemoveVolume { name: "shop_data".into() };
        assert!(goes_beyond(&shown, vec![(volume, Impact::Destroy, &[])]));
    }

    #[test]
    fn what_the_shown_plan_did_not_speak_of_is_left_alone() {
        let mut shown = plan(vec![(create("web"), Impact::Live, &[])]);
        assert!(goes_beyond(&shown, vec![(start("db"), Impact::Live, &[])]));
        assert!(goes_beyond(
            &shown,
            vec![(Action::PullImage { image: "x".into(), platform: None }, Impact::Live, &[])]
        ));
        shown.unchanged.push(ServiceName::new("db").unwrap());
        assert!(!goes_beyond(&shown, vec![(start("db"), Impact::Live, &[])]), "it was said to be as declared");
        assert!(goes_beyond(&shown, vec![(stop("db"), Impact::Interrupt, &[])]));
        assert!(goes_beyond(&shown, vec![(create("db"), Impact::Replace, &[])]));
    }

    #[test]
    fn a_down_takes_what_appeared_meanwhile_but_no_data() {
        let order = Order::Down(StackOrder {
            stack: StackName::new("shop").unwrap(),
            services: Default::default(),
            volumes: Default::default(),
            held: Vec::new(),
            timeout_secs: None,
            no_wait: false,
        });
        let shown = plan(vec![(stop("web"), Impact::Interrupt, &[])]);
        assert!(beyond(&order, &shown, &plan(vec![(stop("db"), Impact::Interrupt, &[])])).is_none());
        let volume = Action::RemoveVolume { name: "shop_data".into() };
        assert!(beyond(&order, &shown, &plan(vec![(volume, Impact::Destroy, &[])])).is_some());
    }

    #[test]
    fn a_step_is_outdated_unless_the_new_plan_begins_with_it() {
        let failed = plan(vec![(create("web"), Impact::Live, &[])]).steps.remove(0);
        assert!(!is_outdated(&failed, &plan(vec![(create("web"), Impact::Live, &[])])));
        assert!(is_outdated(&failed, &plan(Vec::new())));
        assert!(is_outdated(&failed, &plan(vec![(network(), Impact::Live, &[]), (create("web"), Impact::Live, &[1])])));
        assert!(is_outdated(&failed, &plan(vec![(start("web"), Impact::Live, &[])])));
    }

    #[test]
    fn one_that_was_made_anew_is_another_container() {
        let of = |container| Action::StartContainer { target: at("web", container) };
        let failed = plan(vec![(of(TargetContainer::Id("old".into())), Impact::Live, &[])]).steps.remove(0);
        assert!(is_outdated(&failed, &plan(vec![(of(TargetContainer::Id("new".into())), Impact::Live, &[])])));
        let failed = plan(vec![(of(TargetContainer::MadeBy(StepId(7))), Impact::Live, &[])]).steps.remove(0);
        assert!(!is_outdated(&failed, &plan(vec![(of(TargetContainer::Id("new".into())), Impact::Live, &[])])));
    }

    #[test]
    fn numbers_go_on_and_everything_that_names_them_with_them() {
        let made = Action::StartContainer { target: at("web", TargetContainer::MadeBy(StepId(1))) };
        let moved = plan(vec![(create("web"), Impact::Live, &[]), (made, Impact::Live, &[1])]).numbered_after(5);
        let ids: Vec<u32> = moved.steps.iter().map(|step| step.id.0).collect();
        assert_eq!(ids, [6, 7]);
        assert_eq!(moved.steps[1].needs, [StepId(6)]);
        assert_eq!(moved.steps[1].action.target().unwrap().container, TargetContainer::MadeBy(StepId(6)));
    }
}
