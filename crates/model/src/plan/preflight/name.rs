//! A name of the stack that somebody answers to who is not of it, on a network of its own.

use std::collections::BTreeSet;

use super::Seen;
use super::port::given_up;
use crate::declared::{Declared, warnings};
use crate::observed::Observed;
use crate::plan::{Finding, Plan};

/// The networks of the stack's own that are there already, and on which somebody may be. Where there is an external one,
/// the look has brought all members.
pub(super) fn unseen(declared: &Declared, observed: &Observed) -> BTreeSet<String> {
    if declared.networks.values().any(|network| network.external) {
        return BTreeSet::new();
    }
    let own: BTreeSet<&str> = declared.networks.values().map(|network| network.name.as_str()).collect();
    let there = observed.networks.iter().filter(|network| own.contains(network.name.as_str()));
    there.map(|network| network.id.clone()).collect()
}

/// Who goes with this plan answers to nothing at its end.
pub(super) fn find(declared: &Declared, plan: &Plan, observed: &Observed, seen: &Seen) -> Vec<Finding> {
    let goes = given_up(plan);
    let mut world = observed.clone();
    world.networks.retain(|network| seen.members.contains_key(&network.id));
    for network in &mut world.networks {
        let members = seen.members.get(&network.id).into_iter().flatten();
        network.members = members.filter(|member| !goes.contains(member.container_id.as_str())).cloned().collect();
    }
    warnings::strangers(declared, &world)
}
