//! Networks and volumes as the engine shows them.

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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedVolume {
    pub name: String,
    pub maker: Maker,
    pub stack: Option<StackName>,
    pub key: Option<String>,
    pub driver: String,
    pub digest: Option<String>,
}
