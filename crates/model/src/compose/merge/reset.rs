//! `!reset` and `!override`: what a file takes away from the files before it.

use crate::compose::tree::{Node, Tag, Value};

/// The places that a document resets or overrides.
#[derive(Clone, Debug, Default)]
pub struct Resets {
    places: Vec<Vec<String>>,
}

impl Resets {
    /// Takes the tags out of a document: a `!reset` node goes away, an `!override` node stays as a plain one.
    pub fn take(document: &mut Node) -> Resets {
        let mut resets = Resets::default();
        let mut path = Vec::new();
        resets.gather(document, &mut path);
        resets
    }

    /// Says whether the node itself is to go.
    fn gather(&mut self, node: &mut Node, path: &mut Vec<String>) -> bool {
        match std::mem::take(&mut node.tag) {
            Tag::Reset => {
                self.places.push(path.clone());
                return true;
            }
            Tag::Override => {
                self.places.push(path.clone());
                clear_tags(node);
                return false;
            }
            Tag::None => {}
        }
        match &mut node.value {
            Value::Map(map) => map.0.retain(|key, entry| {
                path.push(key.clone());
                let goes = self.gather(&mut entry.node, path);
                path.pop();
                !goes
            }),
            // An item of a list has no name under which an earlier file could be found: it only goes itself.
            Value::List(items) => items.retain_mut(|item| {
                let before = self.places.len();
                path.push(String::new());
                let goes = self.gather(item, path);
                path.pop();
                self.places.truncate(before);
                !goes
            }),
            _ => {}
        }
        false
    }

    /// Takes the places away from what was merged so far.
    pub fn apply(&self, project: &mut Node) {
        for place in &self.places {
            remove(project, place);
        }
    }

    /// The same for one service that is about to be extended under the name `service`.
    pub fn apply_to_service(&self, service: &str, base: &mut Node) {
        for place in &self.places {
            if let [section, name, rest @ ..] = place.as_slice()
                && section == "services"
                && name == service
                && !rest.is_empty()
            {
                remove(base, rest);
            }
        }
    }
}

/// Below an `!override` everything is new anyway.
fn clear_tags(node: &mut Node) {
    node.tag = Tag::None;
    match &mut node.value {
        Value::Map(map) => map.0.values_mut().for_each(|entry| clear_tags(&mut entry.node)),
        Value::List(items) => items.iter_mut().for_each(clear_tags),
        _ => {}
    }
}

fn remove(node: &mut Node, place: &[String]) {
    let Some((key, rest)) = place.split_first() else { return };
    let Some(map) = node.as_map_mut() else { return };
    if rest.is_empty() {
        map.remove(key);
    } else if let Some(child) = map.get_mut(key) {
        remove(child, rest);
    }
}
