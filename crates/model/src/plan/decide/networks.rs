//! The networks that the services use: made when missing, never changed.

use std::collections::BTreeSet;

use super::up::Up;
use crate::declared::Network;
use crate::identity::digest;
use crate::observed::{Maker, Observed, ObservedNetwork};
use crate::plan::{Action, Impact, Level, StepId};

/// What there is under the name of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// One network, by id.
    There(String),
    /// One network, by id, once its twins are gone: the step that removes the last of them.
    Alone(String, StepId),
    /// This plan makes it.
    Made(StepId),
    /// A required stack makes it before this plan is applied.
    Promised,
    /// Nothing that could be joined; a finding says why.
    Nowhere,
}

/// The one network with a name. Two of a name cannot be told apart by those who join by name.
pub(super) fn only_one<'w>(world: &'w Observed, name: &'w str) -> Result<Option<&'w ObservedNetwork>, Vec<String>> {
    let found: Vec<&ObservedNetwork> = world.networks_named(name).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => Err(several.iter().map(|network| network.id.clone()).collect()),
    }
}

impl<'a> Up<'a> {
    pub fn networks(&mut self) {
        let in_scope = self.declared.services.values().filter(|service| self.scope.contains(&service.name));
        let used: BTreeSet<&String> = in_scope.flat_map(|s| &s.attachments).map(|a| &a.key).collect();
        let whole_stack = self.options.services.is_empty();
        for (key, network) in &self.declared.networks {
            if whole_stack || used.contains(key) {
                let place = self.network(key, network);
                self.places.insert(network.name.clone(), place);
            }
        }
    }

    fn network(&mut self, key: &str, network: &Network) -> Place {
        let name = &network.name;
        match only_one(self.world, name) {
            Err(_) if self.twins_are_ours(name) => self.without_twins(name),
            Err(ids) => {
                let message = format!("{} networks are called `{name}`", ids.len());
                let hint =
                    format!("look with `docker network inspect {}` and remove the one that nobody uses", ids.join(" "));
                self.draft.tell(Level::Refusal, "ambiguous-network", message, Some(&hint));
                Place::Nowhere
            }
            Ok(Some(found)) => {
                self.tell_about_network(network, found);
                Place::There(found.id.clone())
            }
            Ok(None) if network.external => self.missing_external_network(name),
            Ok(None) => {
                let action = Action::CreateNetwork { key: key.into(), name: name.clone() };
                Place::Made(self.draft.add(action, Impact::Live, "it does not exist", []))
            }
        }
    }

    /// Two networks of one name that this stack's own orders made: the first was killed while the engine was still at
    /// work on it.
    fn twins_are_ours(&self, name: &str) -> bool {
        let stack = Some(&self.declared.stack);
        let is_ours = |twin: &ObservedNetwork| twin.maker == Maker::Mainstay && twin.stack.as_ref() == stack;
        let in_use = self.world.networks_named(name).filter(|twin| self.uses(twin) > 0).count();
        in_use <= 1 && self.world.networks_named(name).all(is_ours)
    }

    fn uses(&self, network: &ObservedNetwork) -> usize {
        let endpoints = self.world.containers.iter().flat_map(|container| &container.endpoints);
        endpoints.filter(|endpoint| endpoint.network_id == network.id).count() + network.members.len()
    }

    /// Keeps the twin that is in use; the others are empty and go before anything joins by the name.
    fn without_twins(&mut self, name: &str) -> Place {
        let mut twins: Vec<&ObservedNetwork> = self.world.networks_named(name).collect();
        // The fullest last; of equals the one whose id sorts first, so that the choice is the same every time.
        twins.sort_by(|a, b| self.uses(a).cmp(&self.uses(b)).then_with(|| b.id.cmp(&a.id)));
        let Some((kept, others)) = twins.split_last() else { return Place::Nowhere };
        let mut last = None;
        for twin in others {
            let action = Action::RemoveNetwork { id: twin.id.clone(), name: name.into() };
            let why = "it is a second network of this name, left by an order that was cut off";
            last = Some(self.draft.add(action, Impact::Live, why, last));
        }
        last.map_or_else(|| Place::There(kept.id.clone()), |step| Place::Alone(kept.id.clone(), step))
    }

    fn missing_external_network(&mut self, name: &str) -> Place {
        // A required stack is brought up first; whoever shows this plan before that sees the network as promised.
        if !self.declared.requires.is_empty() {
            let stacks = super::listed(&self.declared.requires);
            let message = format!("the network `{name}` is not there yet; it is expected from the required {stacks}");
            self.draft.tell(Level::Note, "promised-network", message, None);
            return Place::Promised;
        }
        // `declared::warnings` refuses the plan for it, with the stack that would make it where one is known.
        Place::Nowhere
    }

    fn tell_about_network(&mut self, network: &Network, found: &ObservedNetwork) {
        let name = &network.name;
        if network.external {
            return;
        }
        if found.stack.as_ref() != Some(&self.declared.stack) {
            let message = format!("the network `{name}` was not made for this stack; it is used as it is");
            let hint = "`external: true` says so in the file";
            self.draft.tell(Level::Warning, "foreign-network", message, Some(hint));
        } else if found.maker == Maker::Mainstay && found.digest.as_ref().is_some_and(|was| *was != digest(network)) {
            let message = format!("the network `{name}` was made from another declaration; it is used as it is");
            let hint = format!("`mainstay down` and `mainstay up` of `{}` make it anew", self.declared.stack);
            self.draft.tell(Level::Warning, "network-differs", message, Some(&hint));
        }
    }
}
