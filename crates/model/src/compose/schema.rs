//! Which keys and types a Compose project may have.
//!
//! The tables below this file say it noun by noun ([`service`], [`build`], [`deploy`], [`project`]) at the
//! level of Docker Compose 2.40. Their check goes beyond a yes or no: it names the key, what was found,
//! and what to write instead.

mod build;
mod deploy;
mod project;
mod service;
mod shape;
mod walk;
mod words;

use self::shape::Fields;
use self::walk::Walk;
use super::diagnostic::Diagnostic;
use super::tree::{Map, Node};

/// Keys by which a top-level mapping is known as a service of the first file format.
const SERVICE_MARKS: &[&str] = &["image", "build", "command", "ports", "environment", "volumes", "links"];

/// Checks the structure of a merged project, in the short or the long form.
pub fn check(project: &Node) -> Vec<Diagnostic> {
    let Some(root) = project.as_map() else {
        let message = format!("a Compose file is a mapping with `services`, not {}", project.kind());
        return vec![Diagnostic::error("wrong-type", project.span, message).hint("start the file with `services:`")];
    };
    if let Some(complaint) = first_format(root) {
        return vec![complaint];
    }
    let mut walk = Walk::new();
    walk.fields(&Fields::Record(project::PROJECT), root, project.span);
    if let Some(version) = root.0.get("version") {
        let message = "`version` is obsolete and does nothing";
        walk.out.push(Diagnostic::warning("obsolete-version", version.key_span, message).hint("remove the line"));
    }
    walk.out
}

/// The candidate that a mistyped word most likely meant.
pub fn suggest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    words::nearest(word, candidates)
}

/// The first file format had its services at the top level; every one of them would be an unknown key.
fn first_format(root: &Map) -> Option<Diagnostic> {
    if root.contains("services") || root.contains("include") {
        return None;
    }
    let known = project::PROJECT;
    let is_service = |name: &str, node: &Node| {
        !name.starts_with("x-")
            && !known.fields.iter().any(|(key, _)| *key == name)
            && SERVICE_MARKS.iter().any(|mark| node.get(mark).is_some())
    };
    let (name, entry) = root.iter().find(|(name, entry)| is_service(name, &entry.node))?;
    let message = format!("the service `{name}` stands at the top level, as in the first Compose file format");
    Some(
        Diagnostic::error("first-format", entry.key_span, message)
            .hint("put `services:` in the first line and indent all services below it"),
    )
}

#[cfg(test)]
mod tests;
