//! By what a file of Coolify is known, when nobody said so.

use super::super::diagnostic::Diagnostic;
use super::super::model::ModelFile;
use super::super::scalar;
use super::super::tree::{Map, Node, Span, Value};
use super::magic::{Magic, PREFIX, meaning};

/// The mark of a dialect, and where it stands.
pub struct Seen {
    what: String,
    at: Span,
}

impl Seen {
    pub fn notice(&self) -> Diagnostic {
        let message = format!("`{}` is Coolify's: these files are read as Coolify reads them", self.what);
        Diagnostic::warning("dialect", self.at, message).hint(
            "`x-mainstay: { dialect: coolify }` says so for good; `--dialect compose` reads them as plain Compose",
        )
    }
}

/// The first mark: a key that only Coolify knows, an address as a bare variable, or a reference to a name that it
/// would answer. What the environment sets counts too: to set a value must not change how the file is read.
pub fn coolify(files: &[ModelFile]) -> Option<Seen> {
    let documents = files.iter().flat_map(|file| &file.documents);
    let services = documents.filter_map(|document| document.get("services")?.as_map()).flat_map(Map::iter);
    services.map(|(_, entry)| &entry.node).find_map(|service| own_key(service).or_else(|| own_name(service)))
}

fn own_key(service: &Node) -> Option<Seen> {
    let seen = |what: &str, at| Some(Seen { what: what.to_owned(), at });
    if let Some(entry) = service.as_map()?.0.get("exclude_from_hc") {
        return seen("exclude_from_hc", entry.key_span);
    }
    let mounts = service.get("volumes").and_then(Node::as_list).unwrap_or_default();
    mounts.iter().filter_map(Node::as_map).find_map(|mount| {
        let keys = ["content", "is_directory", "isDirectory"];
        keys.iter().find_map(|key| seen(key, mount.0.get(*key)?.key_span))
    })
}

fn own_name(service: &Node) -> Option<Seen> {
    let is_address = |name: &str, value: &str| {
        let is_magic = matches!(meaning(name), Some(Magic::Url { .. } | Magic::Fqdn { .. }));
        is_magic && (value.is_empty() || value.starts_with('/'))
    };
    let declared = match service.get("environment").map(|node| &node.value) {
        Some(Value::List(items)) => items.iter().find_map(|item| {
            let text = item.as_str()?;
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            is_address(name, value).then(|| Seen { what: name.to_owned(), at: item.span })
        }),
        Some(Value::Map(map)) => map.iter().find_map(|(name, entry)| {
            let value = scalar::text(&entry.node).unwrap_or_default();
            is_address(name, &value).then(|| Seen { what: name.to_owned(), at: entry.key_span })
        }),
        _ => None,
    };
    declared.or_else(|| reference(service))
}

/// A reference such as `$SERVICE_PASSWORD_DB` or `${SERVICE_PASSWORD_DB}` anywhere below a node.
fn reference(node: &Node) -> Option<Seen> {
    match &node.value {
        Value::String(text) if text.contains(PREFIX) => {
            // Two dollars are one that is meant as it is.
            let text = text.replace("$$", "");
            let name = text.split('$').skip(1).find_map(|part| {
                let part = part.strip_prefix('{').unwrap_or(part);
                let end = part.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
                let name = &part[..end.unwrap_or(part.len())];
                let is_made_up =
                    matches!(meaning(name), Some(Magic::Generated(_) | Magic::Url { .. } | Magic::Fqdn { .. }));
                is_made_up.then(|| name.to_owned())
            })?;
            Some(Seen { what: name, at: node.span })
        }
        Value::List(items) => items.iter().find_map(reference),
        Value::Map(map) => map.iter().find_map(|(_, entry)| reference(&entry.node)),
        _ => None,
    }
}
