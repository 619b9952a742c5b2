//! The short forms of a merged project, expanded in place.

use super::{ports, volumes};
use crate::compose::diagnostic::Diagnostic;
use crate::compose::merge::started;
use crate::compose::scalar;
use crate::compose::tree::{Map, Node, Span, Value};

/// Brings every short form to its long one. `lenient` leaves alone what cannot be read, because a text with
/// variables in it (`config --no-interpolate`) is not what it will be.
pub fn expand(project: &mut Node, lenient: bool, out: &mut Vec<Diagnostic>) {
    let Some(project) = project.as_map_mut() else { return };
    if let Some(services) = project.get_mut("services").and_then(Node::as_map_mut) {
        let mut expansion = Expansion { lenient, ports_left: MOST_PORTS, out };
        for entry in services.0.values_mut() {
            if let Some(service) = entry.node.as_map_mut() {
                expansion.service(service);
            }
        }
    }
    for section in ["volumes", "networks", "secrets", "configs"] {
        if let Some(resources) = project.get_mut(section).and_then(Node::as_map_mut) {
            for (name, entry) in &mut resources.0 {
                if let Some(resource) = entry.node.as_map_mut() {
                    external(section, name, resource, out);
                }
            }
        }
    }
}

/// `external: {name: x}` of old files is `external: true` and `name: x`.
fn external(section: &str, key: &str, resource: &mut Map, out: &mut Vec<Diagnostic>) {
    let Some(external) = resource.get_mut("external") else { return };
    let span = external.span;
    let Some(Value::Map(old)) =
        external.as_map().is_some().then(|| std::mem::replace(&mut external.value, Value::Bool(true)))
    else {
        return;
    };
    let Some(name) = old.get("name").cloned() else { return };
    out.push(
        Diagnostic::warning("deprecated", span, format!("`{section}.{key}.external.name` is an old form"))
            .hint("write `name` and `external: true`"),
    );
    match resource.get("name") {
        Some(known) if known.value != name.value => out.push(
            Diagnostic::error("name-conflict", span, format!("`{section}.{key}` has two names"))
                .hint("keep `name` and write `external: true`"),
        ),
        Some(_) => {}
        None => resource.set("name", name),
    }
}

/// A range is a port for each number in it: a page of ranges would be more than any machine has.
const MOST_PORTS: usize = 70_000;

struct Expansion<'a> {
    lenient: bool,
    ports_left: usize,
    out: &'a mut Vec<Diagnostic>,
}

impl Expansion<'_> {
    fn service(&mut self, service: &mut Map) {
        for (key, entry) in &mut service.0 {
            let node = &mut entry.node;
            match key.as_str() {
                "build" => self.build(node),
                "depends_on" => depends_on(node),
                "env_file" => env_files(node),
                "label_file" => one_as_list(node),
                "dns" => {
                    one_as_list(node);
                    drop_empty(node);
                }
                "extends" => string_as_map(node, "service"),
                "gpus" => gpus(node),
                "networks" | "models" => names_as_map(node),
                // A mount is cut around its variables, so it can be read before they are replaced.
                "volumes" => {
                    self.each_drive(node);
                    self.each(node, "mount", volumes::parse, false);
                }
                "devices" => self.each(node, "device", device, self.lenient),
                "secrets" | "configs" => each_item(node, |item| string_as_map(item, "source")),
                "ports" => self.ports(node),
                "develop" => develop(node),
                _ => {}
            }
        }
    }

    fn build(&mut self, node: &mut Node) {
        string_as_map(node, "context");
        let Some(build) = node.as_map_mut() else { return };
        for (key, entry) in &mut build.0 {
            match key.as_str() {
                "secrets" => each_item(&mut entry.node, |item| string_as_map(item, "source")),
                "provenance" | "sbom" => {
                    if let Some(text) = scalar::text(&entry.node) {
                        entry.node.value = Value::String(text);
                    }
                }
                "additional_contexts" => self.key_values(&mut entry.node, "additional_contexts"),
                "ssh" => self.ssh(&mut entry.node),
                _ => {}
            }
        }
    }

    /// Reads each item that is a string.
    fn each(&mut self, node: &mut Node, what: &str, parse: fn(&str, Span) -> Result<Node, String>, lenient: bool) {
        let Value::List(items) = &mut node.value else { return };
        for item in items {
            let Value::String(text) = &item.value else { continue };
            match parse(text, item.span) {
                Ok(long) => *item = long,
                Err(_) if lenient => {}
                Err(problem) => self.refuse(item.span, what, text, &problem),
            }
        }
    }

    /// `v:/data` is a drive of Windows to the reference, and so no volume `v`.
    fn each_drive(&mut self, node: &Node) {
        for item in node.as_list().unwrap_or_default() {
            let Some(text) = item.as_str() else { continue };
            let mut letters = text.chars();
            let is_drive = letters.next().is_some_and(char::is_alphabetic) && letters.next() == Some(':');
            if is_drive && letters.next() == Some('/') && !letters.as_str().contains(':') {
                let message = format!(
                    "`{text}` is read as a path of Windows, not as the volume `{}`",
                    text.split(':').next().unwrap_or_default()
                );
                self.out.push(
                    Diagnostic::warning("one-letter-volume", item.span, message)
                        .hint("give the volume a longer name, or use the long form"),
                );
            }
        }
    }

    fn refuse(&mut self, span: Span, what: &str, text: &str, problem: &str) {
        let joint = if problem.starts_with(['`', 't']) { ":" } else { "" };
        let complaint =
            Diagnostic::with_advice("bad-short-form", span, &format!("the {what} `{text}`{joint} {problem}"));
        self.out.push(match complaint.hint {
            Some(_) => complaint,
            None => complaint.hint("the long form, a mapping, says each part by name"),
        });
    }

    fn ports(&mut self, node: &mut Node) {
        let Value::List(items) = &mut node.value else { return };
        let mut long = Vec::with_capacity(items.len());
        for item in items.iter() {
            let text = match &item.value {
                Value::String(_) | Value::Int(_) | Value::Float(_) => scalar::text(item).unwrap_or_default(),
                _ => {
                    long.push(item.clone());
                    continue;
                }
            };
            match ports::parse(&text, item.span, self.ports_left) {
                Ok(ports) => {
                    self.ports_left -= ports.len();
                    long.extend(ports);
                }
                // One port that cannot be read yet leaves the whole list as it was written; a number has no variable.
                Err(_) if self.lenient && item.as_str().is_some() => return,
                Err(problem) => self.refuse(item.span, "port", &text, &problem),
            }
        }
        *items = long;
    }

    fn key_values(&mut self, node: &mut Node, what: &str) {
        let Value::List(items) = &node.value else { return };
        let mut map = Map::default();
        for item in items {
            let Some(line) = item.as_str() else { continue };
            match line.split_once('=') {
                Some((key, value)) => map.set(key, Node::string(value, item.span)),
                None if self.lenient => return,
                None => self.refuse(item.span, what, line, "has no `=`"),
            }
        }
        node.value = Value::Map(map);
    }

    fn ssh(&mut self, node: &mut Node) {
        let Value::List(items) = &node.value else { return };
        let mut map = Map::default();
        for item in items {
            let Some(line) = item.as_str() else { continue };
            match line.split_once('=') {
                Some((id, path)) => map.set(id, Node::string(path, item.span)),
                None if line == "default" => map.set(line, Node::new(Value::Null, item.span)),
                None => self.out.push(
                    Diagnostic::error("bad-short-form", item.span, format!("the ssh key `{line}` has no path"))
                        .hint("write `id=path`, or `default` for the agent"),
                ),
            }
        }
        node.value = Value::Map(map);
    }
}

fn depends_on(node: &mut Node) {
    match &mut node.value {
        Value::Map(map) => {
            for entry in map.0.values_mut() {
                let span = entry.node.span;
                let Some(dependency) = entry.node.as_map_mut() else { continue };
                if !dependency.contains("condition") {
                    dependency.set("condition", Node::string("service_started", span));
                }
                if !dependency.contains("required") {
                    dependency.set("required", Node::new(Value::Bool(true), span));
                }
            }
        }
        Value::List(items) => {
            let mut map = Map::default();
            for item in items.iter() {
                if let Some(name) = item.as_str() {
                    map.set(name, started(item.span));
                }
            }
            node.value = Value::Map(map);
        }
        _ => {}
    }
}

fn env_files(node: &mut Node) {
    one_as_list(node);
    each_item(node, |item| {
        string_as_map(item, "path");
        let span = item.span;
        if let Some(file) = item.as_map_mut()
            && !file.contains("required")
        {
            file.set("required", Node::new(Value::Bool(true), span));
        }
    });
}

fn gpus(node: &mut Node) {
    if node.as_str().is_none() {
        return;
    }
    let mut request = Map::default();
    request.set("count", Node::string("all", node.span));
    node.value = Value::List(vec![Node::new(Value::Map(request), node.span)]);
}

fn device(text: &str, span: Span) -> Result<Node, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, permissions) = match parts[..] {
        [source] => (source, source, "rwm"),
        [source, target] => (source, target, "rwm"),
        [source, target, permissions] => (source, target, permissions),
        _ => return Err("has too many colons".to_owned()),
    };
    let mut map = Map::default();
    map.set("source", Node::string(source, span));
    map.set("target", Node::string(if target.is_empty() { source } else { target }, span));
    map.set("permissions", Node::string(permissions, span));
    Ok(Node::new(Value::Map(map), span))
}

fn develop(node: &mut Node) {
    let Some(watch) = node.as_map_mut().and_then(|develop| develop.get_mut("watch")) else { return };
    each_item(watch, |trigger| {
        if let Some(trigger) = trigger.as_map_mut() {
            for key in ["ignore", "include"] {
                trigger.get_mut(key).into_iter().for_each(one_as_list);
            }
        }
    });
}

fn each_item(node: &mut Node, change: impl Fn(&mut Node)) {
    if let Value::List(items) = &mut node.value {
        items.iter_mut().for_each(change);
    }
}

fn one_as_list(node: &mut Node) {
    if node.as_str().is_some() {
        let one = node.clone();
        node.value = Value::List(vec![one]);
    }
}

fn drop_empty(node: &mut Node) {
    if let Value::List(items) = &mut node.value {
        items.retain(|item| !item.is_null() && item.as_str() != Some(""));
    }
}

fn string_as_map(node: &mut Node, key: &str) {
    if node.as_str().is_some() {
        let mut map = Map::default();
        map.set(key, node.clone());
        node.value = Value::Map(map);
    }
}

fn names_as_map(node: &mut Node) {
    let Value::List(items) = &node.value else { return };
    let mut map = Map::default();
    for item in items {
        if let Some(name) = item.as_str() {
            map.set(name, Node::new(Value::Null, item.span));
        }
    }
    node.value = Value::Map(map);
}
