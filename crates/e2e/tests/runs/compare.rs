//! Two snapshots side by side: each leaf by its path.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

#[derive(Debug)]
pub struct Difference {
    pub path: String,
    pub compose: Value,
    pub mainstay: Value,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n    compose:  {}\n    mainstay: {}", self.path, self.compose, self.mainstay)
    }
}

pub fn differences(compose: &Value, mainstay: &Value) -> Vec<Difference> {
    let (theirs, ours) = (leaves(compose), leaves(mainstay));
    let paths: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    let of = |leaves: &BTreeMap<String, Value>, path: &str| leaves.get(path).cloned().unwrap_or_default();
    let differs = |path: &&String| theirs.get(*path) != ours.get(*path);
    let told = |path: &String| Difference { path: path.clone(), compose: of(&theirs, path), mainstay: of(&ours, path) };
    paths.into_iter().filter(differs).map(told).collect()
}

/// Every value that is no mapping, by its path. Nothing, an empty list and an empty mapping are the same to the engine.
fn leaves(value: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    walk(value, String::new(), &mut found);
    found
}

fn walk(value: &Value, path: String, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path} › {key}") };
                walk(value, path, found);
            }
        }
        Value::Null => {}
        Value::Array(list) if list.is_empty() => {}
        leaf => {
            found.insert(path, leaf.clone());
        }
    }
}

/// Whether a pattern means a path: `**` stands for any number of parts, `*` for any text within one.
pub fn means(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split(" › ").collect();
    let path: Vec<&str> = path.split(" › ").collect();
    matches(&pattern, &path)
}

fn matches(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => {
            matches(rest, path) || path.split_first().is_some_and(|(_, left)| matches(pattern, left))
        }
        (Some((want, rest)), Some((have, left))) => is_like(want, have) && matches(rest, left),
        _ => false,
    }
}

fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|left| {
            rest.is_empty()
                || left.char_indices().map(|(at, _)| &left[at..]).chain([""]).any(|left| is_like(rest, left))
        }),
    }
}

#[test]
fn patterns_mean_what_they_say() {
    assert!(means("a › *-x-* › **", "a › one-x-1 › b › c"));
    assert!(means("** › dev.*", "a › dev.b") && means("**", "a") && means("a*", "a"));
    assert!(!means("a › *", "a › b › c") && !means("*-x", "a-y"));
}
