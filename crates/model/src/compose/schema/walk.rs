//! The walk of a tree along the tables, and what it says where they part.

use std::collections::BTreeSet;

use super::super::diagnostic::Diagnostic;
use super::super::tree::{Entry, Map, Node, Span, Value};
use super::misplaced::is_like_service;
use super::remedy::{is_bare_duration, remedy};
use super::service::SERVICE;
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
    /// Keys of which everything was said.
    settled: BTreeSet<Span>,
}

impl Walk {
    /// What is said of whole parts of the file already is not walked through.
    pub(super) fn new(said: Vec<Diagnostic>) -> Self {
        let settled = said.iter().map(|complaint| complaint.span).collect();
        Walk { out: said, path: Vec::new(), settled }
    }

    fn node(&mut self, shape: &Shape, node: &Node) {
        if self.out.len() >= COMPLAINTS_MAX {
            return;
        }
        match &node.value {
            Value::Map(map) => match shape.map {
                Some(Fields::Record(record)) if self.slipped(shape, record, map, node.span) => {}
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
                // `1` and `"1"` are two things to a schema.
                && !seen.insert((item.kind(), text.clone()))
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
                for (name, entry) in
                    map.iter().filter(|(_, entry)| !self.settled.contains(&entry.key_span)).collect::<Vec<_>>()
                {
                    if fits(*names, name) {
                        self.path.push(name.to_owned());
                        self.node(value, &entry.node);
                        self.path.pop();
                    } else if *names == Names::NotEmpty {
                        let message = format!("a name in {} is empty", self.place());
                        let hint = "give it a name, or take the line away";
                        self.out.push(Diagnostic::error("bad-name", entry.key_span, message).hint(hint));
                    } else if *names == Names::Resource {
                        let message = format!("`{name}` cannot be a name in {}", self.place());
                        let hint = match name.contains("${") {
                            true => "variables are filled in in values, not in keys: write the name itself",
                            false => "a name has letters, digits, `.`, `_` and `-`",
                        };
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
            } else if !entry.key_span.is_written() {
                // What nobody wrote was added here, as the content that the environment gives to a secret.
            } else if !(record.extensions && name.starts_with("x-")) && self.out.len() < COMPLAINTS_MAX {
                self.unknown_key(record, name, entry);
            }
        }
        for required in record.required {
            if !map.contains(required) {
                let message = format!("{} needs the key `{required}`, in {}", record.noun, self.place());
                self.out.push(Diagnostic::error("missing-key", span, message).hint(format!("add `{required}: …`")));
            }
        }
    }

    /// A text that a space behind its `:` made a mapping, where a text may stand: `./data: /data`.
    fn slipped(&mut self, shape: &Shape, record: &Record, map: &Map, span: Span) -> bool {
        let in_list = self.path.last().is_some_and(|step| step.starts_with('['));
        let Some((key, entry)) = map.iter().next().filter(|_| in_list && map.len() == 1) else { return false };
        let is_known = record.fields.iter().any(|(field, _)| *field == key) || key.starts_with("x-");
        let Some(value) = plain_text(&entry.node.value).filter(|_| !is_known && shape.scalars & TEXT != 0) else {
            return false;
        };
        let message = format!("{} became a mapping, because of the space behind the `:`", self.place());
        self.out.push(
            Diagnostic::error("wrong-type", span, message).hint(format!("write it without the space: `{key}:{value}`")),
        );
        true
    }

    fn unknown_key(&mut self, record: &Record, name: &str, entry: &Entry) {
        let span = entry.key_span;
        let message = format!("`{name}` is not a key of {}", record.noun);
        let complaint = if record.open {
            Diagnostic::warning("unknown-key", span, format!("{message}, and nothing reads it"))
        } else {
            Diagnostic::error("unknown-key", span, message)
        };
        let service = record.noun == "a service";
        let own_service = || {
            let above = self.path.last()?;
            let hint = format!("if `{name}` is a service of its own, start it in the column of `{above}`");
            (service && is_like_service(&entry.node)).then_some(hint)
        };
        let hint = words::advice(name)
            .filter(|_| service)
            .map(str::to_owned)
            .or_else(own_service)
            .or_else(|| words::nearest(name, record.fields.iter().map(|(key, _)| *key)).map(did_you_mean))
            .or_else(|| home(record, name))
            .or_else(|| record.extensions.then(|| format!("take it away, or call it `x-{name}` to keep it as a note")));
        let known = || {
            let keys: Vec<&str> = record.fields.iter().map(|(key, _)| *key).collect();
            format!("its keys are {}", choice(&keys))
        };
        self.out.push(complaint.hint(hint.unwrap_or_else(known)));
    }

    /// The finer checks of a scalar whose kind fits.
    fn scalar(&mut self, shape: &Shape, node: &Node) {
        let refusal = match (&node.value, shape.rule) {
            (Value::String(text), _) if !shape.words.is_empty() && !shape.words.contains(&text.as_str()) => {
                let suggestion = words::nearest(text, shape.words.iter().copied());
                let hint = suggestion.map(did_you_mean);
                Some((format!("must be {}, not `{text}`", choice(shape.words)), hint))
            }
            (Value::Int(number), Rule::Between(low, high))
                if !(i128::from(low)..=i128::from(high)).contains(number) =>
            {
                Some((format!("must be {}, not {number}", bounds(low, high)), None))
            }
            // What came from a text, or is too large for a whole number.
            (Value::Float(number), Rule::Between(low, high)) if !(low as f64..=high as f64).contains(number) => {
                Some((format!("must be {}, not {number}", bounds(low, high)), None))
            }
            (Value::String(text), Rule::PullPolicy) if !is_pull_policy(text) => {
                let hint = words::nearest(text, PULL_POLICIES.iter().copied());
                let examples = [PULL_POLICIES, &["every_12h"]].concat();
                let message = format!("must be {}, not `{text}`", choice(&examples));
                Some((message, hint.map(did_you_mean)))
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
            Value::Float(number) if shape.scalars & (INT | NUMBER) == INT => {
                format!("{} must be {wanted}, not {number}", self.place())
            }
            found if is_bare_duration(&self.path, found) => format!("{} is a number without a unit", self.place()),
            _ => format!("{} must be {wanted}, not {}", self.place(), node.kind()),
        };
        let complaint = Diagnostic::error("wrong-type", node.span, message);
        self.out.push(match remedy(&self.path, shape, &node.value) {
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

fn did_you_mean(word: String) -> String {
    format!("did you mean `{word}`?")
}

/// Where a key belongs that stands in a service, or at the top.
fn home(record: &Record, name: &str) -> Option<String> {
    let has = |record: &Record| record.fields.iter().any(|(key, _)| *key == name);
    match record.noun {
        "a Compose file" if has(&SERVICE) => {
            Some(format!("`{name}` belongs in a service: move it below the name of one"))
        }
        "a service" => {
            let below = |key: &&&str| {
                let shape = SERVICE.fields.iter().find(|(field, _)| field == *key).map(|(_, shape)| shape);
                matches!(shape.and_then(|shape| shape.map), Some(Fields::Record(inner)) if has(inner))
            };
            let key = ["healthcheck", "build", "deploy", "logging"].iter().find(below)?;
            Some(format!("`{name}` belongs under `{key}`"))
        }
        _ => None,
    }
}

/// A scalar as a person would write it; a null or a collection has no such text.
pub(super) fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

fn bounds(low: i64, high: i64) -> String {
    if high == i64::MAX { format!("at least {low}") } else { format!("between {low} and {high}") }
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
        Names::NotEmpty | Names::NotEmptyOpen => nonempty,
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
