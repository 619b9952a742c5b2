//! Networks and volumes as the engine shows them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::container::Maker;
use crate::identity::StackName;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedNetwork {
    pub id: String,
    pub name: String,
    pub maker: Maker,
    /// From Compose's labels.
    pub stack: Option<StackName>,
    /// Compose's key label.
    pub key: Option<String>,
    pub driver: String,
    pub internal: bool,
    /// The digest of the declaration that Mainstay made it from.
    pub digest: Option<String>,
    /// Every running container on it, of this stack or not.
    pub members: Vec<Member>,
}

/// A container on a network, and what it answers to there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub container_id: String,
    pub container_name: String,
    pub stack: Option<StackName>,
    pub service: Option<String>,
    /// Sorted; without short ids. Names that the engine resolves besides the container's own name.
    pub aliases: Vec<String>,
}

/// A container of another stack, or of none, that has a name which the scope asks for. Running or not: a stack that is
/// down now is up later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Neighbour {
    pub container_name: String,
    pub stack: Option<StackName>,
    pub service: Option<String>,
    /// Networks that resolve names, each with what it answers to there besides its own name, as far as labels tell.
    pub places: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedVolume {
    pub name: String,
    pub maker: Maker,
    pub stack: Option<StackName>,
    pub key: Option<String>,
    pub driver: String,
    pub digest: Option<String>,
}
