//! What would make a release fail, and can be known before its first step: a port that somebody else has, a disk without
//! room, a way back that is gone.
//!
//! Pure, as the planner is: [`questions`] says what has to be looked at for a plan, whoever touches the world looks, and
//! [`find`] says what that means. A plan that starts nothing asks nothing.

mod disk;
mod name;
mod port;
mod way_back;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use disk::{Disk, DiskOf};
pub use port::{Holder, HostPort, TakenPort};
pub use way_back::Last;

use super::{Action, Finding, Order, Plan};
use crate::observed::{Member, Observed};

/// A part of it, as it can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Ports,
    Disk,
    WayBack,
}

/// What has to be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// Who has these?
    pub ports: BTreeSet<HostPort>,
    /// Which of these images are there, by the engine's id, and how large are they?
    pub images: BTreeSet<String>,
    /// How much room is there?
    pub disks: bool,
    /// Who is on these networks, by the engine's id?
    pub networks: BTreeSet<String>,
    /// The containers of declared services, by id: what they answer to is declared.
    pub declared: BTreeSet<String>,
}

/// What was seen. What cannot be known (the engine is on another machine, a process is another user's) is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub taken: Vec<TakenPort>,
    /// Those that are there, with their bytes.
    pub images: BTreeMap<String, u64>,
    pub disks: Vec<Disk>,
    /// The running containers on the networks that were asked for, by id.
    pub members: BTreeMap<String, Vec<Member>>,
}

/// What to look at for this plan; `last` is the release that serves. `None` when there is nothing to ask.
pub fn questions(order: &Order, plan: &Plan, observed: &Observed, last: Option<&Last>) -> Option<Questions> {
    let Order::Up { declared, options } = order else { return None };
    if plan.is_empty() || plan.refusals().next().is_some() {
        return None;
    }
    let asks = |part: Part| !options.unchecked.contains(&part);
    let mut questions = Questions { networks: name::unseen(declared, observed), ..Questions::default() };
    if !questions.networks.is_empty() {
        let ours = observed.containers.iter().filter(|container| container.stack.as_ref() == Some(&declared.stack));
        let ours =
            ours.filter(|container| container.service.as_ref().is_some_and(|s| declared.services.contains_key(s)));
        questions.declared = ours.map(|container| container.id.clone()).collect();
    }
    if asks(Part::Ports) {
        questions.ports = port::wanted(declared, plan).into_iter().map(|wanted| wanted.port).collect();
    }
    if asks(Part::Disk) {
        questions.disks = true;
        questions.images.extend(disk::of_like_size(declared, plan, observed).into_values());
    }
    if let Some(last) = last.filter(|_| asks(Part::WayBack) && makes_release(plan)) {
        questions.images.extend(last.image_ids.values().cloned());
    }
    Some(questions).filter(|questions| *questions != Questions::default())
}

/// What follows from what was seen. Only for a plan for which [`questions`] had some.
pub fn find(order: &Order, plan: &Plan, observed: &Observed, last: Option<&Last>, seen: &Seen) -> Vec<Finding> {
    let Order::Up { declared, options } = order else { return Vec::new() };
    let asks = |part: Part| !options.unchecked.contains(&part);
    let mut found = name::find(declared, plan, observed, seen);
    if asks(Part::Ports) {
        found.extend(port::find(declared, plan, observed, &seen.taken));
    }
    if asks(Part::Disk) {
        found.extend(disk::find(declared, plan, observed, seen));
    }
    if let Some(last) = last.filter(|_| asks(Part::WayBack) && makes_release(plan)) {
        found.extend(way_back::find(last, options, seen));
    }
    found.sort();
    found.dedup();
    found
}

fn makes_release(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| step.action.makes_container() || matches!(step.action, Action::Commit { .. }))
}
