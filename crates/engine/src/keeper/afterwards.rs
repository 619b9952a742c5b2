//! Done means observed: what a second look, after the walk, still finds to do.

use std::collections::BTreeSet;

use mainstay_model::identity::ServiceName;
use mainstay_model::operation::Failure;
use mainstay_model::plan::{Action, Order, Plan, Step, StepId, UpOptions, describe};

/// The order that finds nothing to do when `order` was fulfilled: without what is done anew at every asking.
pub(super) fn settled(order: &Order) -> Order {
    match order {
        Order::Up { declared, options } => {
            let options = UpOptions { build: false, pull: false, force_recreate: false, ..options.clone() };
            Order::Up { declared: declared.clone(), options }
        }
        // Restarting twice is restarting; that it runs is what can be seen.
        Order::Restart(order) => Order::Start(order.clone()),
        other => other.clone(),
    }
}

/// The steps that are left, as a failure; `None` when the world is as ordered.
pub(super) fn what_remains(order: &Order, walked: &Plan, left: &Plan) -> Option<Failure> {
    let excused = excused(order, walked, left);
    let remain = left.steps.iter().filter(|step| !excused.contains(&step.id) && !ended_well(walked, step));
    let told: Vec<String> = remain.map(|step| format!("{} ({})", describe(&step.action), step.why)).collect();
    if told.is_empty() {
        return None;
    }
    Some(Failure {
        message: format!("the world is not as declared after the apply: {}", told.join("; ")),
        hints: vec![format!(
            "`mainstay history --stack {}` tells what happened meanwhile; `mainstay plan` shows what is left to do",
            walked.stack
        )],
        ..Failure::default()
    })
}

/// Steps about images, and what follows from them. Some images are fetched anew at every `up`; and one that this walk
/// has fetched makes the next plan replace containers which this one left in place and said so.
fn excused(order: &Order, walked: &Plan, left: &Plan) -> BTreeSet<StepId> {
    let waiting = waiting_for_the_next_up(order, walked);
    let mut found = BTreeSet::new();
    for step in &left.steps {
        let fetches = matches!(step.action, Action::PullImage { .. } | Action::BuildImage { .. });
        let waits = step.action.service().is_some_and(|service| waiting.contains(service));
        // Needs have smaller ids, so one pass in the plan's order sees them all.
        if fetches || waits || step.needs.iter().any(|need| found.contains(need)) {
            found.insert(step.id);
        }
    }
    found
}

/// Services whose image was fetched by a plan that did not make their containers.
fn waiting_for_the_next_up<'o>(order: &'o Order, walked: &Plan) -> BTreeSet<&'o ServiceName> {
    let Order::Up { declared, .. } = order else { return BTreeSet::new() };
    let fetched: BTreeSet<&str> = walked
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::PullImage { image, .. } | Action::BuildImage { image, .. } => Some(image.as_str()),
            _ => None,
        })
        .collect();
    let made: BTreeSet<&ServiceName> = walked
        .steps
        .iter()
        .filter(|step| step.action.makes_container())
        .filter_map(|step| step.action.service())
        .collect();
    let services = declared.services.values();
    let waits = services.filter(|service| fetched.contains(service.image.as_str()) && !made.contains(&service.name));
    waits.map(|service| &service.name).collect()
}

/// A job has ended, and would be started again by the next order: it was waited for until it completed, or its start
/// was waited for and a code other than 0 would have been told there.
fn ended_well(walked: &Plan, left: &Step) -> bool {
    use mainstay_model::declared::Condition::{Completed, Started};
    let name = match &left.action {
        Action::StartContainer { target } | Action::Await { target, .. } => &target.name,
        _ => return false,
    };
    walked
        .steps
        .iter()
        .any(|step| matches!(&step.action, Action::Await { target, condition: Completed | Started, .. } if target.name == *name))
}
