//! The parts of a project that `config` prints one a line.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_model::compose::{Entry, Loaded, Map, Node, VariableUse, print};
use serde_json::{Map as Object, Value as Json, json};

use crate::boot::Boot;
use crate::problem::Problem;
use crate::ui::{Cell, Table};

fn section<'a>(project: &'a Node, name: &str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
    project.get(name).and_then(Node::as_map).into_iter().flat_map(Map::iter)
}

/// The services that are on, each behind those it depends on; without interpolation all, as they are written.
pub fn services(loaded: &Loaded) -> Vec<String> {
    let mut services: BTreeMap<&str, &Node> =
        section(&loaded.project, "services").map(|(name, entry)| (name, &entry.node)).collect();
    if !loaded.is_settled() {
        return section(&loaded.project, "services").map(|(name, _)| name.to_owned()).collect();
    }
    // Depth first, and each is taken once: a service is told when all that it waits for were.
    let mut told = Vec::new();
    let mut open: Vec<(&str, bool)> = services.keys().rev().map(|name| (*name, false)).collect();
    while let Some((name, is_ready)) = open.pop() {
        if is_ready {
            told.push(name.to_owned());
        } else if let Some(service) = services.remove(name) {
            open.push((name, true));
            let before = service.get("depends_on").and_then(Node::as_map).into_iter().flat_map(Map::iter);
            let mut before: Vec<(&str, bool)> = before.map(|(name, _)| (name, false)).collect();
            before.sort_by(|a, b| b.cmp(a));
            open.extend(before);
        }
    }
    told
}

/// The resources of a section that a service uses.
pub fn used(loaded: &Loaded, name: &str) -> Vec<String> {
    let used = loaded.used(name);
    section(&loaded.project, name).map(|(key, _)| key).filter(|key| used.contains(key)).map(str::to_owned).collect()
}

/// What the models that a service uses are called where they come from.
pub fn models(loaded: &Loaded) -> Vec<String> {
    let used = loaded.used("models");
    let models = section(&loaded.project, "models").filter(|(key, _)| used.contains(key));
    models.filter_map(|(_, entry)| Some(entry.node.get("model")?.as_str()?.to_owned())).collect()
}

/// The image of each service, also when it is only built.
pub fn images(loaded: &Loaded) -> Vec<String> {
    let image = |(name, entry): (&str, &Entry)| match entry.node.get("image").and_then(Node::as_str) {
        Some(image) => image.to_owned(),
        None => format!("{}-{name}", loaded.name),
    };
    let mut images: Vec<String> = section(&loaded.project, "services").map(image).collect();
    images.sort();
    images
}

pub fn profiles(loaded: &Loaded) -> Vec<String> {
    let disabled = loaded.disabled_services.as_map().into_iter().flat_map(Map::iter);
    let services = section(&loaded.project, "services").chain(disabled);
    let lists = services.filter_map(|(_, entry)| entry.node.get("profiles").and_then(Node::as_list));
    let names: BTreeSet<String> = lists.flatten().filter_map(Node::as_str).map(str::to_owned).collect();
    names.into_iter().collect()
}

pub fn environment(loaded: &Loaded) -> Vec<String> {
    let mut lines: Vec<String> = loaded.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    lines.sort();
    lines
}

/// `name hash` for each service that was named.
///
/// # Errors
/// When a name is no service that is on.
pub fn hashes(loaded: &Loaded, names: &str) -> Result<Vec<String>, Problem> {
    let hashes = print::hashes(loaded);
    let names: BTreeSet<&str> = match names {
        "*" => hashes.keys().map(String::as_str).collect(),
        names => names.split(',').collect(),
    };
    let line = |name: &str| match hashes.get(name) {
        Some(hash) => Ok(format!("{name} {hash}")),
        None => Err(no_such_service(loaded, name)),
    };
    names.into_iter().map(line).collect()
}

pub fn no_such_service(loaded: &Loaded, name: &str) -> Problem {
    if loaded.disabled_services.get(name).is_some() {
        return Problem::usage("service-is-off", format!("the service `{name}` is off"))
            .hint("switch one of its profiles on: `--profile PROFILE`");
    }
    Problem::usage("no-such-service", format!("the files have no service `{name}`"))
        .hint("`mainstay config --services` lists them")
}

/// Each variable once, with the last thing that the files say of it.
fn by_name(loaded: &Loaded) -> BTreeMap<&str, &VariableUse> {
    loaded.variables.iter().map(|one| (one.name.as_str(), one)).collect()
}

/// In the names of `docker compose config --variables --format json`.
pub fn variables(loaded: &Loaded) -> Json {
    let entry = |(name, one): (&str, &VariableUse)| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let said = json!({
            "Name": name,
            "DefaultValue": text(&one.default),
            "PresenceValue": text(&one.alternate),
            "Required": one.required,
        });
        (name.to_owned(), said)
    };
    Json::Object(by_name(loaded).into_iter().map(entry).collect::<Object<_, _>>())
}

pub fn variables_table(boot: &Boot, loaded: &Loaded) -> String {
    let mut table = Table::new(&["NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE", "WRITTEN AT"]);
    for (name, one) in by_name(loaded) {
        let place = if one.span.is_written() {
            format!("{}:{}", loaded.sources.path(one.span.file), one.span.line)
        } else {
            String::new()
        };
        let text = |text: &Option<String>| Cell::from(text.clone().unwrap_or_default());
        let required: Cell = if one.required { "true" } else { "false" }.into();
        table.row(vec![name.to_owned().into(), required, text(&one.default), text(&one.alternate), place.into()]);
    }
    if table.is_empty() { String::new() } else { table.render(boot.ui.out, boot.ui.width) }
}
