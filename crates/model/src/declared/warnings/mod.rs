//! What a plan should say before anything breaks: names that will not resolve, or that will stop to.
//!
//! Pure rules over a wish and a world. They are warnings and notes, never refusals: a name can be answered by
//! something that nobody here can see. What they say is a service, a variable's name and a host, never a value.

mod clash;
mod elsewhere;
mod hosts;
mod makers;
mod mention;
mod names;
mod pairs;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::Declared;
use crate::observed::Observed;
use crate::plan::Finding;

/// Every finding, sorted and without doubles.
pub fn find(declared: &Declared, observed: &Observed) -> Vec<Finding> {
    let mut found: BTreeSet<Finding> = BTreeSet::new();
    found.extend(hosts::find(declared, observed));
    found.extend(clash::find(declared, observed));
    found.extend(makers::find(declared, observed));
    found.into_iter().collect()
}

/// Names of the stack that somebody else answers to as well, on any network whose members were seen.
pub fn strangers(declared: &Declared, observed: &Observed) -> Vec<Finding> {
    clash::with_strangers(declared, observed)
}

/// Hosts that the stack names and that nothing of the stack answers to. A look that finds out who else has them lets
/// [`find`] say which network to join; of most stacks there are none, and the look is spared.
pub fn sought(declared: &Declared) -> BTreeSet<String> {
    hosts::sought(declared)
}
