//! A cursor over the settled tree: a node, the path that leads to it, and the list where complaints go.
//!
//! Reading is tolerant about how a scalar was written (`"512"` and `512` are one number) and strict about what it
//! means: whatever cannot be read becomes a complaint with the path and the place, and reading goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::compose::{Diagnostic, Node, Span, Value};
use crate::compose::{bytes, duration};

/// Where every complaint of one declaration is gathered.
#[derive(Debug, Default)]
pub(super) struct Complaints(RefCell<Vec<Diagnostic>>);

impl Complaints {
    pub(super) fn add(&self, diagnostic: Diagnostic) {
        self.0.borrow_mut().push(diagnostic);
    }

    pub(super) fn into_list(self) -> Vec<Diagnostic> {
        self.0.into_inner()
    }
}

/// One node on the way.
#[derive(Clone)]
pub(super) struct Place<'a> {
    pub(super) path: String,
    pub(super) node: &'a Node,
    /// Where the key stands; for the items of a list, where the item stands.
    pub(super) span: Span,
    complaints: &'a Complaints,
}

impl<'a> Place<'a> {
    pub(super) fn root(node: &'a Node, complaints: &'a Complaints) -> Self {
        Place { path: String::new(), node, span: node.span, complaints }
    }

    /// The value under a key; nothing where the key is missing or null.
    pub(super) fn child(&self, key: &str) -> Option<Place<'a>> {
        let map = self.node.as_map()?;
        let (_, entry) = map.iter().find(|(name, _)| *name == key)?;
        (!entry.node.is_null()).then(|| self.under(key, &entry.node, entry.key_span))
    }

    /// Every key with its value, null ones too.
    pub(super) fn children(&self) -> Vec<(&'a str, Place<'a>)> {
        match &self.node.value {
            Value::Map(map) => {
                map.iter().map(|(key, entry)| (key, self.under(key, &entry.node, entry.key_span))).collect()
            }
            Value::Null => Vec::new(),
            _ => {
                self.refuse(format!(
                    "must be a mapping, and is {}; write `key: value` lines below it, indented",
                    self.node.kind()
                ));
                Vec::new()
            }
        }
    }

    /// Every item of a list; a scalar stands for a list of one.
    pub(super) fn items(&self) -> Vec<Place<'a>> {
        match &self.node.value {
            Value::List(items) => items.iter().enumerate().map(|(index, item)| self.item(index, item)).collect(),
            Value::Null => Vec::new(),
            Value::Map(_) => {
                self.refuse(
                    "must be a list, and is a mapping; write a list: `[one, two]`, or lines that start with `- `",
                );
                Vec::new()
            }
            _ => vec![self.clone()],
        }
    }

    fn under(&self, key: &str, node: &'a Node, key_span: Span) -> Place<'a> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        let span = if key_span.is_written() { key_span } else { node.span };
        Place { path, node, span, complaints: self.complaints }
    }

    fn item(&self, index: usize, node: &'a Node) -> Place<'a> {
        Place { path: format!("{}[{index}]", self.path), node, span: node.span, complaints: self.complaints }
    }

    /// A complaint that starts with the path of this place.
    pub(super) fn refuse(&self, what: impl AsRef<str>) {
        let sentence = format!("`{}` {}", self.path, what.as_ref());
        self.say(Diagnostic::with_advice("bad-value", self.value_span(), &sentence));
    }

    /// A warning that starts with the path of this place.
    pub(super) fn warn(&self, code: &'static str, what: impl AsRef<str>) {
        let (what, advice) = match what.as_ref().split_once("; write ") {
            Some((what, advice)) => (what, Some(format!("write {advice}"))),
            None => (what.as_ref(), None),
        };
        let warning = Diagnostic::warning(code, self.span, format!("`{}` {what}", self.path));
        self.say(match advice {
            Some(advice) => warning.hint(advice),
            None => warning,
        });
    }

    /// Where the value stands when it is one word that somebody wrote; else where the key does.
    pub(super) fn value_span(&self) -> Span {
        let is_collection = matches!(self.node.value, Value::List(_) | Value::Map(_));
        if !is_collection && self.node.span.is_written() { self.node.span } else { self.span }
    }

    pub(super) fn say(&self, diagnostic: Diagnostic) {
        self.complaints.add(diagnostic);
    }

    /// The scalar as text, as Compose would print it into an environment.
    pub(super) fn as_text(&self) -> Option<String> {
        match &self.node.value {
            Value::String(text) => Some(text.clone()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Int(value) => Some(value.to_string()),
            Value::Float(value) => Some(value.to_string()),
            Value::Null => None,
            Value::List(_) | Value::Map(_) => {
                self.refuse(format!("must be a single value, and is {}; write one text", self.node.kind()));
                None
            }
        }
    }

    pub(super) fn as_int<T: TryFrom<i128>>(&self) -> Option<T> {
        let number = match &self.node.value {
            Value::Int(value) => Some(*value),
            Value::String(text) => text.trim().parse().ok(),
            Value::Float(value) if value.fract() == 0.0 => Some(*value as i128),
            _ => None,
        };
        let number = number.and_then(|number| T::try_from(number).ok());
        if number.is_none() {
            self.refuse(format!("is not a whole number in the range it has to be in: {}", self.shown()));
        }
        number
    }

    pub(super) fn as_float(&self) -> Option<f64> {
        let number = match &self.node.value {
            Value::Int(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        };
        if number.is_none() {
            self.refuse(format!("is not a number: {}", self.shown()));
        }
        number
    }

    pub(super) fn as_flag(&self) -> Option<bool> {
        let flag = match &self.node.value {
            Value::Bool(value) => Some(*value),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        if flag.is_none() {
            self.refuse(format!("must be `true` or `false`, and is {}", self.shown()));
        }
        flag
    }

    /// A size in bytes: a number, or text such as `64m`.
    pub(super) fn as_bytes(&self) -> Option<i64> {
        match &self.node.value {
            Value::String(text) => self.understood(bytes::parse(text)),
            _ => self.as_int(),
        }
    }

    /// A duration in nanoseconds, from text such as `1m30s`. A number without a unit is refused, as Compose does.
    pub(super) fn as_nanos(&self) -> Option<u64> {
        let length = self.understood(duration::parse(&self.as_text()?))?;
        self.understood(u64::try_from(length.as_nanos()).map_err(|_| "that is longer than five centuries".to_owned()))
    }

    /// What was read, or a complaint in the words of the one who read it.
    fn understood<T>(&self, read: Result<T, String>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(problem) => {
                self.refuse(format!("cannot be read: {problem}"));
                None
            }
        }
    }

    /// The scalars of a list as text.
    pub(super) fn as_strings(&self) -> Vec<String> {
        self.items().iter().filter_map(Place::as_text).collect()
    }

    /// A mapping of scalars, or a list of `KEY=value`. A key without a value is kept as `None`.
    pub(super) fn as_options(&self) -> BTreeMap<String, Option<String>> {
        if matches!(self.node.value, Value::List(_)) {
            let split = |text: String| match text.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (text, None),
            };
            return self.as_strings().into_iter().map(split).collect();
        }
        self.children().into_iter().map(|(key, value)| (key.to_owned(), value.as_text())).collect()
    }

    /// As [`Place::as_options`], where a key without a value has an empty one.
    pub(super) fn as_pairs(&self) -> BTreeMap<String, String> {
        self.as_options().into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect()
    }

    /// The value for a complaint. Long text is cut: it may be something else than what was meant.
    fn shown(&self) -> String {
        match &self.node.value {
            Value::String(text) if text.chars().count() <= 40 => format!("`{text}`"),
            Value::Int(value) => format!("`{value}`"),
            Value::Float(value) => format!("`{value}`"),
            _ => self.node.kind().to_owned(),
        }
    }
}

/// Reading a child and its meaning in one go: a missing key gives nothing.
impl Place<'_> {
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.child(key)?.as_text()
    }

    /// Text that is not empty: Compose means the same by `""` and by leaving the key out.
    pub(super) fn word(&self, key: &str) -> Option<String> {
        self.text(key).filter(|text| !text.is_empty())
    }

    pub(super) fn int<T: TryFrom<i128>>(&self, key: &str) -> Option<T> {
        self.child(key)?.as_int()
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.child(key).and_then(|place| place.as_flag()).unwrap_or(false)
    }

    pub(super) fn bytes(&self, key: &str) -> Option<i64> {
        self.child(key)?.as_bytes()
    }

    /// A size that cannot be negative.
    pub(super) fn size(&self, key: &str) -> Option<u64> {
        let place = self.child(key)?;
        let bytes = place.as_bytes()?;
        let size = u64::try_from(bytes).ok();
        if size.is_none() {
            place.refuse("must not be negative");
        }
        size
    }

    pub(super) fn nanos(&self, key: &str) -> Option<u64> {
        self.child(key)?.as_nanos()
    }

    pub(super) fn strings(&self, key: &str) -> Vec<String> {
        self.child(key).map(|place| place.as_strings()).unwrap_or_default()
    }

    pub(super) fn pairs(&self, key: &str) -> BTreeMap<String, String> {
        self.child(key).map(|place| place.as_pairs()).unwrap_or_default()
    }
}
