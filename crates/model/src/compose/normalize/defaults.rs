//! What is unsaid and has a fixed meaning, and what excludes each other.

use std::net::IpAddr;

use crate::compose::diagnostic::Diagnostic;
use crate::compose::tree::{Map, Node, Value};

/// Adds the defaults that Compose gives to every file.
pub fn add_defaults(project: &mut Node) {
    each_service(project, |service| {
        if let Some(build) = service.get_mut("build") {
            let span = build.span;
            if let Some(build) = build.as_map_mut() {
                set_missing(build, "context", || Node::string(".", span));
            }
        }
        each_map(service.get_mut("secrets"), |secret| {
            let source = secret.get("source").and_then(Node::as_str).unwrap_or_default();
            let target = format!("/run/secrets/{source}");
            let span = secret.get("source").map_or(crate::compose::Span::NOWHERE, |source| source.span);
            set_missing(secret, "target", || Node::string(target, span));
        });
        each_map(service.get_mut("ports"), |port| {
            set_missing(port, "protocol", || made("tcp"));
            set_missing(port, "mode", || made("ingress"));
        });
        let all_devices = |request: &mut Map| {
            if !request.contains("device_ids") {
                set_missing(request, "count", || made("all"));
            }
        };
        each_map(service.get_mut("gpus"), all_devices);
        each_map(reserved_devices(service), all_devices);
    });
}

fn made(text: &str) -> Node {
    Node::string(text, crate::compose::Span::NOWHERE)
}

fn set_missing(map: &mut Map, key: &str, value: impl FnOnce() -> Node) {
    if !map.contains(key) {
        map.set(key, value());
    }
}

fn reserved_devices(service: &mut Map) -> Option<&mut Node> {
    let resources = service.get_mut("deploy")?.as_map_mut()?.get_mut("resources")?.as_map_mut()?;
    resources.get_mut("reservations")?.as_map_mut()?.get_mut("devices")
}

fn each_service(project: &mut Node, mut change: impl FnMut(&mut Map)) {
    let services = project.as_map_mut().and_then(|project| project.get_mut("services")).and_then(Node::as_map_mut);
    for entry in services.into_iter().flat_map(|services| services.0.values_mut()) {
        entry.node.as_map_mut().into_iter().for_each(&mut change);
    }
}

fn each_map(list: Option<&mut Node>, mut change: impl FnMut(&mut Map)) {
    if let Some(Value::List(items)) = list.map(|list| &mut list.value) {
        items.iter_mut().filter_map(Node::as_map_mut).for_each(&mut change);
    }
}

/// Refuses what contradicts itself inside one resource or one item.
pub fn check_exclusive(project: &Node, out: &mut Vec<Diagnostic>) {
    let section = |key: &str| project.get(key).and_then(Node::as_map).into_iter().flat_map(Map::iter);
    for (name, entry) in section("volumes") {
        check_external(&format!("volumes.{name}"), &entry.node, out);
    }
    for (name, entry) in section("configs") {
        check_source("configs", name, &entry.node, &["file", "environment", "content"], out);
    }
    for (name, entry) in section("secrets") {
        check_source("secrets", name, &entry.node, &["file", "environment"], out);
    }
    for (name, entry) in section("services") {
        check_service(name, &entry.node, out);
    }
}

fn check_external(path: &str, resource: &Node, out: &mut Vec<Diagnostic>) {
    if resource.get("external").and_then(Node::as_bool) != Some(true) {
        return;
    }
    for (key, entry) in resource.as_map().into_iter().flat_map(Map::iter) {
        if !matches!(key, "name" | "external") && !key.starts_with("x-") {
            out.push(
                Diagnostic::error(
                    "external-conflict",
                    entry.key_span,
                    format!("`{path}` is external, so its `{key}` cannot be set here"),
                )
                .hint("remove the key, or remove `external`"),
            );
        }
    }
}

fn check_source(section: &str, name: &str, resource: &Node, keys: &[&str], out: &mut Vec<Diagnostic>) {
    let Some(map) = resource.as_map() else {
        if resource.is_null() {
            out.push(no_source(section, name, resource, keys));
        }
        return;
    };
    let said: Vec<&&str> = keys.iter().filter(|key| map.contains(key)).collect();
    if said.len() > 1 {
        let message = format!("`{section}.{name}` takes its content from several places");
        out.push(
            Diagnostic::error("several-sources", resource.span, message)
                .hint(format!("keep one of: {}", keys.join(", "))),
        );
    }
    if said.is_empty() && !map.contains("driver") && !map.contains("external") {
        out.push(no_source(section, name, resource, keys));
    }
}

fn no_source(section: &str, name: &str, resource: &Node, keys: &[&str]) -> Diagnostic {
    Diagnostic::error("no-source", resource.span, format!("`{section}.{name}` does not say where its content is"))
        .hint(format!("add one of: {}, or `external: true`", keys.join(", ")))
}

fn check_service(name: &str, service: &Node, out: &mut Vec<Diagnostic>) {
    let items = |node: Option<&Node>| -> Vec<Node> { node.and_then(Node::as_list).unwrap_or_default().to_vec() };
    for port in items(service.get("ports")) {
        if let Some(ip) = port.get("host_ip")
            && ip.as_str().is_none_or(|ip| ip.parse::<IpAddr>().is_err())
        {
            let message = format!("`host_ip` of a port of `{name}` is not an IP address");
            out.push(Diagnostic::error("bad-address", ip.span, message).hint("write an IP address such as `10.0.0.2`"));
        }
    }
    check_targets(name, service, out);
    for trigger in items(service.get("develop").and_then(|develop| develop.get("watch"))) {
        if let Some(path) = trigger.get("path").filter(|path| path.as_str() == Some("")) {
            out.push(Diagnostic::error("blank-path", path.span, format!("`{name}` watches a path that is blank")));
        }
    }
    let reserved = ["deploy", "resources", "reservations", "devices"];
    let reserved = reserved.iter().try_fold(service, |node, key| node.get(key));
    for request in [items(reserved), items(service.get("gpus"))].concat() {
        if let (Some(count), Some(_)) = (request.get("count"), request.get("device_ids")) {
            out.push(
                Diagnostic::error("device-conflict", count.span, "`count` and `device_ids` exclude each other")
                    .hint("keep one of them"),
            );
        }
    }
}

/// A long form must say where in the container the thing is, and a bind where on the host.
fn check_targets(name: &str, service: &Node, out: &mut Vec<Diagnostic>) {
    for (key, what) in [("volumes", "mount"), ("devices", "device"), ("ports", "port")] {
        for item in service.get(key).and_then(Node::as_list).unwrap_or_default() {
            let Some(map) = item.as_map() else { continue };
            if !map.contains("target") {
                out.push(
                    Diagnostic::error("no-target", item.span, format!("a {what} of `{name}` has no `target`"))
                        .hint("`target` is its place in the container"),
                );
            }
            let is_bind = key == "volumes" && map.get("type").and_then(Node::as_str) == Some("bind");
            if is_bind && !map.contains("source") {
                out.push(
                    Diagnostic::error("no-source", item.span, format!("a bind mount of `{name}` has no `source`"))
                        .hint("`source` is its place on the host"),
                );
            }
        }
    }
}
