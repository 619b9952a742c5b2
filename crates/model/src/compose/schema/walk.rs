//! The walk of a tree along the tables, and what it says where they part.

use std::collections::BTreeSet;

use super::super::diagnostic::Diagnostic;
use super::super::tree::{Map, Node, Span, Value};
use super::shape::{BOOL, FREE_TEXT, Fields, INT, List, NULL, NUMBER, Names, Record, Rule, Shape, TEXT};
use super::words;

/// Words of a pull policy; the reference looks for one of them anywhere in the text.
const PULL_POLICIES: &[&str] = &["always", "never", "build", "if_not_present", "missing", "refresh", "daily", "weekly"];

/// Complaints of one check; the rest would only be noise.
const COMPLAINTS_MAX: usize = 100;

pub(super) struct Walk {
    pub(super) out: Vec<Diagnostic>,
    /// The keys from the root to where the walk is.
    path: Vec<String>,
}

impl Walk {
    pub(super) fn new() -> Self {
        Walk { out: Vec::new(), path: Vec::new() }
    }

    fn node(&mut self, shape: &Shape, node: &Node) {
        if self.out.len() >= COMPLAINTS_MAX {
            return;
        }
        match &node.value {
            Value::Map(map) => match shape.map {
                Some(fields) => self.fields(fields, map, node.span),
                None => self.wrong_kind(shape, node),
            },
            Value::List(items) => match shape.list {
                Some(list) => self.list(list, items),
                None => self.wrong_kind(shape, node),
            },
            scalar if shape.scalars & kinds_of(scalar) != 0 => self.scalar(shape, node),
            _ => self.wrong_kind(shape, node),
        }
    }

    fn list(&mut self, list: &List, items: &[Node]) {
        let mut seen = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            self.path.push(format!("[{index}]"));
            self.node(&list.item, item);
            self.path.pop();
            if list.unique
                && let Some(text) = plain_text(&item.value)
                && !seen.insert(text.clone())
            {
                let message = format!("`{text}` stands twice in {}", self.place());
                self.out.push(Diagnostic::error("duplicate-item", item.span, message).hint("keep one of the two"));
            }
        }
    }

    pub(super) fn fields(&mut self, fields: &Fields, map: &Map, span: Span) {
        match fields {
            Fields::Anything => {}
            Fields::Record(record) => self.record(record, map, span),
            Fields::Named { names, value } => {
                for (name, entry) in map.iter() {
                    if fits(*names, name) {
                        self.path.push(name.to_owned());
                        self.node(value, &entry.node);
                        self.path.pop();
                    } else if *names == Names::Resource {
                        let message = format!("`{name}` cannot be a name in {}", self.place());
                        let hint = "a name has letters, digits, `.`, `_` and `-`";
                        self.out.push(Diagnostic::error("bad-name", entry.key_span, message).hint(hint));
                    }
                }
            }
        }
    }

    fn record(&mut self, record: &Record, map: &Map, span: Span) {
        for (name, entry) in map.iter() {
            if let Ok(index) = record.fields.binary_search_by(|(key, _)| (*key).cmp(name)) {
                self.path.push(name.to_owned());
                self.node(&record.fields[index].1, &entry.node);
                self.path.pop();
            } else if !(record.extensions && name.starts_with("x-")) && self.out.len() < COMPLAINTS_MAX {
                self.unknown_key(record, name, entry.key_span);
            }
        }
        for required in record.required {
            if !map.contains(required) {
                let message = format!("{} needs the key `{required}`, in {}", record.noun, self.place());
                self.out.push(Diagnostic::error("missing-key", span, message));
            }
        }
    }

    fn unknown_key(&mut self, record: &Record, name: &str, span: Span) {
        let message = format!("`{name}` is not a key of {}", record.noun);
        let complaint = if record.open {
            Diagnostic::warning("unknown-key", span, format!("{message}, and nothing reads it"))
        } else {
            Diagnostic::error("unknown-key", span, message)
        };
        let service = record.noun == "a service";
        let hint = words::nearest(name, record.fields.iter().map(|(key, _)| *key))
            .map(|word| format!("did you mean `{word}`?"))
            .or_else(|| words::advice(name).filter(|_| service).map(str::to_owned))
            .or_else(|| record.extensions.then(|| format!("take it away, or call it `x-{name}` to keep it as a note")));
        self.out.push(match hint {
            Some(hint) => complaint.hint(hint),
            None => complaint,
        });
    }

    /// The finer checks of a scalar whose kind fits.
    fn scalar(&mut self, shape: &Shape, node: &Node) {
        let refusal = match (&node.value, shape.rule) {
            (Value::String(text), _) if !shape.words.is_empty() && !shape.words.contains(&text.as_str()) => {
                let suggestion = words::nearest(text, shape.words.iter().copied());
                let hint = suggestion.map(|word| format!("did you mean `{word}`?"));
                Some((format!("must be {}, not `{text}`", choice(shape.words)), hint))
            }
            (Value::Int(number), Rule::Between(low, high))
                if !(i128::from(low)..=i128::from(high)).contains(number) =>
            {
                let bounds =
                    if high == i64::MAX { format!("at least {low}") } else { format!("between {low} and {high}") };
                Some((format!("must be {bounds}, not {number}"), None))
            }
            (Value::String(text), Rule::PullPolicy) if !is_pull_policy(text) => {
                let hint = words::nearest(text, PULL_POLICIES.iter().copied());
                let examples = [PULL_POLICIES, &["every_12h"]].concat();
                let message = format!("must be {}, not `{text}`", choice(&examples));
                Some((message, hint.map(|word| format!("did you mean `{word}`?"))))
            }
            (Value::String(text), Rule::ContainerName) if !has_container_name(text) => {
                let hint = "a name has two or more letters, digits, `_`, `.` or `-`, and starts with a letter or digit";
                Some((format!("cannot be `{text}`"), Some(hint.to_owned())))
            }
            _ => None,
        };
        if let Some((message, hint)) = refusal {
            let complaint = Diagnostic::error("wrong-value", node.span, format!("{} {message}", self.place()));
            self.out.push(match hint {
                Some(hint) => complaint.hint(hint),
                None => complaint,
            });
        }
    }

    fn wrong_kind(&mut self, shape: &Shape, node: &Node) {
        let wanted = wanted_kinds(shape);
        let message = match &node.value {
            Value::Null => format!("{} is empty, but must be {wanted}", self.place()),
            _ => format!("{} must be {wanted}, not {}", self.place(), node.kind()),
        };
        let complaint = Diagnostic::error("wrong-type", node.span, message);
        self.out.push(match remedy(shape, &node.value) {
            Some(hint) => complaint.hint(hint),
            None => complaint,
        });
    }

    /// Where the walk is, in backticks: `services.web.ports`.
    fn place(&self) -> String {
        if self.path.is_empty() {
            return "the file".into();
        }
        let mut text = String::new();
        for step in &self.path {
            if !text.is_empty() && !step.starts_with('[') {
                text.push('.');
            }
            text.push_str(step);
        }
        format!("`{text}`")
    }
}

/// What to write instead of a value of the wrong kind.
fn remedy(shape: &Shape, found: &Value) -> Option<String> {
    match found {
        Value::Null => Some("give it a value, or take the key away".into()),
        Value::List(_) if shape.map.is_some() => Some("write `key: value` lines, without the `- ` in front".into()),
        Value::List(items) if shape.scalars & TEXT != 0 => match items.as_slice() {
            [one] => plain_text(&one.value).map(|text| format!("write the value itself: `{text}`")),
            _ => Some("write one value in the line of the key".into()),
        },
        Value::Map(_) if shape.list.is_some() => {
            Some("write a list: each entry in a line that starts with `- `".into())
        }
        Value::Map(map) if shape.scalars & TEXT != 0 => {
            let slipped = map.iter().next().filter(|_| map.len() == 1).and_then(|(key, entry)| {
                plain_text(&entry.node.value)
                    .map(|value| format!("put it in quotes if it is one text: \"{key}: {value}\""))
            });
            slipped.or_else(|| Some("check the indentation: the lines below belong to this key".into()))
        }
        _ if shape.scalars & (BOOL | NUMBER | INT) == BOOL => Some("write `true` or `false`".into()),
        // A number or a flag in quotes would pass here and fail where it is used.
        _ if shape.scalars & (NUMBER | INT) != 0 && shape.scalars & FREE_TEXT != FREE_TEXT => None,
        scalar if shape.scalars & TEXT != 0 => plain_text(scalar).map(|text| format!("put it in quotes: \"{text}\"")),
        Value::String(text) if shape.list.is_some() => Some(format!("write a list: `[{}]`", quoted(text))),
        scalar if shape.list.is_some() => plain_text(scalar).map(|text| format!("write a list: `[\"{text}\"]`")),
        _ if shape.map.is_some() => Some("write `key: value` lines below it, indented".into()),
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    if text.chars().count() > 60 { "…".into() } else { format!("\"{text}\"") }
}

/// A scalar as a person would write it; a null or a collection has no such text.
fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

fn kinds_of(value: &Value) -> u8 {
    match value {
        Value::Null => NULL,
        Value::Bool(_) => BOOL,
        Value::Int(_) => INT | NUMBER,
        // `1.0` is a whole number to the specification.
        Value::Float(number) if number.fract() == 0.0 => INT | NUMBER,
        Value::Float(_) => NUMBER,
        Value::String(_) => TEXT,
        Value::List(_) | Value::Map(_) => 0,
    }
}

/// The kinds of a shape in words: `a string or a list`.
fn wanted_kinds(shape: &Shape) -> String {
    let mut kinds = Vec::new();
    if shape.map.is_some() {
        kinds.push("a mapping");
    }
    if shape.list.is_some() {
        kinds.push("a list");
    }
    // Where a text is only the written form of a number or a flag, the text needs no mention.
    let more = shape.scalars & (BOOL | NUMBER | INT);
    if more & BOOL != 0 {
        kinds.push("true or false");
    }
    if more & NUMBER != 0 {
        kinds.push("a number");
    } else if more & INT != 0 {
        kinds.push("a whole number");
    }
    if shape.scalars & FREE_TEXT == FREE_TEXT || shape.scalars & TEXT != 0 && more == 0 {
        kinds.push("a string");
    }
    match kinds.as_slice() {
        [] => "empty".into(),
        [one] => (*one).into(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

fn choice(words: &[&str]) -> String {
    let ticked: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match ticked.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => ticked.concat(),
    }
}

fn fits(names: Names, name: &str) -> bool {
    let nonempty = !name.is_empty();
    match names {
        Names::NotEmpty => nonempty,
        Names::Limit => nonempty && name.bytes().all(|b| b.is_ascii_lowercase()),
        Names::Resource | Names::ResourceOpen => {
            nonempty && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        }
    }
}

fn is_pull_policy(text: &str) -> bool {
    let every = text.split("every_").skip(1).any(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        digits > 0 && matches!(rest.as_bytes().get(digits), Some(b'w' | b'd' | b'h' | b'm' | b's'))
    });
    every || PULL_POLICIES.iter().any(|word| text.contains(word))
}

/// Whether the text holds a container name; the reference does not ask that it is nothing else.
fn has_container_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    text.as_bytes().windows(2).any(|pair| pair[0].is_ascii_alphanumeric() && inner(pair[1]))
}
