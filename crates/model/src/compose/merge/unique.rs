//! Lists whose items have a name: the later item of a name takes the place of the earlier one.

use std::collections::BTreeMap;

use crate::compose::keypath::{KeyPath, Room};
use crate::compose::normalize::volume_target;
use crate::compose::scalar;
use crate::compose::tree::{Node, Value};

type Name = fn(&Node) -> Option<String>;

/// Settles every named list of a project. Works on the short and the long forms, and is run before and
/// after they are brought to the long one: a range of ports can hide a repetition.
pub fn settle_lists(project: &mut Node) {
    walk(project, KeyPath::ROOT);
}

fn walk(node: &mut Node, path: KeyPath<'_>) {
    match &mut node.value {
        Value::Map(map) => {
            for (key, entry) in &mut map.0 {
                walk(&mut entry.node, path.child(key));
            }
        }
        Value::List(items) if items.len() > 1 => {
            let mut room = Room::default();
            if let Some(name) = name_at(path.parts(&mut room)) {
                let before = std::mem::take(items);
                *items = settle(before, name);
            }
        }
        _ => {}
    }
}

fn settle(before: Vec<Node>, name: Name) -> Vec<Node> {
    let mut after: Vec<Node> = Vec::with_capacity(before.len());
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for item in before {
        // An item without a name is malformed: the schema says so at its place.
        let Some(name) = name(&item) else {
            after.push(item);
            continue;
        };
        match places.get(&name) {
            Some(&place) => after[place] = item,
            None => {
                places.insert(name, after.len());
                after.push(item);
            }
        }
    }
    after
}

/// Whether the items of the list at a place have names.
pub fn is_named_list(path: &[&str]) -> bool {
    name_at(path).is_some()
}

fn name_at(path: &[&str]) -> Option<Name> {
    let name: Name = match path {
        ["services", _, key] => match *key {
            "annotations" | "cap_add" | "cap_drop" | "dns" | "dns_opt" | "dns_search" | "environment" | "labels"
            | "links" | "profiles" | "sysctls" | "tmpfs" => key_of_line,
            "devices" => device_target,
            "volumes" => volume_name,
            "configs" => |node| mount_target(node, ""),
            "secrets" => |node| mount_target(node, "/run/secrets"),
            "env_file" => env_file_path,
            "expose" => scalar::text,
            "ports" => port_name,
            _ => return None,
        },
        ["services", _, "build", "args" | "additional_contexts" | "tags" | "labels"]
        | ["services", _, "deploy", "labels"]
        | ["services", _, "networks", _, "aliases" | "link_local_ips"]
        | ["networks", _, "labels"]
        | ["networks", _, "ipam", "options"] => key_of_line,
        _ => return None,
    };
    Some(name)
}

fn key_of_line(node: &Node) -> Option<String> {
    let line = node.as_str()?;
    Some(line.split_once('=').map_or(line, |(key, _)| key).to_owned())
}

fn volume_name(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(short) => volume_target(short),
        _ => node.get("target")?.as_str().map(str::to_owned),
    }
}

fn device_target(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(short) => short.split(':').nth(1).or(Some(short)).map(str::to_owned),
        _ => node.get("target")?.as_str().map(str::to_owned),
    }
}

fn mount_target(node: &Node, folder: &str) -> Option<String> {
    let source = match &node.value {
        Value::String(source) => source,
        _ => match node.get("target") {
            Some(target) => return target.as_str().map(str::to_owned),
            None => node.get("source")?.as_str()?,
        },
    };
    Some(format!("{folder}/{source}"))
}

fn env_file_path(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(path) => Some(path.clone()),
        _ => node.get("path")?.as_str().map(str::to_owned),
    }
}

/// A number and the same number in quotes are two names to the reference.
fn as_written(node: &Node) -> Option<String> {
    let text = scalar::text(node)?;
    Some(if node.as_str().is_some() { text } else { format!("({text})") })
}

fn port_name(node: &Node) -> Option<String> {
    if node.as_map().is_none() {
        return scalar::text(node);
    }
    let part = |key: &str, unsaid: &str| node.get(key).and_then(as_written).unwrap_or_else(|| unsaid.to_owned());
    let target = node.get("target").and_then(as_written)?;
    Some(format!("{}:{}:{target}/{}", part("host_ip", "0.0.0.0"), part("published", ""), part("protocol", "tcp")))
}
