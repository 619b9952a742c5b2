//! The printed form as a tree of JSON values; the YAML printer only lays the same values out as text.

use serde_json::{Map as Object, Number, Value as Json};

use super::natural;
use crate::compose::keypath::{KeyPath, Room};
use crate::compose::merge::is_named_list;
use crate::compose::normalize::{Keep, PROJECT, SERVICE, Shape, Struct};
use crate::compose::scalar;
use crate::compose::tree::{Map, Node, Value};

/// The two print forms differ in what they say of things that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Json,
    Yaml,
}

#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub dialect: Dialect,
    /// Whether the project has types; else it is printed as it was written.
    pub settled: bool,
}

pub fn print(project: &Node, form: Form) -> Json {
    if !form.settled {
        return raw(project, KeyPath::ROOT, form.dialect);
    }
    let printer = Printer { dialect: form.dialect, doubles_dollars: true };
    let mut out = printer.structure(project, &PROJECT);
    if form.dialect == Dialect::Json {
        // The reference's JSON has the sections in the order of the alphabet, and no models.
        out.remove("models");
        for (key, entry) in project.as_map().into_iter().flat_map(Map::iter).filter(|(key, _)| key.starts_with("x-")) {
            out.insert(printer.escape(key), printer.free(&entry.node));
        }
        out.sort_keys();
    }
    Json::Object(out)
}

/// As it was written, with every mapping in the order of its keys. The reference's JSON has an empty list as
/// nothing, except where it has made sure that no item stands twice.
fn raw(node: &Node, path: KeyPath<'_>, dialect: Dialect) -> Json {
    match &node.value {
        Value::List(items) if items.is_empty() && dialect == Dialect::Json && !stays_empty(path) => Json::Null,
        Value::List(items) => {
            Json::Array(items.iter().map(|item| raw(item, path.child(KeyPath::ITEM), dialect)).collect())
        }
        Value::Map(map) => {
            sorted(map.iter().map(|(key, entry)| (key.to_owned(), raw(&entry.node, path.child(key), dialect))), dialect)
        }
        Value::String(text) => Json::String(text.clone()),
        _ => number(node, dialect),
    }
}

fn stays_empty(path: KeyPath<'_>) -> bool {
    let mut room = Room::default();
    let parts = path.parts(&mut room);
    let is_resolved = matches!(parts, ["services", _, "environment"] | ["services", _, "build", "args"]);
    is_named_list(parts) && !is_resolved
}

fn sorted(entries: impl Iterator<Item = (String, Json)>, dialect: Dialect) -> Json {
    let mut entries: Vec<(String, Json)> = entries.collect();
    match dialect {
        Dialect::Json => entries.sort_by(|a, b| a.0.cmp(&b.0)),
        Dialect::Yaml => entries.sort_by(|a, b| natural::compare(&a.0, &b.0)),
    }
    Json::Object(entries.into_iter().collect())
}

fn doubled(text: &str) -> String {
    text.replace('$', "$$")
}

fn number(node: &Node, dialect: Dialect) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => whole(*value),
        Value::Float(value) if dialect == Dialect::Json && value.fract() == 0.0 && value.abs() < 1e15 => {
            whole(*value as i128)
        }
        Value::Float(value) => {
            Number::from_f64(*value).map_or_else(|| Json::String(scalar::float(*value)), Json::Number)
        }
        Value::String(text) => Json::String(text.clone()),
        Value::List(_) | Value::Map(_) => Json::Null,
    }
}

fn whole(value: i128) -> Json {
    match (u64::try_from(value), i64::try_from(value)) {
        (Ok(value), _) => Json::from(value),
        (_, Ok(value)) => Json::from(value),
        _ => Json::String(value.to_string()),
    }
}

/// One settled service in JSON, its texts as they are.
pub fn service(service: &Node) -> Json {
    let printer = Printer { dialect: Dialect::Json, doubles_dollars: false };
    Json::Object(printer.structure(service, &SERVICE))
}

struct Printer {
    dialect: Dialect,
    /// `$` is doubled, so that the printed file can be read again.
    doubles_dollars: bool,
}

impl Printer {
    fn structure(&self, node: &Node, shape: &Struct) -> Object<String, Json> {
        let mut out = Object::new();
        let Some(map) = node.as_map() else { return out };
        for field in shape.fields {
            let name = if shape.capital_in_json && self.dialect == Dialect::Json {
                capital(field.name)
            } else {
                field.name.to_owned()
            };
            let said = map.get(field.name).filter(|node| !node.is_null());
            let printed = said.map(|node| self.value(node, field.shape));
            let printed = match (field.keep, printed) {
                (Keep::Said | Keep::Json | Keep::JsonMap, Some(printed))
                    if is_zero(&printed, field.shape) && !self.is_kept_as_zero(field.keep) =>
                {
                    None
                }
                (_, Some(printed)) => Some(printed),
                (Keep::Json, None) if self.dialect == Dialect::Json => Some(Json::Null),
                (Keep::JsonMap, None) if self.dialect == Dialect::Json => Some(self.empty(field.shape)),
                (Keep::Always, None) => Some(self.empty(field.shape)),
                _ => None,
            };
            if let Some(printed) = printed {
                out.insert(name, printed);
            }
        }
        // What the environment gives is not printed: the name of the variable stands for it.
        if out.contains_key("environment") && !out["environment"].is_object() {
            out.shift_remove("content");
        }
        if self.dialect == Dialect::Yaml {
            let mut more: Vec<_> = map.iter().filter(|(key, _)| key.starts_with("x-")).collect();
            more.sort_by(|a, b| natural::compare(a.0, b.0));
            out.extend(more.into_iter().map(|(key, entry)| (self.escape(key), self.free(&entry.node))));
        }
        out
    }

    /// An empty command is kept in both forms, an empty part only in JSON.
    fn is_kept_as_zero(&self, keep: Keep) -> bool {
        match keep {
            Keep::Json => true,
            Keep::JsonMap => self.dialect == Dialect::Json,
            _ => false,
        }
    }

    /// What the reference prints for a field that is always there.
    fn empty(&self, shape: Shape) -> Json {
        match shape {
            Shape::Struct(shape) => {
                let nothing = Node::new(Value::Map(Map::default()), crate::compose::Span::NOWHERE);
                Json::Object(self.structure(&nothing, shape))
            }
            Shape::Map(_) => Json::Object(Object::new()),
            Shape::Bool => Json::Bool(false),
            Shape::Int | Shape::Unsigned(_) => Json::from(0),
            Shape::Bytes => Json::String("0".to_owned()),
            _ => Json::String(String::new()),
        }
    }

    fn value(&self, node: &Node, shape: Shape) -> Json {
        match (shape, &node.value) {
            (Shape::Struct(shape), Value::Map(_)) => Json::Object(self.structure(node, shape)),
            (Shape::List(shape), Value::List(items)) => {
                Json::Array(items.iter().map(|item| self.value(item, *shape)).collect())
            }
            (Shape::Map(shape), Value::Map(map)) => {
                sorted(map.iter().map(|(key, entry)| (self.escape(key), self.value(&entry.node, *shape))), self.dialect)
            }
            (Shape::EnvFile, Value::Map(file)) => self.env_file(file),
            (Shape::Ssh, Value::Map(keys)) => {
                let line = |(id, entry): (&str, &crate::compose::Entry)| match scalar::text(&entry.node) {
                    Some(path) if !path.is_empty() => Json::String(self.escape(&format!("{id}: {path}"))),
                    _ => Json::String(self.escape(id)),
                };
                Json::Array(keys.iter().map(line).collect())
            }
            (Shape::Ulimit, Value::Map(limit)) => self.ulimit(limit),
            // To the reference a single zero is no single value, but two that were not said.
            (Shape::Ulimit, Value::Int(0)) => self.ulimit(&Map::default()),
            _ => self.free(node),
        }
    }

    fn env_file(&self, file: &Map) -> Json {
        let path = file.get("path").map_or(Json::Null, |path| self.free(path));
        if file.get("required").and_then(Node::as_bool) != Some(false) {
            return path;
        }
        let mut out = Object::new();
        out.insert("path".to_owned(), path);
        out.insert("required".to_owned(), Json::Bool(false));
        if let Some(format) = file.get("format").filter(|_| self.dialect == Dialect::Json) {
            out.insert("format".to_owned(), self.free(format));
        }
        Json::Object(out)
    }

    fn ulimit(&self, limit: &Map) -> Json {
        let mut out = Object::new();
        for key in ["soft", "hard"] {
            let value = limit.get(key).and_then(Node::as_int).unwrap_or_default();
            if value != 0 || self.dialect == Dialect::Yaml {
                out.insert(key.to_owned(), whole(value));
            }
        }
        Json::Object(out)
    }

    /// What has no type of its own.
    fn free(&self, node: &Node) -> Json {
        match &node.value {
            Value::List(items) => Json::Array(items.iter().map(|item| self.free(item)).collect()),
            Value::Map(map) => {
                sorted(map.iter().map(|(key, entry)| (self.escape(key), self.free(&entry.node))), self.dialect)
            }
            Value::String(text) => Json::String(self.escape(text)),
            _ => number(node, self.dialect),
        }
    }

    fn escape(&self, text: &str) -> String {
        if self.doubles_dollars { doubled(text) } else { text.to_owned() }
    }
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn is_zero(printed: &Json, shape: Shape) -> bool {
    match printed {
        Json::Null => true,
        Json::Bool(value) => !value,
        Json::Number(value) => value.as_f64() == Some(0.0),
        Json::String(text) => match shape {
            Shape::Bytes => text == "0",
            Shape::Duration => text == "0s",
            _ => text.is_empty(),
        },
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
    }
}
