//! A settled project as `docker compose config` prints it.

mod hash;
mod json;
mod natural;
mod plain;
mod yaml;

use std::collections::BTreeMap;

use super::load::Loaded;
use super::tree::{Map, Node};

/// As `config --format json`, field by field. What no active service uses is left out, as the reference does.
pub fn to_json(loaded: &Loaded) -> serde_json::Value {
    json::print(&printed(loaded), json::Form { dialect: json::Dialect::Json, settled: loaded.is_settled() })
}

/// As `config --format yaml`: the same project, with the `x-` keys of every level.
pub fn to_yaml(loaded: &Loaded) -> String {
    let form = json::Form { dialect: json::Dialect::Yaml, settled: loaded.is_settled() };
    yaml::emit(&json::print(&printed(loaded), form))
}

/// JSON text as the reference writes it: the letters escaped that could end a script in a page.
pub fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            _ => out.push(letter),
        }
    }
    out
}

/// Each active service's hash: what `config --hash` prints, and what Compose writes into the label of its containers.
pub fn hashes(loaded: &Loaded) -> BTreeMap<String, String> {
    let services = loaded.project.get("services").and_then(Node::as_map);
    services.into_iter().flat_map(Map::iter).map(|(name, entry)| (name.to_owned(), hash::of(&entry.node))).collect()
}

/// The project without what no service uses. Without settling (`--no-interpolate`) it stays whole.
fn printed(loaded: &Loaded) -> Node {
    let mut project = loaded.project.clone();
    if loaded.is_settled()
        && let Some(map) = project.as_map_mut()
    {
        for section in ["networks", "volumes", "secrets", "configs", "models"] {
            let used = loaded.used(section);
            if let Some(resources) = map.get_mut(section).and_then(Node::as_map_mut) {
                retain(resources, |key| used.contains(key));
            }
        }
    }
    project
}

fn retain(map: &mut Map, keep: impl Fn(&str) -> bool) {
    map.0.retain(|key, _| keep(key));
}
