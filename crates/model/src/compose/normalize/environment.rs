//! Values that come from the caller: a bare `NAME` in a list of variables, and the content of a config.

use std::collections::BTreeMap;

use crate::compose::tree::{Map, Node, Span, Value};

/// Fills in what the environment of this file knows. An included file has an environment of its own, so
/// this runs for each file before it is laid into the project. A secret's value is only taken `with_secrets`: in a
/// project that is printed as it was written it would be shown.
pub fn take_environment(project: &mut Node, environment: &BTreeMap<String, String>, with_secrets: bool) {
    let Some(project) = project.as_map_mut() else { return };
    for service in resources(project, "services") {
        let Some(Value::List(lines)) = service.get_mut("environment").map(|node| &mut node.value) else { continue };
        for line in lines {
            if let Value::String(name) = &mut line.value
                && let Some(value) = environment.get(name.as_str())
            {
                *name = format!("{name}={value}");
            }
        }
    }
    let sections: &[&str] = if with_secrets { &["configs", "secrets"] } else { &["configs"] };
    for section in sections {
        for resource in resources(project, section) {
            let Some(name) = resource.get("environment") else { continue };
            if let Some(value) = name.as_str().and_then(|name| environment.get(name)) {
                // Nobody wrote this key, so that the model which includes this one does not complain about it.
                let content = Node::string(value.as_str(), Span::NOWHERE);
                resource.set("content", content);
            }
        }
    }
}

fn resources<'a>(project: &'a mut Map, section: &str) -> impl Iterator<Item = &'a mut Map> {
    let section = project.get_mut(section).and_then(Node::as_map_mut);
    section.into_iter().flat_map(|map| map.0.values_mut()).filter_map(|entry| entry.node.as_map_mut())
}
