//! Which complaints only follow from others: who mends the first will not see the second.
//!
//! Form is judged before references, and references before values. A later stage looks at a tree in which the
//! earlier faults still stand, and would complain about the same thing in other words.

use std::collections::BTreeSet;

use super::diagnostic::{Diagnostic, Severity};
use super::tree::{Entry, Map, Node, Span, Value};

/// What is known to be wrong, for judging the complaints of a later stage.
pub struct Known {
    /// Where errors stand; of a value that is wrong, its key's place too.
    places: BTreeSet<Span>,
    /// Keys of services that lack an image only because of another error.
    without_image: BTreeSet<Span>,
    has_errors: bool,
    /// The services stand in the wrong column altogether.
    no_services: bool,
    /// A section of the project stands among the services: what it declares cannot be found.
    no_sections: bool,
}

impl Known {
    /// From the complaints so far and the tree that they are about.
    pub fn of(complaints: &[Diagnostic], project: &Node) -> Self {
        let errors: Vec<&Diagnostic> = complaints.iter().filter(|one| one.severity == Severity::Error).collect();
        let mut places: BTreeSet<Span> =
            errors.iter().map(|error| error.span).filter(|span| span.is_written()).collect();
        let values = errors.iter().filter(|error| error.code != "unknown-key").map(|error| error.span).collect();
        let mut keys = BTreeSet::new();
        gather_keys(project, &values, &mut keys);
        places.extend(keys);
        let has = |codes: &[&str]| errors.iter().any(|error| codes.contains(&error.code));
        Known {
            places,
            without_image: without_image(&errors, project),
            has_errors: !errors.is_empty(),
            no_services: has(&["first-format", "outside-services"]),
            no_sections: has(&["section-in-services"]),
        }
    }

    /// Whether a complaint of a later stage says nothing new.
    pub fn covers(&self, complaint: &Diagnostic) -> bool {
        self.no_services
            || (self.has_errors && !complaint.span.is_written() && complaint.code.starts_with("undefined-"))
            || (self.no_sections && complaint.code.starts_with("undefined-"))
            || self.places.contains(&complaint.span)
            || (complaint.code == "no-image" && self.without_image.contains(&complaint.span))
    }
}

/// The keys whose values stand at one of the places.
fn gather_keys(node: &Node, values: &BTreeSet<Span>, keys: &mut BTreeSet<Span>) {
    match &node.value {
        Value::Map(map) => {
            for (_, entry) in map.iter() {
                let items = entry.node.as_list().unwrap_or_default();
                let has_wrong_item = items.iter().any(|item| item.span.is_written() && values.contains(&item.span));
                if entry.node.span.is_written() && values.contains(&entry.node.span) || has_wrong_item {
                    keys.insert(entry.key_span);
                }
                if values.contains(&entry.key_span) {
                    keys.insert(entry.node.span);
                }
                gather_keys(&entry.node, values, keys);
            }
        }
        Value::List(items) => {
            for item in items {
                let below = |entry: &Entry| values.contains(&entry.node.span) || values.contains(&entry.key_span);
                if item.as_map().is_some_and(|map| map.0.values().any(below)) {
                    keys.insert(item.span);
                }
                gather_keys(item, values, keys);
            }
        }
        _ => {}
    }
}

/// Services whose image was misspelt, is of the wrong kind, or would have come from a base that is not there.
fn without_image(errors: &[&Diagnostic], project: &Node) -> BTreeSet<Span> {
    let services = project.get("services").and_then(Node::as_map);
    let starts: BTreeSet<Span> = services.into_iter().flat_map(Map::iter).map(|(_, entry)| entry.key_span).collect();
    let hides_image = |error: &&&Diagnostic| {
        let hint = error.hint.as_deref().unwrap_or_default();
        let meant = hint.contains("`image`") || hint.contains("`build`");
        meant || error.code.starts_with("extends-") || matches!(error.code, "file" | "remote-file" | "wrong-type")
    };
    // The service in which an error stands is the one that starts last before it.
    let service_of = |error: &&Diagnostic| starts.range(..=error.span).next_back().copied();
    let found = errors.iter().filter(hides_image).filter_map(service_of);
    found.collect()
}
