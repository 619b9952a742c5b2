//! The edge of the host, as far as a stack's plan has to know it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::edge::{Site, wanted};
use crate::identity::StackName;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedEdge {
    /// The name of its container, whether it is there or not.
    pub container: String,
    /// Whether it answered just now.
    pub answers: bool,
    /// Whether it shows what it was last told. One that was started from an older file, or spoken to by somebody else,
    /// does not.
    pub is_as_told: bool,
    /// What it was last told to serve, of every stack.
    pub sites: Vec<Site>,
    /// What it served of a stack until that stack was last committed: what visitors can be led back to.
    #[serde(default)]
    pub before: BTreeMap<StackName, Vec<Site>>,
    /// Stacks with a release behind the private door, which is asked before it is committed.
    #[serde(default)]
    pub previews: BTreeSet<StackName>,
}

impl ObservedEdge {
    /// Whether requests go to a container now.
    pub fn leads_to(&self, container_id: &str) -> bool {
        self.sites.iter().flat_map(Site::upstreams).any(|dial| wanted::leads_to(dial, container_id))
    }
}
