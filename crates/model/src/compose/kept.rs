//! Secrets that the caller keeps for a stack, as values of variables: below what the environment and the env files
//! say, so that a file means the same to other programs that read it.

use std::collections::{BTreeMap, BTreeSet};

use super::dialect::placeholder;
use super::environment::Environment;
use super::load::{LoadRequest, Loaded};
use super::model::ModelFile;
use super::scalar;
use super::tree::{Map, Node, Span, Value};
use crate::declared::Hidden;

/// What a load learned of secrets: those that the files declare under `x-mainstay.secrets`, and those that are kept.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Where each is declared.
    pub declared: BTreeMap<String, Span>,
    /// The value that the stack gets, of each that is declared or kept.
    pub values: BTreeMap<String, Hidden>,
    /// Those whose value is the kept one.
    pub delivered: BTreeSet<String>,
    /// Those that are kept, and whose value comes from elsewhere all the same.
    pub shadowed: BTreeMap<String, Shadow>,
    /// Those that are declared and have no value: a placeholder stands for each.
    pub absent: BTreeSet<String>,
}

/// What wins over a kept secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shadow {
    /// A variable of the caller.
    Caller,
    /// A line of an env file.
    EnvFile,
}

/// Adds the kept secrets to the environment of a load. A variable that is set to nothing is no value: templates of
/// `.env` have a line for each secret.
pub(super) fn deliver(request: &LoadRequest, files: &[ModelFile], environment: &mut Environment) -> Kept {
    let mut kept = Kept::default();
    let is_set =
        |environment: &Environment, name: &String| environment.get(name).is_some_and(|value| !value.is_empty());
    for (name, value) in &request.secrets {
        if is_set(environment, name) {
            let by_caller = is_set(&request.environment, name);
            kept.shadowed.insert(name.clone(), if by_caller { Shadow::Caller } else { Shadow::EnvFile });
        } else {
            environment.insert(name.clone(), value.clone());
            kept.delivered.insert(name.clone());
        }
    }
    for (name, span, may_be_absent) in declared(files) {
        if !is_set(environment, &name) && !may_be_absent {
            environment.insert(name.clone(), placeholder(&name));
            kept.absent.insert(name.clone());
        }
        kept.declared.insert(name, span);
    }
    let known = kept.declared.keys().chain(request.secrets.keys()).filter(|name| !kept.absent.contains(*name));
    let known = known.filter_map(|name| Some((name.clone(), Hidden::new(environment.get(name)?))));
    kept.values = known.collect();
    kept
}

/// The secrets of the files: name, place, and whether the stack may do without. What is wrong with them is told when
/// the files are declared.
fn declared(files: &[ModelFile]) -> Vec<(String, Span, bool)> {
    let documents = files.iter().flat_map(|file| &file.documents);
    let sections = documents.filter_map(|document| document.get("x-mainstay")?.get("secrets")?.as_map());
    let entries = sections.flat_map(|section| &section.0);
    let one = |(name, entry): (&String, &super::tree::Entry)| {
        let is_optional = entry.node.get("required").and_then(scalar::text).as_deref() == Some("false");
        let is_made = entry.node.get("generate").is_some_and(|node| !node.is_null());
        (name.clone(), entry.key_span, is_optional && !is_made)
    };
    entries.map(one).collect()
}

/// Which services use the placeholders of these names: in any of their keys, or by way of a secret or config of the
/// files. The project was loaded with a placeholder for each.
pub fn users<'n>(
    loaded: &Loaded,
    names: impl IntoIterator<Item = &'n String>,
) -> BTreeMap<&'n String, BTreeSet<String>> {
    let sections = [loaded.project.get("services"), Some(&loaded.disabled_services)];
    let services: Vec<(&str, &Node)> = sections
        .into_iter()
        .flatten()
        .filter_map(Node::as_map)
        .flat_map(Map::iter)
        .map(|(name, entry)| (name, &entry.node))
        .collect();
    let using = |name| {
        let mark = placeholder(name);
        let files = ["secrets", "configs"].map(|section| {
            let resources = loaded.project.get(section).and_then(Node::as_map).into_iter().flat_map(Map::iter);
            let holding = resources.filter(|(_, entry)| has(&entry.node, &mark)).map(|(key, _)| key);
            (section, holding.collect::<BTreeSet<&str>>())
        });
        let uses = |service: &Node| {
            has(service, &mark)
                || files.iter().any(|(section, keys)| {
                    let items = service.get(section).and_then(Node::as_list).unwrap_or_default();
                    items.iter().filter_map(|item| item.get("source")?.as_str()).any(|source| keys.contains(source))
                })
        };
        services.iter().filter(|(_, node)| uses(node)).map(|(service, _)| (*service).to_owned()).collect()
    };
    names.into_iter().map(|name| (name, using(name))).collect()
}

fn has(node: &Node, mark: &str) -> bool {
    match &node.value {
        Value::String(text) => text.contains(mark),
        Value::List(items) => items.iter().any(|item| has(item, mark)),
        Value::Map(map) => map.iter().any(|(_, entry)| has(&entry.node, mark)),
        _ => false,
    }
}
