//! Done means observed: what a second look, after the walk, still finds to do.

use std::collections::BTreeSet;

use mainstay_model::identity::ServiceName;
use mainstay_model::observed::{Container, Observed};
use mainstay_model::operation::Failure;
use mainstay_model::plan::{Action, Order, Plan, Step, StepId, UpOptions, describe};

/// The order that finds what is left to do of `order`: what was fetched is not fetched anew, and force does not mean
/// the containers that were made already.
pub(super) fn rest_of(order: &Order, made: BTreeSet<String>) -> Order {
    match order {
        Order::Up { declared, options } => {
            let options = UpOptions { build: false, pull: false, images_are_fresh: true, made, ..options.clone() };
            Order::Up { declared: declared.clone(), options }
        }
        // Restarting twice is restarting; that it runs is what can be seen.
        Order::Restart(order) => Order::Start(order.clone()),
        other => other.clone(),
    }
}

/// The steps that are really left: without those that the next `up` is for, and those that were done for good. `walked`
/// is all that was to be done, `done` what was.
pub(super) fn what_remains(order: &Order, walked: &Plan, done: &Plan, seen: &Observed, left: Plan) -> Plan {
    let excused = excused(order, walked, &left);
    let left = left.without(|step| excused.contains(&step.id) || ended_well(done, seen, step));
    // Checks that were asked stand; they are asked again only where something else is done.
    let only_asks = left.steps.iter().all(|step| matches!(step.action, Action::Smoke { .. }));
    left.without(|_| only_asks)
}

/// What is left, as a failure; `None` when nothing is.
pub(super) fn not_as_ordered(left: &Plan) -> Option<Failure> {
    let told: Vec<String> =
        left.steps.iter().map(|step| format!("{} ({})", describe(&step.action), step.why)).collect();
    if told.is_empty() {
        return None;
    }
    Some(Failure {
        message: format!("the world is not as declared after the apply: {}", told.join("; ")),
        hints: vec![format!(
            "`mainstay history --stack {}` tells what happened meanwhile; `mainstay plan` shows what is left to do",
            left.stack
        )],
        ..Failure::default()
    })
}

/// An image that this walk has fetched makes the next plan replace containers which this one left in place and said so.
fn excused(order: &Order, walked: &Plan, left: &Plan) -> BTreeSet<StepId> {
    let waiting = waiting_for_the_next_up(order, walked);
    let mut found = BTreeSet::new();
    for step in &left.steps {
        let waits = step.action.service().is_some_and(|service| waiting.contains(service));
        // Needs have smaller ids, so one pass in the plan's order sees them all.
        if waits || step.needs.iter().any(|need| found.contains(need)) {
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

/// A job has ended with 0, and would be started again by the next order: it was waited for until it completed, or its
/// start was waited for and nothing says that it should go on.
fn ended_well(done: &Plan, seen: &Observed, left: &Step) -> bool {
    use mainstay_model::declared::Condition::{Completed, Started};
    let name = match &left.action {
        Action::StartContainer { target } | Action::Await { target, .. } => &target.name,
        _ => return false,
    };
    let crashed = |container: &Container| container.exit_code.is_some_and(|code| code != 0);
    if seen.container_named(name).is_some_and(crashed) {
        return false;
    }
    done.steps
        .iter()
        .any(|step| matches!(&step.action, Action::Await { target, condition: Completed | Started, .. } if target.name == *name))
}
