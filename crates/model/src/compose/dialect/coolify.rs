//! Coolify's own keys and declared addresses, said in the words of Compose and of `x-mainstay`.
//!
//! | Coolify | here |
//! |---|---|
//! | a bind mount's `content` | `x-mainstay: { content: … }` of the mount, its `$` escaped: it is literal |
//! | `is_directory`, `isDirectory` | `bind: { create_host_path: true }` |
//! | `exclude_from_hc` | `x-mainstay: { wait: false }` of the service |
//! | the variable `SERVICE_URL_APP_8080`, bare or with a path | a value, and a route under `x-mainstay: { routes: […] }` |
//! | a named volume that is not declared | an entry under `volumes` |

use std::collections::BTreeSet;

use super::super::reading::Reading;
use super::super::scalar;
use super::super::tree::{Entry, Map, Node, Span, Value};
use super::magic::{Magic, meaning};
use super::{Values, warn};

/// The port of a web server that nobody named another one for.
const WEB: u16 = 80;
/// How many lines a file's heading may have.
const HEADING_LINES: u32 = 60;

/// A variable of a service that declares an address.
struct Address {
    id: String,
    port: Option<u16>,
    /// Without a final slash; empty for the whole host.
    path: String,
    at: Span,
}

/// Translates a document in place.
pub fn translate(document: &mut Node, values: &Values, reading: &mut Reading<'_>) {
    let heading = heading_port(document.span, reading);
    let Some(services) = document.as_map_mut().and_then(|map| map.get_mut("services")).and_then(Node::as_map_mut)
    else {
        return;
    };
    let mut declared: Vec<(String, Vec<Address>)> = Vec::new();
    for (name, entry) in &mut services.0 {
        let Some(service) = entry.node.as_map_mut() else { continue };
        readiness(service);
        for mount in service.get_mut("volumes").and_then(as_list_mut).into_iter().flatten() {
            mounted_file(mount, values.is_interpolating());
        }
        let mut addresses = Vec::new();
        if let Some(environment) = service.get_mut("environment") {
            variables(environment, &mut addresses);
        }
        addresses.iter().for_each(|address| values.declare(&address.id, &address.path));
        declared.push((name.clone(), addresses));
    }
    for (name, addresses) in declared {
        let Some(service) = services.get_mut(&name).and_then(Node::as_map_mut) else { continue };
        if values.is_interpolating()
            && let Some(environment) = service.get_mut("environment")
        {
            give_values(environment, values);
        }
        let exposed = only_port(service);
        add_routes(service, &addresses, heading.or(exposed), values, reading);
    }
}

/// `exclude_from_hc`: the service counts neither for the stack's health nor for being ready.
fn readiness(service: &mut Map) {
    let Some(key) = service.remove("exclude_from_hc") else { return };
    if scalar::text(&key).as_deref().and_then(scalar::truth) == Some(true) {
        say(service, "wait", Node::new(Value::Bool(false), key.span));
    }
}

/// The `x-mainstay` of a mapping, made when it is not there; nothing when somebody wrote something else there.
fn own_words(map: &mut Map, at: Span) -> Option<&mut Map> {
    let entry = map.0.entry("x-mainstay".to_owned());
    let made = || Entry { key_span: at, node: Node::new(Value::Map(Map::default()), at) };
    entry.or_insert_with(made).node.as_map_mut()
}

/// Says a word under the `x-mainstay` of a mapping.
fn say(map: &mut Map, word: &str, node: Node) {
    if let Some(words) = own_words(map, node.span) {
        words.set(word, node);
    }
}

fn as_list_mut(node: &mut Node) -> Option<&mut Vec<Node>> {
    match &mut node.value {
        Value::List(items) => Some(items),
        _ => None,
    }
}

fn mounted_file(mount: &mut Node, is_interpolating: bool) {
    let at = mount.span;
    let Some(map) = mount.as_map_mut() else { return };
    let content = map.remove("content").filter(|content| !content.is_null());
    let flags = [map.remove("is_directory"), map.remove("isDirectory")];
    let is_folder =
        flags.iter().flatten().any(|flag| scalar::text(flag).as_deref().and_then(scalar::truth) == Some(true));
    if (content.is_some() || flags.iter().any(Option::is_some)) && !map.contains("type") {
        map.set("type", Node::string("bind", at));
    }
    if is_folder {
        let bind = map
            .0
            .entry("bind".to_owned())
            .or_insert_with(|| Entry { key_span: at, node: Node::new(Value::Map(Map::default()), at) });
        if let Some(bind) = bind.node.as_map_mut() {
            bind.set("create_host_path", Node::new(Value::Bool(true), at));
        }
    } else if let Some(content) = content
        && let Some(text) = scalar::text(&content)
    {
        let literal = if is_interpolating { text.replace('$', "$$") } else { text };
        say(map, "content", Node::string(literal, content.span));
    }
}

/// Reads the addresses that variables declare. A variable without a value that has a magic name gets a reference
/// to it, so that it is answered as any other one.
fn variables(environment: &mut Node, addresses: &mut Vec<Address>) {
    match &mut environment.value {
        Value::List(items) => {
            for item in items {
                let at = item.span;
                let Some(text) = item.as_str() else { continue };
                let (name, value) = match text.split_once('=') {
                    Some((name, value)) => (name, value),
                    None => (text, ""),
                };
                let Some(magic) = meaning(name) else { continue };
                if let Some(address) = address(magic, value, at) {
                    addresses.push(address);
                } else if value.is_empty() && matches!(magic, Magic::Generated(_) | Magic::Name { .. }) {
                    item.value = Value::String(format!("{name}=${{{name}}}"));
                }
            }
        }
        Value::Map(map) => {
            for (name, entry) in &mut map.0 {
                let Some(magic) = meaning(name) else { continue };
                let value = scalar::text(&entry.node).unwrap_or_default();
                if let Some(address) = address(magic, &value, entry.key_span) {
                    addresses.push(address);
                } else if value.is_empty() && matches!(magic, Magic::Generated(_) | Magic::Name { .. }) {
                    entry.node.value = Value::String(format!("${{{name}}}"));
                }
            }
        }
        _ => {}
    }
}

/// The address that a variable declares: bare, or with a path. One with another value is a plain variable.
fn address(magic: Magic<'_>, value: &str, at: Span) -> Option<Address> {
    let (Magic::Url { id, port } | Magic::Fqdn { id, port }) = magic else { return None };
    let path = value.trim_end_matches('/');
    (value.is_empty() || value.starts_with('/')).then(|| Address { id: id.to_owned(), port, path: path.to_owned(), at })
}

/// Writes the addresses into the variables that declare them.
fn give_values(environment: &mut Node, values: &Values) {
    let value_of = |name: &str, value: &str| {
        let magic = meaning(name)?;
        let address = address(magic, value, Span::NOWHERE)?;
        if values.is_set(name) {
            return values.of(name);
        }
        let found = values.address(&address.id);
        Some(match magic {
            Magic::Fqdn { .. } => format!("{}{}", found.host, address.path),
            _ => found.with_scheme(&address.path),
        })
    };
    let escaped = |value: String| value.replace('$', "$$");
    match &mut environment.value {
        Value::List(items) => {
            for item in items {
                let Some(text) = item.as_str() else { continue };
                let (name, value) = text.split_once('=').unwrap_or((text, ""));
                if let Some(value) = value_of(name, value) {
                    item.value = Value::String(format!("{name}={}", escaped(value)));
                }
            }
        }
        Value::Map(map) => {
            for (name, entry) in &mut map.0 {
                let value = scalar::text(&entry.node).unwrap_or_default();
                if let Some(value) = value_of(name, &value) {
                    entry.node.value = Value::String(escaped(value));
                }
            }
        }
        _ => {}
    }
}

/// One route for each host and path; where one of them names a port, that is the port.
fn add_routes(service: &mut Map, addresses: &[Address], port: Option<u16>, values: &Values, reading: &mut Reading<'_>) {
    let mut routes: Vec<(String, &Address)> = Vec::new();
    for address in addresses {
        let host = values.address(&address.id).host;
        match routes.iter_mut().find(|(known, other)| *known == host && other.path == address.path) {
            None => routes.push((host, address)),
            Some((_, other)) if other.port.is_none() => *other = address,
            Some((_, other)) if address.port.is_none() || address.port == other.port => {}
            Some((host, other)) => {
                let (first, second) = (other.port.unwrap_or(WEB), address.port.unwrap_or(WEB));
                let message = format!("`{host}` is declared with the ports {first} and {second}: {first} is taken");
                warn(reading, "two-ports", address.at, message, "give one of them another name");
            }
        }
    }
    let Some((_, first)) = routes.first() else { return };
    let at = first.at;
    let nodes = routes
        .iter()
        .map(|(host, address)| route(host, &address.path, address.port.or(port).unwrap_or(WEB), address.at));
    let nodes: Vec<Node> = nodes.collect();
    append_routes(service, nodes, at);
}

fn append_routes(service: &mut Map, nodes: Vec<Node>, at: Span) {
    let Some(words) = own_words(service, at) else { return };
    match words.get_mut("routes").and_then(as_list_mut) {
        Some(known) => known.extend(nodes),
        None => words.set("routes", Node::new(Value::List(nodes), at)),
    }
}

fn route(host: &str, path: &str, port: u16, at: Span) -> Node {
    let mut map = Map::default();
    map.set("host", Node::string(host, at));
    map.set("port", Node::new(Value::Int(port.into()), at));
    if !path.is_empty() {
        map.set("path", Node::string(path, at));
    }
    Node::new(Value::Map(map), at)
}

/// The one port that a service says that it listens on.
fn only_port(service: &Map) -> Option<u16> {
    let exposed = service.get("expose").and_then(Node::as_list).unwrap_or_default();
    let ports: BTreeSet<u16> = exposed.iter().filter_map(scalar::text).filter_map(|text| text.parse().ok()).collect();
    if ports.len() == 1 { ports.first().copied() } else { None }
}

/// `# port: 3000` in the comments above the document.
fn heading_port(document: Span, reading: &Reading<'_>) -> Option<u16> {
    let lines = (1..=HEADING_LINES).map_while(|line| reading.sources.line(document.file, line));
    let comments = lines.take_while(|line| line.trim().is_empty() || line.starts_with('#'));
    comments.filter_map(|line| line.trim_start_matches('#').trim().strip_prefix("port:")).find_map(|text| {
        let digits: String = text.trim().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().filter(|port| *port > 0)
    })
}

/// What can be said only when all documents are one: volumes that nobody declared, and addresses that are used
/// without being declared.
pub fn complete(project: &mut Node, values: &Values, reading: &mut Reading<'_>) {
    declare_volumes(project);
    for (id, port) in values.undeclared() {
        let at = first_use(&id, reading);
        let host = values.address(&id).host;
        let service = values.service_of(&id).map(str::to_owned);
        let service = service.and_then(|name| {
            let services = project.as_map_mut()?.get_mut("services")?.as_map_mut()?;
            services.get_mut(&name)?.as_map_mut()
        });
        let Some(service) = service else {
            let message = format!("no service declares the address `{host}`, and no service has its name");
            let hint = format!("declare it in the `environment` of its service: `- SERVICE_URL_{id}_<port>`");
            warn(reading, "no-route", at, message, &hint);
            continue;
        };
        let heading = heading_port(at, reading);
        let port = port.or(heading).or_else(|| only_port(service)).unwrap_or(WEB);
        append_routes(service, vec![route(&host, "", port, at)], at);
    }
}

fn first_use(id: &str, reading: &Reading<'_>) -> Span {
    let uses = reading.variables.iter().filter(|used| match meaning(&used.name) {
        Some(Magic::Url { id: other, .. } | Magic::Fqdn { id: other, .. }) => other == id,
        _ => false,
    });
    uses.map(|used| used.span).next().unwrap_or(Span::NOWHERE)
}

fn declare_volumes(project: &mut Node) {
    let mut missing: Vec<(String, Span)> = Vec::new();
    let services = project.get("services").and_then(Node::as_map).into_iter().flat_map(Map::iter);
    for (_, entry) in services {
        for mount in entry.node.get("volumes").and_then(Node::as_list).unwrap_or_default() {
            let is_volume = mount.get("type").and_then(Node::as_str) == Some("volume");
            let source = mount.get("source").filter(|_| is_volume);
            let Some((node, name)) = source.and_then(|node| Some((node, node.as_str()?))) else { continue };
            let is_known =
                project.get("volumes").is_some_and(|volumes| volumes.as_map().is_some_and(|map| map.contains(name)));
            if !name.is_empty() && !is_known && !missing.iter().any(|(known, _)| known == name) {
                missing.push((name.to_owned(), node.span));
            }
        }
    }
    let Some(map) = project.as_map_mut().filter(|_| !missing.is_empty()) else { return };
    if map.get("volumes").is_none_or(|volumes| volumes.as_map().is_none()) {
        map.set("volumes", Node::new(Value::Map(Map::default()), Span::NOWHERE));
    }
    let Some(volumes) = map.get_mut("volumes").and_then(Node::as_map_mut) else { return };
    for (name, at) in missing {
        volumes.set(name, Node::new(Value::Map(Map::default()), at));
    }
}
