//! Done means observed: what a second look, after the walk, still finds to do.

use std::collections::BTreeSet;

use mainstay_model::operation::Failure;
use mainstay_model::plan::{Action, Order, Plan, Step, StepId, UpOptions};

use crate::apply::to_do;

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
pub(super) fn what_remains(walked: &Plan, left: &Plan) -> Option<Failure> {
    let refetched = fetched_anew(left);
    let steps: Vec<&Step> =
        left.steps.iter().filter(|step| !refetched.contains(&step.id) && !ended_well(walked, step)).collect();
    if steps.is_empty() {
        return None;
    }
    let told: Vec<String> = steps.iter().map(|step| format!("{} ({})", to_do(&step.action), step.why)).collect();
    Some(Failure {
        message: format!("the world is not as declared after the apply: {}", told.join("; ")),
        hints: vec![format!(
            "`mainstay history --stack {}` tells what happened meanwhile; `mainstay plan` shows what is left to do",
            walked.stack
        )],
        ..Failure::default()
    })
}

/// Images that are pulled or built at every `up`, and what would follow from a new one.
fn fetched_anew(plan: &Plan) -> BTreeSet<StepId> {
    let mut found = BTreeSet::new();
    for step in &plan.steps {
        let fetches = matches!(step.action, Action::PullImage { .. } | Action::BuildImage { .. });
        // Needs have smaller ids, so one pass in the plan's order sees them all.
        if fetches || step.needs.iter().any(|need| found.contains(need)) {
            found.insert(step.id);
        }
    }
    found
}

/// A job that was waited for until it completed has ended, and would be started again by the next order.
fn ended_well(walked: &Plan, left: &Step) -> bool {
    use mainstay_model::declared::Condition::Completed;
    let name = match &left.action {
        Action::StartContainer { target } | Action::Await { target, .. } => &target.name,
        _ => return false,
    };
    walked
        .steps
        .iter()
        .any(|step| matches!(&step.action, Action::Await { target, condition: Completed, .. } if target.name == *name))
}
