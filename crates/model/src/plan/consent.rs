//! What a person has to agree to before a plan is applied. Consent is given to a plan's digest.

use super::{Action, Impact, Order, Plan};

/// The reason for which an order and its plan need consent; `None` when the order itself says enough.
///
/// Data that goes always needs it. `down`, `stop` and `restart` are ordered by people who know that something stops;
/// `up` is ordered to make things run, so that it stops something that runs, or takes an address off the edge, has to be
/// agreed to. A hold is live.
pub fn needed(order: &Order, plan: &Plan) -> Option<String> {
    let destroyed = names(plan, |action, impact| match action {
        Action::RemoveVolume { name } if impact == Impact::Destroy => Some(format!("volume `{name}`")),
        Action::Migrate { database, .. } if impact == Impact::Destroy => Some(format!("rows of `{database}`")),
        action if impact == Impact::Destroy => action.target().map(|target| format!("`{}`", target.name)),
        _ => None,
    });
    if !destroyed.is_empty() {
        return Some(format!("data is destroyed: {}", destroyed.join(", ")));
    }
    if !matches!(order, Order::Up { .. }) {
        return None;
    }
    let stopped = names(plan, |action, impact| match impact {
        Impact::Interrupt => action.target().map(|target| format!("`{}`", target.name)),
        _ => None,
    });
    let lost: Vec<String> = plan.steps.iter().flat_map(|step| lost_by(&step.action)).collect();
    let reasons = [(stopped, "stopped while running"), (lost, "not served any more")];
    let reasons = reasons.iter().filter(|(names, _)| !names.is_empty()).map(|(names, what)| {
        let verb = if names.len() == 1 { "is" } else { "are" };
        format!("{} {verb} {what}", names.join(", "))
    });
    let reasons: Vec<String> = reasons.collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// The addresses at which visitors find nothing any more.
fn lost_by(action: &Action) -> Vec<String> {
    match action {
        Action::Commit { lost, .. } => lost.iter().map(|address| format!("`{address}`")).collect(),
        _ => Vec::new(),
    }
}

/// The reason for which its migrations need consent, as they do by themselves: where it may be production. A database
/// that the plan makes has nothing to be harmed.
pub fn needed_for_migrations(order: &Order, plan: &Plan) -> Option<String> {
    let Order::Up { options, .. } = order else { return None };
    if !options.is_production() {
        return None;
    }
    let migrated = names(plan, |action, _| match action {
        Action::Migrate { database, is_new: false, files, .. } if !files.is_empty() => Some(format!("`{database}`")),
        _ => None,
    });
    let are = if migrated.len() == 1 { "is" } else { "are" };
    (!migrated.is_empty()).then(|| format!("{} {are} migrated, and may be production", migrated.join(", ")))
}

fn names(plan: &Plan, of: impl Fn(&Action, Impact) -> Option<String>) -> Vec<String> {
    plan.steps.iter().filter_map(|step| of(&step.action, step.impact)).collect()
}
