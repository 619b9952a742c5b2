//! Whole parts of a file that stand in the wrong column: one complaint each, instead of one for every key in them.

use super::super::diagnostic::Diagnostic;
use super::super::tree::{Map, Node};
use super::project;
use super::service::SERVICE;

/// Keys by which a mapping is known as a service.
const SERVICE_MARKS: &[&str] = &["image", "build", "command", "ports", "environment", "volumes", "links"];

/// Sections that people move too far to the right.
const SECTIONS: &[&str] = &["volumes", "networks", "secrets", "configs"];

pub(super) fn is_like_service(node: &Node) -> bool {
    SERVICE_MARKS.iter().any(|mark| node.get(mark).is_some())
}

/// A fault after which no other complaint about the services would make sense.
pub(super) fn services(root: &Map) -> Option<Diagnostic> {
    first_format(root).or_else(|| beside(root)).or_else(|| nameless(root))
}

/// Unknown keys at the top that look like services.
fn stray(root: &Map) -> Vec<&str> {
    let known = project::PROJECT;
    let is_stray = |name: &str| !name.starts_with("x-") && !known.fields.iter().any(|(key, _)| *key == name);
    root.iter().filter(|(name, entry)| is_stray(name) && is_like_service(&entry.node)).map(|(name, _)| name).collect()
}

/// The first file format had its services at the top level; every one of them would be an unknown key.
fn first_format(root: &Map) -> Option<Diagnostic> {
    if root.contains("services") || root.contains("include") {
        return None;
    }
    let name = *stray(root).first()?;
    let message = format!("the service `{name}` stands at the top level, as in the first Compose file format");
    Some(
        Diagnostic::error("first-format", root.0.get(name)?.key_span, message)
            .hint("put `services:` in the first line and indent all services below it"),
    )
}

/// `services:` with nothing below it, and the services in the same column.
fn beside(root: &Map) -> Option<Diagnostic> {
    root.get("services").filter(|services| services.is_null())?;
    let names = stray(root);
    let first = *names.first()?;
    let message = match names.len() {
        1 => format!("`{first}` stands beside `services`, and not below it"),
        _ => format!("{} stand beside `services`, and not below it", listed(&names)),
    };
    Some(
        Diagnostic::error("outside-services", root.0.get(first)?.key_span, message)
            .hint("indent every line of them by two spaces"),
    )
}

/// The keys of a service right below `services`, without the name of one.
fn nameless(root: &Map) -> Option<Diagnostic> {
    let services = root.get("services")?.as_map()?;
    let is_key = |name: &str| SERVICE.fields.iter().any(|(key, _)| *key == name);
    let found: Vec<&str> = services
        .iter()
        .filter(|(name, entry)| is_key(name) && entry.node.as_map().is_none() && !entry.node.is_null())
        .map(|(name, _)| name)
        .collect();
    let first = *found.first()?;
    let verb = if found.len() == 1 { "stands" } else { "stand" };
    let message = format!("{} {verb} right below `services`, where the name of a service is expected", listed(&found));
    Some(
        Diagnostic::error("outside-services", services.0.get(first)?.key_span, message)
            .hint("give the service a name in a line above, such as `web:`, and indent its keys below that"),
    )
}

/// `volumes:` and its like in the column of the services.
pub(super) fn sections(root: &Map) -> Vec<Diagnostic> {
    let Some(services) = root.get("services").and_then(Node::as_map) else { return Vec::new() };
    let is_section = |node: &Node| match node.as_map() {
        Some(map) => !map.iter().any(|(key, _)| SERVICE.fields.iter().any(|(known, _)| *known == key)),
        None => node.is_null(),
    };
    let found = SECTIONS.iter().filter_map(|name| services.0.get(*name).map(|entry| (name, entry)));
    found
        .filter(|(_, entry)| is_section(&entry.node))
        .map(|(name, entry)| {
            let message = format!("`{name}` stands below `services`, and so would be a service");
            Diagnostic::error("section-in-services", entry.key_span, message)
                .hint("put it and what belongs to it two columns to the left, beside `services`")
        })
        .collect()
}

fn listed(names: &[&str]) -> String {
    let ticked: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match ticked.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => ticked.concat(),
    }
}
