//! A tree of values laid out as YAML, with the quotes and blocks that the reference's emitter chooses.

use serde_json::{Map as Object, Value as Json};

use super::plain;
use crate::compose::scalar;

/// A key longer than this stands on a line of its own.
const LONGEST_SIMPLE_KEY: usize = 128;

pub fn emit(value: &Json) -> String {
    let mut emitter = Emitter { out: String::new() };
    match value {
        Json::Object(map) if !map.is_empty() => emitter.map(map, 0, false),
        Json::Array(items) if !items.is_empty() => emitter.list(items, 0, false),
        other => emitter.scalar(other, 0),
    }
    emitter.out.push('\n');
    emitter.out
}

struct Emitter {
    out: String,
}

impl Emitter {
    fn line(&mut self, indent: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    /// `begun`: the first entry stands where the writing is, after `- `.
    fn map(&mut self, map: &Object<String, Json>, indent: usize, begun: bool) {
        let mut begun = begun || self.out.is_empty();
        for (key, value) in map {
            if !std::mem::take(&mut begun) {
                self.line(indent);
            }
            self.key(key, indent);
            match value {
                Json::Object(map) if !map.is_empty() => self.map(map, indent + 2, false),
                Json::Array(items) if !items.is_empty() => self.list(items, indent + 2, false),
                scalar => {
                    self.out.push(' ');
                    self.scalar(scalar, indent + 2);
                }
            }
        }
    }

    fn key(&mut self, key: &str, indent: usize) {
        if key.contains('\n') || key.len() > LONGEST_SIMPLE_KEY {
            self.out.push_str("? ");
            self.text(key, indent + 2);
            self.line(indent);
        } else if key.is_empty() {
            self.out.push_str("\"\"");
        } else {
            self.text(key, indent + 2);
        }
        self.out.push(':');
    }

    fn list(&mut self, items: &[Json], indent: usize, begun: bool) {
        let mut begun = begun || self.out.is_empty();
        for item in items {
            if !std::mem::take(&mut begun) {
                self.line(indent);
            }
            self.out.push_str("- ");
            match item {
                Json::Object(map) if !map.is_empty() => self.map(map, indent + 2, true),
                Json::Array(items) if !items.is_empty() => self.list(items, indent + 2, true),
                scalar => self.scalar(scalar, indent + 2),
            }
        }
    }

    fn scalar(&mut self, value: &Json, indent: usize) {
        match value {
            Json::Null => self.out.push_str("null"),
            Json::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Json::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
                Some(float) => self.out.push_str(&scalar::float(float)),
                None => self.out.push_str(&number.to_string()),
            },
            Json::String(text) => self.text(text, indent),
            Json::Array(_) => self.out.push_str("[]"),
            Json::Object(_) => self.out.push_str("{}"),
        }
    }

    fn text(&mut self, text: &str, indent: usize) {
        let look = plain::Look::of(text);
        if text.contains('\n') {
            if look.can_be_block { self.literal(text, indent) } else { self.double_quoted(text) }
        } else if plain::reads_as_other(text) {
            self.double_quoted(text);
        } else if look.can_be_plain {
            self.out.push_str(text);
        } else if look.can_be_single_quoted {
            self.out.push_str(&format!("'{}'", text.replace('\'', "''")));
        } else {
            self.double_quoted(text);
        }
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.out.push('|');
        if text.starts_with([' ', '\n']) {
            self.out.push('2');
        }
        let body = text.trim_end_matches('\n');
        let breaks = text.len() - body.len();
        if breaks == 0 {
            self.out.push('-');
        } else if breaks > 1 || body.is_empty() {
            self.out.push('+');
        }
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            if line.is_empty() {
                self.out.push('\n');
            } else {
                self.line(indent);
                self.out.push_str(line);
            }
        }
    }

    fn double_quoted(&mut self, text: &str) {
        self.out.push('"');
        for letter in text.chars() {
            match letter {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\0' => self.out.push_str("\\0"),
                '\u{7}' => self.out.push_str("\\a"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{b}' => self.out.push_str("\\v"),
                '\u{c}' => self.out.push_str("\\f"),
                '\u{1b}' => self.out.push_str("\\e"),
                '\u{85}' => self.out.push_str("\\N"),
                '\u{a0}' => self.out.push_str("\\_"),
                '\u{2028}' => self.out.push_str("\\L"),
                '\u{2029}' => self.out.push_str("\\P"),
                letter if plain::is_printable(letter) => self.out.push(letter),
                letter => self.escape(u32::from(letter)),
            }
        }
        self.out.push('"');
    }

    fn escape(&mut self, code: u32) {
        self.out.push_str(&match code {
            0..=0xff => format!("\\x{code:02X}"),
            0x100..=0xffff => format!("\\u{code:04X}"),
            _ => format!("\\U{code:08X}"),
        });
    }
}
