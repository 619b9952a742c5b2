//! Variables in strings: `$V`, `${V:-default}` and their kin.
//!
//! | written | means |
//! |---|---|
//! | `$V` `${V}` | the value; unset gives an empty text and a warning |
//! | `${V:-d}` `${V-d}` | the default when unset (with `:` also when empty) |
//! | `${V:?e}` `${V?e}` | refused with the reason when unset (with `:` also when empty) |
//! | `${V:+r}` `${V+r}` | the replacement when set (with `:` only when not empty) |
//! | `$$` | a dollar |
//!
//! A `$` before anything else stays as it is, so that `^a$` needs no care. What follows the operator is
//! interpolated too, and even when it is not needed: a required variable inside an unused default is
//! still required. That is how the reference reads it, and files rely on the same result in both tools.

use std::collections::BTreeSet;

use super::diagnostic::Diagnostic;
use super::load::VariableUse;
use super::tree::{Node, Span, Value};

/// Variables within variables; real files have two levels.
const NESTING_MAX: usize = 32;
/// Text that all replacements of one load may make, so that a file of references stays bounded.
const TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Complaints of one load; the rest would only be noise.
const COMPLAINTS_MAX: usize = 100;
/// Recorded uses of variables in one load.
const USES_MAX: usize = 100_000;

/// What an interpolation gathered besides the text.
#[derive(Clone, Debug, Default)]
pub struct Interpolation {
    pub diagnostics: Vec<Diagnostic>,
    /// Every use, in reading order; a variable that is used twice stands twice.
    pub variables: Vec<VariableUse>,
    /// One word behind `?` is a suggested value and no reason, as Coolify means it.
    pub suggests: bool,
    /// Unset variables that were warned about: once is enough.
    warned: BTreeSet<String>,
    written_bytes: usize,
    refused: usize,
}

/// Replaces the variables in every string of a tree; keys stay as they are.
pub fn interpolate(node: &mut Node, lookup: &dyn Fn(&str) -> Option<String>, out: &mut Interpolation) {
    let span = node.span;
    match &mut node.value {
        Value::String(value) if value.contains('$') => *value = text(value, span, lookup, out),
        Value::List(items) => items.iter_mut().for_each(|item| interpolate(item, lookup, out)),
        Value::Map(map) => map.0.values_mut().for_each(|entry| interpolate(&mut entry.node, lookup, out)),
        _ => {}
    }
}

/// Notes the uses of variables in every string of a tree, whatever their values.
pub fn gather_uses(node: &Node, out: &mut Interpolation) {
    match &node.value {
        Value::String(value) if value.contains('$') => {
            // Any value will do: then no variable is missing, and a default is looked into all the same.
            text(value, node.span, &|_| Some(String::from("-")), out);
        }
        Value::List(items) => items.iter().for_each(|item| gather_uses(item, out)),
        Value::Map(map) => map.iter().for_each(|(_, entry)| gather_uses(&entry.node, out)),
        _ => {}
    }
}

/// Replaces the variables of one text; on an error the text comes back as it was and `out` says why.
pub fn text(input: &str, span: Span, lookup: &dyn Fn(&str) -> Option<String>, out: &mut Interpolation) -> String {
    let mut reader = Reader { span, lookup, out };
    match reader.replace(input, 0) {
        Ok(text) => text,
        Err(complaint) => {
            out.refused += 1;
            if out.refused <= COMPLAINTS_MAX {
                out.diagnostics.push(complaint.at(span));
            }
            input.to_owned()
        }
    }
}

/// What to write when it is no slip that a variable is not set.
fn when_meant(name: &str) -> String {
    // Variables of stacks are written large; `$abc` is more often a part of a password or of a shell's script.
    if name.chars().any(|c| c.is_ascii_lowercase()) {
        format!("a plain dollar is written `$$`: `$${name}`")
    } else {
        format!("when empty is meant, write `${{{name}:-}}`")
    }
}

/// What somebody meant who wrote a form that there is not.
fn repaired(part: &str) -> String {
    let forms = "the forms are `${NAME}`, `${NAME:-default}`, `${NAME:?reason}` and `${NAME:+replacement}`; a plain dollar is written `$$`";
    let Some(inner) = part.strip_prefix("${") else { return forms.to_owned() };
    let Some((inner, _)) = inner.split_once('}') else {
        return format!("close it with `}}`, or write `$$` for a plain dollar: `$${{{inner}`");
    };
    let name = name_of(inner);
    match (name, &inner[name.len()..]) {
        ("", "") => "a name stands between the braces: `${NAME}`".to_owned(),
        (name, rest) if !name.is_empty() && (rest.starts_with(":=") || rest.starts_with('=')) => {
            let default = rest.trim_start_matches([':', '=']);
            format!("Compose sets no variables: a default is written `${{{name}:-{default}}}`")
        }
        (_, rest) if inner.starts_with(|c: char| c.is_ascii_digit()) || rest.starts_with(['.', '-']) => {
            format!("a name has letters, digits and `_`, and no digit first; {forms}")
        }
        _ => forms.to_owned(),
    }
}

/// Why a text could not be interpolated.
enum Complaint {
    /// The part from the dollar on.
    NotAVariable(String),
    Missing {
        name: String,
        reason: String,
    },
    TooDeep,
    TooLong,
}

impl Complaint {
    fn at(self, span: Span) -> Diagnostic {
        match self {
            Complaint::NotAVariable(part) => {
                let shown: String = part.lines().next().unwrap_or_default().chars().take(60).collect();
                let hint = repaired(&shown);
                Diagnostic::error("bad-variable", span, format!("`{shown}` is not a variable that Compose can read"))
                    .hint(hint)
            }
            Complaint::Missing { name, reason } => {
                let message = if reason.is_empty() {
                    format!("the variable `{name}` is required and has no value")
                } else {
                    format!("the variable `{name}` is required and has no value: {reason}")
                };
                Diagnostic::error("missing-variable", span, message)
                    .hint(format!("set `{name}` in the environment, or in `.env` beside the Compose file"))
            }
            Complaint::TooDeep => {
                Diagnostic::error("bad-variable", span, format!("variables nest more than {NESTING_MAX} levels"))
            }
            Complaint::TooLong => {
                Diagnostic::error("bad-variable", span, "the values of the variables make this load too large")
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Operator {
    Default,
    Required,
    Replacement,
}

struct Reader<'a> {
    span: Span,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    out: &'a mut Interpolation,
}

impl Reader<'_> {
    fn replace(&mut self, input: &str, depth: usize) -> Result<String, Complaint> {
        if depth > NESTING_MAX {
            return Err(Complaint::TooDeep);
        }
        let mut result = String::with_capacity(input.len());
        let mut rest = input;
        while let Some(at) = rest.find('$') {
            let before = result.len();
            result.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            rest = if let Some(tail) = after.strip_prefix('$') {
                result.push('$');
                tail
            } else if after.starts_with('{') {
                let (value, tail) = self.braced(&rest[at..], depth)?;
                result.push_str(&value);
                tail
            } else {
                let name = name_of(after);
                if name.is_empty() {
                    result.push('$');
                } else {
                    self.note(name, None);
                    result.push_str(&self.value_or_warn(name));
                }
                &after[name.len()..]
            };
            self.out.written_bytes += result.len() - before;
            if self.out.written_bytes > TEXT_BYTES_MAX {
                return Err(Complaint::TooLong);
            }
        }
        result.push_str(rest);
        Ok(result)
    }

    /// Reads `${…}` at the start of a text; gives its value and what follows it.
    fn braced<'t>(&mut self, input: &'t str, depth: usize) -> Result<(String, &'t str), Complaint> {
        let refuse = || Complaint::NotAVariable(input.to_owned());
        let body = &input[2..];
        let name = name_of(body);
        if name.is_empty() {
            return Err(refuse());
        }
        let after = &body[name.len()..];
        if let Some(tail) = after.strip_prefix('}') {
            self.note(name, None);
            return Ok((self.value_or_warn(name), tail));
        }
        let (empty_counts, operator) = match after.strip_prefix(':') {
            Some(operator) => (true, operator),
            None => (false, after),
        };
        let kind = match operator.as_bytes().first() {
            Some(b'-') => Operator::Default,
            Some(b'?') => Operator::Required,
            Some(b'+') => Operator::Replacement,
            _ => return Err(refuse()),
        };
        let end = closing_brace(input).ok_or_else(refuse)?;
        let word_start = input.len() - operator.len() + 1;
        let word = input.get(word_start..end).ok_or_else(refuse)?;
        self.note(name, Some((kind, word)));
        let word = self.replace(word, depth + 1)?;
        let found = (self.lookup)(name);
        let counts = found.as_deref().is_some_and(|value| !(empty_counts && value.is_empty()));
        let value = match (kind, counts) {
            (Operator::Default | Operator::Required, true) => found.unwrap_or_default(),
            (Operator::Default, false) | (Operator::Replacement, true) => word,
            (Operator::Replacement, false) => String::new(),
            (Operator::Required, false) if self.is_suggestion(name, &word) => word,
            (Operator::Required, false) => return Err(Complaint::Missing { name: name.to_owned(), reason: word }),
        };
        Ok((value, &input[end + 1..]))
    }

    /// Whether a word stands for the value that a person was to give. A sentence is a reason everywhere.
    fn is_suggestion(&mut self, name: &str, word: &str) -> bool {
        let stands = self.out.suggests && !word.is_empty() && !word.contains(char::is_whitespace);
        if stands && self.out.warned.insert(name.to_owned()) {
            let message =
                format!("the variable `{name}` is for you to set: `{word}`, which the file suggests, takes its place");
            let hint = format!(
                "set `{name}` in the environment or in `.env`; when the suggestion is meant, write `${{{name}:-{word}}}`"
            );
            self.out.diagnostics.push(Diagnostic::warning("suggested-value", self.span, message).hint(hint));
        }
        stands
    }

    fn note(&mut self, name: &str, said: Option<(Operator, &str)>) {
        if self.out.variables.len() >= USES_MAX {
            return;
        }
        let word = |wanted| said.filter(|(kind, _)| *kind == wanted).map(|(_, word)| word.to_owned());
        self.out.variables.push(VariableUse {
            name: name.to_owned(),
            default: word(Operator::Default),
            alternate: word(Operator::Replacement),
            required: word(Operator::Required).is_some(),
            span: self.span,
        });
    }

    fn value_or_warn(&mut self, name: &str) -> String {
        if let Some(value) = (self.lookup)(name) {
            return value;
        }
        if self.out.warned.insert(name.to_owned()) {
            let message = format!("the variable `{name}` is not set: an empty text takes its place");
            let hint = format!("set `{name}` in the environment or in `.env`; {}", when_meant(name));
            self.out.diagnostics.push(Diagnostic::warning("unset-variable", self.span, message).hint(hint));
        }
        String::new()
    }
}

/// The name at the start of a text: letters, digits and underscores of ASCII, no digit first.
fn name_of(text: &str) -> &str {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return "";
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The brace that closes the `${` at the start of a text. It must stand in the same line. Braces in
/// between are counted, so that a default may be `{"a":1}`; where they do not come out even, the last
/// brace of the line is taken. The character after an opening brace is not looked at, as in the reference.
fn closing_brace(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = 0usize;
    let mut last = None;
    let mut index = 0;
    while index < bytes.len() && bytes[index] != b'\n' {
        match bytes[index] {
            b'{' => {
                open += 1;
                // A closing brace that is skipped here can still be the last one of the line.
                index += 1;
                match bytes.get(index) {
                    Some(b'}') => last = Some(index),
                    Some(b'\n') => break,
                    _ => {}
                }
            }
            b'}' if open == 1 => return Some(index),
            b'}' => {
                open -= 1;
                last = Some(index);
            }
            _ => {}
        }
        index += 1;
    }
    last
}

#[cfg(test)]
mod tests;
