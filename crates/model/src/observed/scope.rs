//! What one look has to bring: a stack, and the things outside of it that the stack names.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::bucket::BucketPlace;
use super::database::LedgerPlace;
use crate::declared::{Declared, NetworkMode, warnings};
use crate::identity::{StackName, container_name};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    pub stack: StackName,
    /// Container names that the stack wants, whoever has them now.
    pub container_names: BTreeSet<String>,
    /// Network names that the stack uses, its own and external ones.
    pub networks: BTreeSet<String>,
    pub volumes: BTreeSet<String>,
    /// Image references whose local id is needed.
    pub images: BTreeSet<String>,
    /// Look at the members of the networks too (for warnings about names); costs one inspect a foreign member.
    pub members: bool,
    /// Hosts that the stack names and does not have: whoever else has them is a neighbour. In lower case.
    #[serde(default)]
    pub hosts: BTreeSet<String>,
    /// Look at the edge too, and at its container.
    #[serde(default)]
    pub edge: bool,
    /// Databases whose ledger is asked for, by name. Holds passwords, as a declaration does.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub databases: BTreeMap<String, LedgerPlace>,
    /// Buckets that are asked for, by name. Holds keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub buckets: BTreeMap<String, BucketPlace>,
}

impl Scope {
    /// Everything that carries the stack's label, and nothing more.
    pub fn of_stack(stack: StackName) -> Self {
        Scope {
            stack,
            container_names: BTreeSet::new(),
            networks: BTreeSet::new(),
            volumes: BTreeSet::new(),
            images: BTreeSet::new(),
            members: false,
            hosts: BTreeSet::new(),
            edge: false,
            databases: BTreeMap::new(),
            buckets: BTreeMap::new(),
        }
    }

    /// The same, and what answers from inside: the ledgers of the databases that have migrations, and which buckets are
    /// there. For plans that may apply or make some.
    #[must_use]
    pub fn with_insides(mut self, declared: &Declared) -> Self {
        let places = declared.databases.iter().filter_map(|(name, one)| Some((name.clone(), LedgerPlace::of(one)?)));
        self.databases.extend(places);
        let places = declared.buckets.iter().map(|(name, one)| (name.clone(), BucketPlace::of(one)));
        self.buckets.extend(places);
        self
    }

    /// What a plan for the whole declaration needs to see of the engine.
    pub fn of(declared: &Declared) -> Self {
        let mut scope = Scope::of_stack(declared.stack.clone());
        for service in declared.services.values() {
            match &service.container_name {
                Some(name) => {
                    scope.container_names.insert(name.clone());
                }
                None => {
                    let names = (1..=service.replicas).map(|n| container_name(&declared.stack, &service.name, n));
                    scope.container_names.extend(names);
                }
            }
            if let NetworkMode::Container(name) = &service.network_mode {
                scope.container_names.insert(name.clone());
            }
            scope.images.insert(service.image.clone());
        }
        scope.networks.extend(declared.networks.values().map(|network| network.name.clone()));
        scope.volumes.extend(declared.volumes.values().map(|volume| volume.name.clone()));
        scope.edge = declared.services.values().any(|service| !service.routes.is_empty());
        scope.hosts = warnings::sought(declared);
        scope.members = declared.networks.values().any(|network| network.external);
        scope
    }
}
