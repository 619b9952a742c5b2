//! Takes the values of secrets out of whatever is said: errors, events, lines of containers, history.
//!
//! A value is found as it is, in base64 of either alphabet at any offset, in hexadecimal, and behind escapes of URLs,
//! JSON and programs, also inside of each other. A line of a value that has several is a value of its own.

use std::borrow::Cow;
use std::fmt;

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;

use super::forms::{self, Edges, Form};
use super::views;

/// What stands in a text where a value was.
pub const MASK: &str = "[redacted]";

/// Shorter values, in bytes, are left: they would be found everywhere, and what is masked would tell them.
const SHORTEST: usize = 6;
/// Shorter lines of a value with several lines are left: they are words rather than secrets.
const SHORTEST_LINE: usize = 8;

/// Knows values, and finds them. `Debug` tells none.
#[derive(Clone, Default)]
pub struct Redactor {
    finder: Option<AhoCorasick>,
    /// In the order of the finder's patterns.
    edges: Vec<Edges>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} forms)", self.edges.len())
    }
}

impl Redactor {
    /// One that knows these values.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let known = values.into_iter().filter(|value| value.len() >= SHORTEST);
        let mut all: Vec<Form> = known.flat_map(|value| forms::of(value, SHORTEST_LINE)).collect();
        all.sort();
        all.dedup();
        if all.is_empty() {
            return Redactor::default();
        }
        let built = AhoCorasick::builder().match_kind(MatchKind::Standard).build(all.iter().map(|form| &form.bytes));
        // Only patterns of more than two billion bytes cannot be built.
        let finder = built.expect("the values fit into memory");
        Redactor { finder: Some(finder), edges: all.into_iter().map(|form| form.edges).collect() }
    }

    /// Whether there is nothing that it would find.
    pub fn is_empty(&self) -> bool {
        self.finder.is_none()
    }

    /// The text with [`MASK`] in the place of each value.
    pub fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.cut(text.as_bytes()) {
            // Values are text and escapes are ASCII, so that cutting them out leaves text.
            Some(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
            None => Cow::Borrowed(text),
        }
    }

    /// The same for what may be no text.
    pub fn clean_bytes<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        self.cut(bytes).map_or(Cow::Borrowed(bytes), Cow::Owned)
    }

    /// Cleans every text of a value, keys too.
    pub fn clean_json(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::String(text) => {
                if let Cow::Owned(cleaned) = self.clean(text) {
                    *text = cleaned;
                }
            }
            // A value of digits alone.
            Value::Number(number) => {
                if let Cow::Owned(cleaned) = self.clean(&number.to_string()) {
                    *value = Value::String(cleaned);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.clean_json(item)),
            Value::Object(map) => {
                *map = std::mem::take(map)
                    .into_iter()
                    .map(|(key, mut item)| {
                        self.clean_json(&mut item);
                        (self.clean(&key).into_owned(), item)
                    })
                    .collect();
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// `None` when nothing was found.
    fn cut(&self, text: &[u8]) -> Option<Vec<u8>> {
        let finder = self.finder.as_ref()?;
        let mut found: Vec<(usize, usize)> = Vec::new();
        let hits = |read: &[u8]| -> Vec<(usize, usize)> {
            let hits = finder.find_overlapping_iter(read);
            hits.map(|hit| widened(read, hit.start(), hit.end(), self.edges[hit.pattern().as_usize()])).collect()
        };
        found.extend(hits(text));
        for view in views::undone(text) {
            found.extend(hits(&view.bytes).into_iter().map(|(start, end)| view.original(start, end)));
        }
        if found.is_empty() {
            return None;
        }
        found.sort_unstable();
        let mut cleaned = Vec::with_capacity(text.len());
        let mut at = 0;
        let mut ranges = found.into_iter().peekable();
        while let Some((start, mut end)) = ranges.next() {
            while let Some((_, further)) = ranges.next_if(|(next, _)| *next <= end) {
                end = end.max(further);
            }
            cleaned.extend_from_slice(&text[at..start]);
            cleaned.extend_from_slice(MASK.as_bytes());
            at = end;
        }
        cleaned.extend_from_slice(&text[at..]);
        Some(cleaned)
    }
}

/// With the neighbours that carry bits of the value, and the padding behind them.
fn widened(text: &[u8], mut start: usize, mut end: usize, edges: Edges) -> (usize, usize) {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    if edges.before && start > 0 && is_letter(text[start - 1]) {
        start -= 1;
    }
    if edges.after && text.get(end).is_some_and(|byte| is_letter(*byte)) {
        end += 1;
    }
    if edges.base64 {
        end += text[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
    }
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        Redactor::new(["p@ss w\"rd$1", "-----BEGIN KEY-----\nMIIEvQIBADAN\nBg==\n-----END KEY-----", "short"])
            .clean(text)
            .into_owned()
    }

    #[test]
    fn a_value_is_found_in_all_its_forms() {
        for text in [
            r#"p@ss w"rd$1"#,
            "p%40ss%20w%22rd%241",
            "p@ss+w%22rd$1",
            r#"p@ss w\"rd$1"#,
            r#"p@ss w\\\"rd$1"#,
            "cEBzcyB3InJkJDE=",
            "cEBzcyB3InJkJDE",
            "cEBzcyB3InJkJDE%3D",
            "704073732077227264243 1".replace(' ', "").as_str(),
            "MIIEvQIBADAN",
        ] {
            assert_eq!(cleaned(&format!("before {text} behind")), "before [redacted] behind", "{text}");
        }
        // `user:p@ss w"rd$1` in a header, and with one letter more in front.
        assert_eq!(cleaned("Basic dXNlcjpwQHNzIHcicmQkMQ=="), "Basic dXNlcj[redacted]");
        assert_eq!(cleaned("Basic dXNlcnM6cEBzcyB3InJkJDE="), "Basic dXNlcnM6[redacted]");
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in ["short", "-----BEGIN KEY-----", "Bg==", "p@ss word", ""] {
            assert_eq!(cleaned(text), text);
        }
        let nothing = Redactor::new(["", "12345"]);
        assert!(nothing.is_empty());
        assert!(matches!(nothing.clean("12345"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_stays_json() {
        let mut value = serde_json::json!({ "hunter22": ["a hunter22 b", 12_345_678, true], "n": 7 });
        Redactor::new(["hunter22", "12345678"]).clean_json(&mut value);
        let expected = serde_json::json!({ "[redacted]": ["a [redacted] b", "[redacted]", true], "n": 7 });
        assert_eq!(value, expected);
        assert!(!format!("{:?}", Redactor::new(["hunter22"])).contains("hunter22"));
    }
}
