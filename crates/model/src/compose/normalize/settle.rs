//! Every value gets the type of its place, in the text that the reference prints.

use super::shape::{Shape, Struct};
use super::words;
use crate::compose::diagnostic::Diagnostic;
use crate::compose::keypath::KeyPath;
use crate::compose::tree::{Map, Node, Span, Value};
use crate::compose::{bytes, cast, duration, scalar};

/// Settles a whole project; what has no type in Compose (`x-` keys) stays as it is.
pub fn settle(project: &mut Node, out: &mut Vec<Diagnostic>) {
    Settling { out }.structure(project, &super::shape::PROJECT, KeyPath::ROOT);
    // A resource that says nothing is still one.
    for section in ["networks", "volumes"] {
        for entry in project
            .as_map_mut()
            .and_then(|map| map.get_mut(section)?.as_map_mut())
            .into_iter()
            .flat_map(|map| map.0.values_mut())
        {
            if entry.node.is_null() {
                entry.node.value = Value::Map(Map::default());
            }
        }
    }
}

struct Settling<'a> {
    out: &'a mut Vec<Diagnostic>,
}

impl Settling<'_> {
    fn structure(&mut self, node: &mut Node, shape: &Struct, path: KeyPath<'_>) {
        let Some(map) = node.as_map_mut() else {
            self.expect(node, "a mapping", path);
            return;
        };
        // A key without a value says nothing.
        map.0.retain(|key, entry| {
            if key.starts_with("x-") {
                return true;
            }
            let Some(field) = shape.fields.iter().find(|field| field.name == key) else { return true };
            if entry.node.is_null() {
                return false;
            }
            self.value(&mut entry.node, field.shape, path.child(key));
            true
        });
    }

    fn value(&mut self, node: &mut Node, shape: Shape, path: KeyPath<'_>) {
        match shape {
            Shape::Text => self.text(node, path),
            Shape::Plain => match node.value {
                Value::Float(_) | Value::Bool(_) => self.expect(node, "a string", path),
                _ => self.text(node, path),
            },
            Shape::Bool => self.boolean(node, path),
            Shape::Int => self.scalar(node, path, "a whole number", whole_number),
            Shape::Unsigned(bits) => self.unsigned(node, bits, path),
            Shape::Float => self.scalar(node, path, "a number", number),
            Shape::Duration => self.duration(node, path),
            Shape::Bytes => self.bytes(node, path),
            Shape::Texts => {
                for item in node.as_list().unwrap_or_default() {
                    if matches!(item.value, Value::Float(_)) {
                        self.expect(item, "a string", path.child(KeyPath::ITEM));
                    }
                }
                self.texts(node, path);
            }
            Shape::Command => self.command(node, path),
            Shape::Test => {
                if let Value::String(_) = node.value {
                    let line = node.clone();
                    node.value = Value::List(vec![Node::string("CMD-SHELL", node.span), line]);
                }
                self.texts(node, path);
            }
            Shape::Mapping => self.mapping(node, path, false),
            Shape::Variables => self.mapping(node, path, true),
            Shape::MultiMapping => self.each(node, path, |this, node, path| this.texts(node, path)),
            Shape::Hosts => self.hosts(node, path),
            Shape::FileMode => self.scalar(node, path, "an octal mode such as 0440", file_mode),
            Shape::Ulimit => self.ulimit(node, path),
            Shape::EnvFile => {
                if let Some(required) = node.as_map_mut().and_then(|file| file.get_mut("required")) {
                    self.boolean(required, path.child("required"));
                }
            }
            Shape::Ssh => {}
            Shape::Count => self.scalar(node, path, "a number or `all`", |node| match &node.value {
                Value::String(text) if text.eq_ignore_ascii_case("all") => Some(Value::Int(-1)),
                _ => whole_number(node),
            }),
            Shape::Struct(shape) => self.structure(node, shape, path),
            Shape::List(shape) => self.items(node, path, |this, item, path| this.value(item, *shape, path)),
            Shape::Map(shape) => self.each(node, path, |this, node, path| {
                if !node.is_null() || matches!(shape, Shape::Plain) {
                    this.value(node, *shape, path);
                }
            }),
        }
    }

    fn expect(&mut self, node: &Node, wanted: &str, path: KeyPath<'_>) {
        let message = match &node.value {
            Value::String(text) if text.is_empty() => format!("`{path}` must be {wanted}, but it is empty"),
            Value::String(text) if text.chars().count() <= 40 => format!("`{path}` must be {wanted}, not `{text}`"),
            Value::Float(number) => format!("`{path}` must be {wanted}, not {number}"),
            _ => format!("`{path}` must be {wanted}, but this is {}", node.kind()),
        };
        let hint = match wanted {
            "a number" => "write a number such as `2` or `0.5`, without a unit".to_owned(),
            _ => format!("write {wanted}"),
        };
        self.out.push(Diagnostic::error("wrong-type", node.span, message).hint(hint));
    }

    fn refuse(&mut self, span: Span, path: KeyPath<'_>, problem: &str) {
        self.out.push(Diagnostic::with_advice("bad-value", span, &format!("`{path}`: {problem}")));
    }

    fn scalar(&mut self, node: &mut Node, path: KeyPath<'_>, wanted: &str, read: fn(&Node) -> Option<Value>) {
        match read(node) {
            Some(value) => node.value = value,
            None => self.expect(node, wanted, path),
        }
    }

    fn text(&mut self, node: &mut Node, path: KeyPath<'_>) {
        match (&node.value, scalar::text(node)) {
            (Value::String(_), _) => {}
            (Value::Null, _) => node.value = Value::String(String::new()),
            (_, Some(text)) => node.value = Value::String(text),
            (_, None) => self.expect(node, "a string", path),
        }
    }

    fn items(&mut self, node: &mut Node, path: KeyPath<'_>, mut change: impl FnMut(&mut Self, &mut Node, KeyPath<'_>)) {
        let Value::List(items) = &mut node.value else {
            self.expect(node, "a list", path);
            return;
        };
        for item in items {
            change(self, item, path.child(KeyPath::ITEM));
        }
    }

    fn each(&mut self, node: &mut Node, path: KeyPath<'_>, mut change: impl FnMut(&mut Self, &mut Node, KeyPath<'_>)) {
        let Value::Map(map) = &mut node.value else {
            self.expect(node, "a mapping", path);
            return;
        };
        for (key, entry) in &mut map.0 {
            change(self, &mut entry.node, path.child(key));
        }
    }

    fn texts(&mut self, node: &mut Node, path: KeyPath<'_>) {
        if node.as_list().is_none() && scalar::text(node).is_some() {
            self.text(node, path);
            let one = node.clone();
            node.value = Value::List(vec![one]);
            return;
        }
        self.items(node, path, Self::text);
    }

    fn duration(&mut self, node: &mut Node, path: KeyPath<'_>) {
        let Some(text) = scalar::text(node) else {
            self.expect(node, "a duration such as `30s`", path);
            return;
        };
        // The reference takes a negative one and prints it; what a wait below zero means is asked when it is used.
        let (sign, length) = text.strip_prefix('-').map_or(("", text.as_str()), |length| ("-", length));
        match duration::parse(length) {
            Ok(read) => node.value = Value::String(format!("{sign}{}", duration::print(read))),
            Err(problem) => self.refuse(node.span, path, &problem),
        }
    }

    fn boolean(&mut self, node: &mut Node, path: KeyPath<'_>) {
        if let Value::String(text) = &node.value
            && let Some(value) = cast::boolean(text)
        {
            let name = path.to_string();
            self.out.extend(cast::old_boolean(name.rsplit('.').next().unwrap_or(&name), text, value, node.span));
            node.value = Value::Bool(value);
        } else if node.as_bool().is_none() {
            self.expect(node, "true or false", path);
        }
    }

    fn unsigned(&mut self, node: &mut Node, bits: u32, path: KeyPath<'_>) {
        let number = match &node.value {
            Value::Int(number) => *number,
            Value::Float(number) if number.abs() < BEYOND => number.trunc() as i128,
            _ => {
                self.expect(node, "a whole number", path);
                return;
            }
        };
        if number < 0 {
            self.refuse(node.span, path, &format!("`{number}` is negative"));
            return;
        }
        let kept = number & ((1 << bits) - 1);
        if kept != number {
            let message = format!("`{path}`: `{number}` is too large, and Compose reads `{kept}`");
            self.out.push(Diagnostic::warning("value-changed", node.span, message).hint("write a smaller number"));
        }
        node.value = Value::Int(kept);
    }

    fn bytes(&mut self, node: &mut Node, path: KeyPath<'_>) {
        match &node.value {
            Value::Int(count) => node.value = Value::String(count.to_string()),
            Value::Float(count) => {
                let message = format!("`{path}`: Compose reads nothing from `{count}` here, so it is not limited");
                self.out.push(
                    Diagnostic::warning("value-changed", node.span, message)
                        .hint("write a whole number of bytes, or a text with a unit: `512m`"),
                );
                node.value = Value::String("0".to_owned());
            }
            Value::String(text) if text == "-1" => {
                let may_be_unlimited = path.to_string().ends_with("memswap_limit");
                self.refuse(
                    node.span,
                    path,
                    if may_be_unlimited {
                        "`-1` in quotes is not a size; write it without quotes"
                    } else {
                        "`-1` is not a size; leave the key out when nothing is to be limited"
                    },
                );
            }
            Value::String(text) => match bytes::parse(text) {
                Ok(count) => node.value = Value::String(bytes::print(count)),
                Err(problem) => self.refuse(node.span, path, &problem),
            },
            _ => self.expect(node, "a size such as `512m`", path),
        }
    }

    fn command(&mut self, node: &mut Node, path: KeyPath<'_>) {
        let Some(line) = node.as_str() else {
            self.items(node, path, Self::text);
            return;
        };
        match words::split(line) {
            Err(problem) => self.out.push(
                Diagnostic::error("bad-command", node.span, format!("`{path}` {problem}"))
                    .hint("write the command as a list of words"),
            ),
            Ok(read) => {
                if let Some(cut_off) = read.cut_off {
                    let message = format!("`{path}` is no shell: all from `{}` on is left out", first_line(&cut_off));
                    self.out.push(
                        Diagnostic::warning("command-cut-off", node.span, message)
                            .hint("write `[\"sh\", \"-c\", \"…\"]` to have a shell read it"),
                    );
                }
                let words = read.words.into_iter().map(|word| Node::string(word, node.span)).collect();
                node.value = Value::List(words);
            }
        }
    }

    /// `bare_is_missing`: a name alone waits for the caller's value; else it stands for an empty text.
    fn mapping(&mut self, node: &mut Node, path: KeyPath<'_>, bare_is_missing: bool) {
        let lines = match &mut node.value {
            Value::Map(map) => {
                for (key, entry) in &mut map.0 {
                    if !(bare_is_missing && entry.node.is_null()) {
                        self.text(&mut entry.node, path.child(key));
                    }
                }
                return;
            }
            Value::List(lines) => std::mem::take(lines),
            _ => {
                self.expect(node, "a mapping or a list of `name=value`", path);
                return;
            }
        };
        let mut map = Map::default();
        for line in lines {
            let text = scalar::text(&line).unwrap_or_default();
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Value::String(value.to_owned())),
                None if bare_is_missing => (text.as_str(), Value::Null),
                None => (text.as_str(), Value::String(String::new())),
            };
            if bare_is_missing && name.ends_with(char::is_whitespace) {
                self.refuse(line.span, path, &format!("the name `{name}` ends with a space"));
            }
            map.set(name, Node::new(value, line.span));
        }
        node.value = Value::Map(map);
    }

    fn hosts(&mut self, node: &mut Node, path: KeyPath<'_>) {
        let mut lines: Vec<(String, Span)> = Vec::new();
        let mut add = |host: &str, address: &str, span: Span| {
            let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            lines.push((format!("{host}={}", bare.filter(|bare| !bare.is_empty()).unwrap_or(address)), span));
        };
        let mut problems: Vec<(Span, String)> = Vec::new();
        match &node.value {
            Value::Map(map) => {
                for (host, entry) in map.iter() {
                    if host.is_empty() || host.contains([':', '=']) {
                        problems.push((entry.key_span, format!("`{host}` is not a host name")));
                    }
                    match &entry.node.value {
                        Value::List(addresses) => {
                            addresses.iter().for_each(|one| add(host, &scalar::text(one).unwrap_or_default(), one.span))
                        }
                        _ => add(host, &scalar::text(&entry.node).unwrap_or_default(), entry.node.span),
                    }
                }
            }
            Value::List(items) => {
                for item in items {
                    let text = scalar::text(item).unwrap_or_default();
                    match text.split_once('=').or_else(|| text.split_once(':')) {
                        Some((host, _)) if host.is_empty() || host.contains([':', '=']) => {
                            problems.push((item.span, format!("`{host}` is not a host name")));
                        }
                        Some((host, addresses)) => {
                            addresses.split(',').for_each(|address| add(host, address, item.span));
                        }
                        None => problems.push((item.span, format!("`{text}` has no address; write `{text}:10.0.0.2`"))),
                    }
                }
            }
            _ => problems.push((node.span, "must be a mapping or a list of `host=address`".to_owned())),
        }
        lines.sort_by(|a, b| a.0.cmp(&b.0));
        node.value = Value::List(lines.into_iter().map(|(line, span)| Node::string(line, span)).collect());
        for (span, problem) in problems {
            self.refuse(span, path, &problem);
        }
    }

    fn ulimit(&mut self, node: &mut Node, path: KeyPath<'_>) {
        if node.as_map().is_none() {
            self.scalar(node, path, "a whole number, or `soft` and `hard`", whole_number);
            return;
        }
        self.each(node, path, |this, limit, path| this.scalar(limit, path, "a whole number", whole_number));
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The first number that has no place in 64 bits: the reference makes another one of it.
const BEYOND: f64 = 9_223_372_036_854_775_808.0;

fn whole_number(node: &Node) -> Option<Value> {
    match &node.value {
        Value::Int(value) => Some(Value::Int(*value)),
        // Go's decoder cuts a fraction off.
        Value::Float(value) if value.abs() < BEYOND => Some(Value::Int(value.trunc() as i128)),
        Value::String(text) => text.parse().ok().map(Value::Int),
        _ => None,
    }
}

/// The reference keeps such numbers in 32 bits, and prints the shortest text that gives them back.
fn number(node: &Node) -> Option<Value> {
    let wide = match &node.value {
        Value::Int(value) => *value as f64,
        Value::Float(value) => *value,
        Value::String(text) => cast::float(text)?,
        _ => return None,
    };
    format!("{}", wide as f32).parse().ok().map(Value::Float)
}

fn file_mode(node: &Node) -> Option<Value> {
    let mode = match &node.value {
        Value::Int(mode) => *mode,
        Value::String(text) => i128::from_str_radix(text, 8).ok()?,
        _ => return None,
    };
    let sign = if mode < 0 { "-" } else { "" };
    Some(Value::String(format!("0{sign}{:o}", mode.unsigned_abs())))
}
