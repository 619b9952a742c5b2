//! The hash by which Docker Compose knows whether a container still fits its service.

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::json;
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
    let text = go_text(&json::service(&service));
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Without spaces, and with the letters escaped that could end a script in a page.
fn go_text(json: &Json) -> String {
    let text = json.to_string();
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    out
}
