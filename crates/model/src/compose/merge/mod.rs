//! How one file is laid over another: the rule depends on where in the project the two values meet.
//!
//! Mappings merge key by key and lists append, except where Compose says otherwise ([`Rule`]). What `!reset`
//! and `!override` take away goes first ([`reset`]); what a list says twice is settled after ([`unique`]).

mod reset;
mod rules;
mod unique;

pub use reset::Resets;
pub use unique::{is_named_list, settle_lists};

use rules::Rule;

use super::diagnostic::Diagnostic;
use super::keypath::{KeyPath, Room};
use super::scalar;
use super::tree::{Entry, Map, Node, Span, Value};

/// Lays a whole project over another.
pub fn merge_project(base: Node, over: Node, out: &mut Vec<Diagnostic>) -> Node {
    merge(base, over, KeyPath::ROOT, out)
}

/// Lays a service over the one it extends.
pub fn merge_service(name: &str, base: Node, over: Node, out: &mut Vec<Diagnostic>) -> Node {
    let services = KeyPath::ROOT.child("services");
    merge(base, over, services.child(name), out)
}

fn merge(base: Node, over: Node, path: KeyPath<'_>, out: &mut Vec<Diagnostic>) -> Node {
    let mut room = Room::default();
    let rule = rules::rule(path.parts(&mut room));
    match rule {
        Rule::Plain => plain(base, over, path, out),
        Rule::Replace => over,
        Rule::Sequence => sequence(base, over),
        Rule::Hosts => hosts(base, over),
        Rule::Build => mappings(as_build(base), as_build(over), path, out),
        Rule::DependsOn | Rule::Keyed => {
            let is_dependency = matches!(rule, Rule::DependsOn);
            let (base, over) = (keyed(base, is_dependency, path, out), keyed(over, is_dependency, path, out));
            mappings(base, over, path, out)
        }
        Rule::Logging => logging(base, over, path, out),
        Rule::AddressPools => address_pools(base, over, path, out),
    }
}

fn plain(base: Node, over: Node, path: KeyPath<'_>, out: &mut Vec<Diagnostic>) -> Node {
    if over.is_null() {
        return base;
    }
    if let Value::List(mut items) = base.value {
        let span = over.span;
        return match over.value {
            Value::List(more) => {
                items.extend(more);
                Node::new(Value::List(items), span)
            }
            value => {
                let over = Node::new(value, span);
                refuse(path, "a list", &over, out);
                over
            }
        };
    }
    if base.as_map().is_some() {
        return mappings(base, over, path, out);
    }
    over
}

/// Merges two mappings; nothing counts as an empty one.
fn mappings(base: Node, over: Node, path: KeyPath<'_>, out: &mut Vec<Diagnostic>) -> Node {
    let span = if over.span.is_written() { over.span } else { base.span };
    let mut merged = match base.value {
        Value::Map(map) => map,
        Value::Null => Map::default(),
        value => {
            let base = Node::new(value, base.span);
            refuse(path, over.kind(), &base, out);
            return over;
        }
    };
    let over = match over.value {
        Value::Map(map) => map,
        Value::Null => Map::default(),
        value => {
            let over = Node::new(value, over.span);
            refuse(path, "a mapping", &over, out);
            return over;
        }
    };
    for (key, entry) in over.0 {
        if let Some(old) = merged.0.get_mut(&key) {
            let before = std::mem::replace(&mut old.node, nothing(entry.key_span));
            old.key_span = entry.key_span;
            old.node = merge(before, entry.node, path.child(&key), out);
        } else {
            merged.0.insert(key, entry);
        }
    }
    Node::new(Value::Map(merged), span)
}

fn refuse(path: KeyPath<'_>, wanted: &str, found: &Node, out: &mut Vec<Diagnostic>) {
    let message = format!("`{path}` is {} here and {wanted} in the file it is merged with", found.kind());
    out.push(
        Diagnostic::error("cannot-merge", found.span, message)
            .hint("write both in the same form, or put `!override` before this one"),
    );
}

fn nothing(span: Span) -> Node {
    Node::new(Value::Null, span)
}

fn sequence(base: Node, over: Node) -> Node {
    let span = if over.span.is_written() { over.span } else { base.span };
    let mut items = as_sequence(base);
    items.extend(as_sequence(over));
    Node::new(Value::List(items), span)
}

/// As a sequence, but an entry that stands there already is not repeated.
fn hosts(base: Node, over: Node) -> Node {
    let span = if over.span.is_written() { over.span } else { base.span };
    let mut items = as_sequence(base);
    for item in as_sequence(over) {
        if !items.iter().any(|known| known.value == item.value) {
            items.push(item);
        }
    }
    Node::new(Value::List(items), span)
}

/// A mapping as `key=value` lines in the order of the text, a string as a list of one.
fn as_sequence(node: Node) -> Vec<Node> {
    match node.value {
        Value::List(items) => items,
        Value::String(_) => vec![node],
        Value::Map(map) => {
            let mut lines: Vec<Node> = map.0.into_iter().flat_map(|(key, entry)| as_lines(&key, entry)).collect();
            lines.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            lines
        }
        _ => Vec::new(),
    }
}

fn as_lines(key: &str, entry: Entry) -> Vec<Node> {
    let line = |node: &Node| {
        let text = scalar::text(node).unwrap_or_default();
        Node::string(format!("{key}={text}"), node.span)
    };
    match &entry.node.value {
        Value::Null => vec![Node::string(key, entry.key_span)],
        Value::List(items) => items.iter().map(line).collect(),
        // No line can say it: the schema complains about what stays a mapping.
        Value::Map(_) => vec![entry.node],
        _ => vec![line(&entry.node)],
    }
}

fn as_build(node: Node) -> Node {
    if !matches!(node.value, Value::String(_)) {
        return node;
    }
    let span = node.span;
    let mut map = Map::default();
    map.set("context", node);
    Node::new(Value::Map(map), span)
}

/// A list of names as a mapping from each name: to nothing, or to what the short `depends_on` means.
fn keyed(node: Node, depends_on: bool, path: KeyPath<'_>, out: &mut Vec<Diagnostic>) -> Node {
    let Value::List(items) = node.value else { return node };
    let mut map = Map::default();
    for item in items {
        let span = item.span;
        let Value::String(name) = item.value else {
            let message = format!("`{path}` is a list of names here, and this is {}", item.kind());
            out.push(
                Diagnostic::error("wrong-type", span, message)
                    .hint("write the name alone; what has options is a mapping: `name: { … }`, without the `- `"),
            );
            continue;
        };
        map.set(name, if depends_on { started(span) } else { nothing(span) });
    }
    Node::new(Value::Map(map), node.span)
}

/// What a service name in a short `depends_on` means.
pub fn started(span: Span) -> Node {
    let mut map = Map::default();
    map.set("condition", Node::string("service_started", span));
    map.set("required", Node::new(Value::Bool(true), span));
    Node::new(Value::Map(map), span)
}

/// Options belong to a driver: another driver starts anew.
fn logging(base: Node, over: Node, path: KeyPath<'_>, out: &mut Vec<Diagnostic>) -> Node {
    let other_driver = match (base.get("driver"), over.get("driver")) {
        (Some(before), Some(after)) => before.value != after.value,
        _ => false,
    };
    if other_driver { over } else { mappings(base, over, path, out) }
}

/// Address pools meet by subnet. As in the reference, an earlier pool that the later file does not name is
/// lost when the later file names another of the earlier ones.
fn address_pools(base: Node, over: Node, path: KeyPath<'_>, out: &mut Vec<Diagnostic>) -> Node {
    let span = over.span;
    let (Value::List(base), Value::List(over)) = (base.value, over.value) else {
        out.push(Diagnostic::error("cannot-merge", span, format!("`{path}` must be a list in every file")));
        return nothing(span);
    };
    let mut pools: Vec<Node> = Vec::new();
    let subnet = |node: &Node| node.get("subnet").map(|subnet| subnet.value.clone());
    for original in base {
        for new in &over {
            if subnet(new) != subnet(&original) && !pools.iter().any(|pool| subnet(pool) == subnet(new)) {
                pools.push(new.clone());
                continue;
            }
            let merged = mappings(original.clone(), new.clone(), path, out);
            match pools.iter_mut().find(|pool| subnet(pool) == subnet(&merged)) {
                Some(known) => *known = merged,
                None => pools.push(merged),
            }
        }
    }
    Node::new(Value::List(pools), span)
}

#[cfg(test)]
mod tests;
