//! Which keys and types a Compose project may have.
//!
//! The tables below this file say it noun by noun ([`service`], [`build`], [`deploy`], [`project`]) at the
//! level of Docker Compose 2.40. Their check goes beyond a yes or no: it names the key, what was found,
//! and what to write instead.

mod build;
mod deploy;
mod misplaced;
mod project;
mod remedy;
mod service;
mod shape;
mod walk;
mod words;

use self::shape::Fields;
use self::walk::Walk;
use super::diagnostic::Diagnostic;
use super::tree::Node;

/// Checks the structure of a merged project, in the short or the long form.
pub fn check(project: &Node) -> Vec<Diagnostic> {
    let Some(root) = project.as_map() else {
        let message = format!("a Compose file is a mapping with `services`, not {}", project.kind());
        return vec![Diagnostic::error("wrong-type", project.span, message).hint("start the file with `services:`")];
    };
    if let Some(complaint) = misplaced::services(root) {
        return vec![complaint];
    }
    let mut walk = Walk::new(misplaced::sections(root));
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

/// Every key of the specification, as the path of its mapping and its name; `*` stands for a name that the user
/// chooses and `[]` for the items of a list.
#[cfg(test)]
pub fn every_key() -> Vec<(String, &'static str)> {
    let mut keys = Vec::new();
    gather(&Fields::Record(project::PROJECT), "", &mut keys);
    keys
}

#[cfg(test)]
fn gather(fields: &Fields, at: &str, keys: &mut Vec<(String, &'static str)>) {
    let below = |shape: &shape::Shape, at: &str, keys: &mut Vec<(String, &'static str)>| {
        shape.map.into_iter().for_each(|fields| gather(fields, at, keys));
        let item = shape.list.map(|list| list.item);
        if let Some(fields) = item.and_then(|item| item.map) {
            gather(fields, &format!("{at}[]"), keys);
        }
    };
    match fields {
        Fields::Anything => {}
        Fields::Named { value, .. } => below(value, &format!("{at}.*"), keys),
        Fields::Record(record) => {
            for (key, shape) in record.fields {
                keys.push((at.to_owned(), *key));
                below(shape, &if at.is_empty() { (*key).to_owned() } else { format!("{at}.{key}") }, keys);
            }
        }
    }
}

#[cfg(test)]
mod tests;
