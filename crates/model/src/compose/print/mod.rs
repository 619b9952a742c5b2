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

/// Each active service's hash as Compose writes it into the label of its containers.
pub fn service_hashes(loaded: &Loaded) -> BTreeMap<String, String> {
    let project = to_json(loaded);
    let services = project["services"].as_object().into_iter().flatten();
    services.map(|(name, service)| (name.clone(), hash::of_service(service))).collect()
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
