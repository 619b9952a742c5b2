//! What Compose implies: the default network, dependencies that other keys ask for, names of resources.

use std::collections::BTreeMap;

use super::volumes::clean_target;
use crate::compose::scalar;
use crate::compose::tree::{Map, Node, Span, Value};

/// Completes a project in its long form. `name` is the project's.
pub fn complete(project: &mut Node, name: &str, environment: &BTreeMap<String, String>) {
    let Some(project) = project.as_map_mut() else { return };
    project.set("name", made(name));
    let mut uses_default = false;
    if let Some(services) = project.get_mut("services").and_then(Node::as_map_mut) {
        for service in services.0.values_mut().filter_map(|entry| entry.node.as_map_mut()) {
            uses_default |= join_default_network(service);
            complete_service(service, environment);
        }
    }
    if uses_default {
        add_default_network(project);
    }
    for section in ["networks", "volumes", "configs", "secrets"] {
        if let Some(resources) = project.get_mut(section).and_then(Node::as_map_mut) {
            for (key, entry) in &mut resources.0 {
                name_resource(&mut entry.node, key, name);
            }
        }
    }
}

fn made(text: &str) -> Node {
    Node::string(text, Span::NOWHERE)
}

fn nothing() -> Node {
    Node::new(Value::Null, Span::NOWHERE)
}

/// A service that names no network is on `default`. Says whether this service uses it.
fn join_default_network(service: &mut Map) -> bool {
    if service.contains("provider") || service.contains("network_mode") {
        return false;
    }
    match service.get("networks").map(|networks| &networks.value) {
        Some(Value::Map(networks)) if !networks.is_empty() => networks.contains("default"),
        _ => {
            let mut networks = Map::default();
            networks.set("default", nothing());
            service.set("networks", Node::new(Value::Map(networks), Span::NOWHERE));
            true
        }
    }
}

fn add_default_network(project: &mut Map) {
    if project.get("networks").is_none_or(Node::is_null) {
        project.set("networks", Node::new(Value::Map(Map::default()), Span::NOWHERE));
    }
    if let Some(networks) = project.get_mut("networks").and_then(Node::as_map_mut)
        && !networks.contains("default")
    {
        networks.set("default", nothing());
    }
}

fn complete_service(service: &mut Map, environment: &BTreeMap<String, String>) {
    if let Some(policy) = service.get_mut("pull_policy")
        && policy.as_str() == Some("if_not_present")
    {
        policy.value = Value::String("missing".to_owned());
    }
    if let Some(build) = service.get_mut("build").and_then(Node::as_map_mut) {
        if build.get("context").is_none_or(Node::is_null) {
            build.set("context", made("."));
        }
        let says = |key| build.get(key).is_some_and(|node: &Node| !node.is_null());
        if !says("dockerfile") && !says("dockerfile_inline") {
            build.set("dockerfile", made("Dockerfile"));
        }
        if let Some(arguments) = build.get_mut("args") {
            fill(arguments, environment, false);
        }
    }
    if let Some(variables) = service.get_mut("environment") {
        fill(variables, environment, true);
    }
    if let Some(Value::List(mounts)) = service.get_mut("volumes").map(|node| &mut node.value) {
        for target in mounts.iter_mut().filter_map(|mount| mount.as_map_mut()?.get_mut("target")) {
            if let Value::String(target) = &mut target.value {
                *target = if target.is_empty() { ".".to_owned() } else { clean_target(target) };
            }
        }
    }
    imply_dependencies(service);
}

/// Gives names without a value the caller's value; what the caller does not have stays when `keep` says so.
fn fill(variables: &mut Node, environment: &BTreeMap<String, String>, keep: bool) {
    match &mut variables.value {
        Value::List(lines) => lines.retain_mut(|line| {
            let Value::String(text) = &mut line.value else { return false };
            if text.contains('=') {
                return true;
            }
            match environment.get(text.as_str()) {
                Some(value) => {
                    *text = format!("{text}={value}");
                    true
                }
                None => keep,
            }
        }),
        Value::Map(map) => map.0.retain(|name, entry| {
            if !entry.node.is_null() {
                return true;
            }
            match environment.get(name) {
                Some(value) => {
                    entry.node.value = Value::String(value.clone());
                    true
                }
                None => keep,
            }
        }),
        _ => {}
    }
}

/// Sharing something with another service means starting after it.
fn imply_dependencies(service: &mut Map) {
    let mut implied: Vec<(String, bool, Span)> = Vec::new();
    let lines = |key: &str| service.get(key).and_then(Node::as_list).unwrap_or_default();
    for link in lines("links") {
        if let Some(text) = link.as_str() {
            let name = match text.split(':').collect::<Vec<_>>()[..] {
                [name, _] => name,
                _ => text,
            };
            implied.push((name.to_owned(), true, link.span));
        }
    }
    for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        if let Some(node) = service.get(key)
            && let Some(name) = node.as_str().and_then(|text| text.strip_prefix("service:"))
        {
            implied.push((name.to_owned(), true, node.span));
        }
    }
    for from in lines("volumes_from") {
        if let Some(text) = from.as_str().filter(|text| !text.starts_with("container:")) {
            let name = text.split(':').next().unwrap_or(text);
            implied.push((name.to_owned(), false, from.span));
        }
    }
    if implied.is_empty() {
        return;
    }
    if service.get("depends_on").is_none_or(|node| node.as_map().is_none()) {
        service.set("depends_on", Node::new(Value::Map(Map::default()), Span::NOWHERE));
    }
    let Some(dependencies) = service.get_mut("depends_on").and_then(Node::as_map_mut) else { return };
    for (name, restart, span) in implied {
        if !dependencies.contains(&name) {
            dependencies.set(name, implied_dependency(restart, span));
        }
    }
}

fn implied_dependency(restart: bool, span: Span) -> Node {
    let mut map = Map::default();
    map.set("condition", Node::string("service_started", span));
    map.set("restart", Node::new(Value::Bool(restart), span));
    map.set("required", Node::new(Value::Bool(true), span));
    Node::new(Value::Map(map), span)
}

fn name_resource(resource: &mut Node, key: &str, project: &str) {
    if resource.is_null() {
        resource.value = Value::Map(Map::default());
    }
    let Some(map) = resource.as_map_mut() else { return };
    if map.get("name").is_some_and(|name| !name.is_null()) {
        return;
    }
    let external = map.get("external").and_then(scalar::text).and_then(|text| scalar::truth(&text)) == Some(true);
    map.set("name", if external { made(key) } else { made(&format!("{project}_{key}")) });
}
