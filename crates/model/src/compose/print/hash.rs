//! The hash by which Docker Compose knows whether a container still fits its service.

use sha2::{Digest, Sha256};

use super::{escaped, json};
use crate::compose::tree::Node;

/// What may change without a new container.
const LEFT_OUT: [&str; 5] = ["build", "pull_policy", "scale", "depends_on", "profiles"];

/// The digest of a settled service's JSON, written as Go writes it.
pub fn of(service: &Node) -> String {
    let mut service = service.clone();
    if let Some(map) = service.as_map_mut() {
        map.0.retain(|key, _| !LEFT_OUT.contains(&key.as_str()));
        if let Some(deploy) = map.get_mut("deploy").and_then(Node::as_map_mut) {
            deploy.remove("replicas");
        }
    }
    let text = escaped(&json::service(&service).to_string());
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
