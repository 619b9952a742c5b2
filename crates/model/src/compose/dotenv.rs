//! The dialect of `.env` and `env_file`.
//!
//! `KEY=value` or `KEY: value`, a bare `KEY` to take the caller's value, `export` in front of any of them.
//! A value without quotes ends at the line's end or at ` #`; single quotes are literal; double quotes know
//! escapes; both may run over lines. Values without quotes and in double quotes are interpolated, by the
//! environment first and then by the keys above. Where the reference's reader has accidents rather than
//! rules (a bare key at the very end of a file becomes a value without a key), the rule is kept instead.

use indexmap::IndexMap;

use super::diagnostic::{Diagnostic, Severity};
use super::interpolate::{self, Interpolation};
use super::tree::{FileId, Span};

const COMPLAINTS_MAX: usize = 50;

type Variables = IndexMap<String, Option<String>>;
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Keys in the order of the file (a repeated key stands once, with its last value);
/// `None` for a bare `KEY` that `lookup` does not know.
///
/// `lookup` is the caller's environment. A value may use earlier keys of the same file; the
/// environment wins over them, as it does everywhere in Compose.
///
/// # Errors
/// Every complaint with its line.
pub fn parse(bytes: &[u8], file: FileId, lookup: Lookup<'_>) -> Result<Vec<(String, Option<String>)>, Vec<Diagnostic>> {
    parse_after(Vec::new(), bytes, file, lookup)
}

/// A file after others: its values may use what those said, and the result holds all of it, the later
/// file over the earlier.
///
/// # Errors
/// Every complaint with its line.
pub fn parse_after(
    before: Vec<(String, Option<String>)>,
    bytes: &[u8],
    file: FileId,
    lookup: Lookup<'_>,
) -> Result<Vec<(String, Option<String>)>, Vec<Diagnostic>> {
    let text = decode(bytes, file)?;
    let mut reader = Reader {
        rest: text,
        line: 1,
        file,
        lookup,
        found: before.into_iter().collect(),
        complaints: Vec::new(),
        interpolation: Interpolation::default(),
    };
    while reader.statement() {}
    let Reader { found, mut complaints, interpolation, .. } = reader;
    let refused = interpolation.diagnostics.into_iter().filter(|one| one.severity == Severity::Error);
    complaints.extend(refused.map(without_value));
    complaints.sort_by_key(|complaint| complaint.span.line);
    if complaints.is_empty() { Ok(found.into_iter().collect()) } else { Err(complaints) }
}

/// What the value says after its dollar may be a part of a password.
fn without_value(complaint: Diagnostic) -> Diagnostic {
    if complaint.code != "bad-variable" {
        return complaint;
    }
    Diagnostic::error(complaint.code, complaint.span, "a `$` in this value starts nothing that Compose can read")
        .hint("put the value in single quotes, where a dollar is a dollar")
}

/// `format: raw`: `KEY=everything up to the line end`, no quotes, no variables.
///
/// # Errors
/// Every complaint with its line.
pub fn parse_raw(bytes: &[u8], file: FileId) -> Result<Vec<(String, Option<String>)>, Vec<Diagnostic>> {
    let text = decode(bytes, file)?;
    let mut found = Variables::new();
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let body = line.trim_start();
        if body.is_empty() || body.starts_with('#') {
            continue;
        }
        if complaints.len() >= COMPLAINTS_MAX {
            break;
        }
        let span = Span { file, line: number, column: column(line, body) };
        let (key, value) = match body.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (body, None),
        };
        if key.is_empty() {
            complaints.push(no_name(span));
        } else if key.contains(char::is_whitespace) {
            complaints.push(spaced_name(span, true));
        } else {
            found.insert(key.to_owned(), value);
        }
    }
    if complaints.is_empty() { Ok(found.into_iter().collect()) } else { Err(complaints) }
}

struct Reader<'a> {
    rest: &'a str,
    line: u32,
    file: FileId,
    lookup: Lookup<'a>,
    found: Variables,
    complaints: Vec<Diagnostic>,
    interpolation: Interpolation,
}

impl<'a> Reader<'a> {
    /// Reads one statement; `false` at the end of the file, or when more complaints would only be noise.
    fn statement(&mut self) -> bool {
        self.skip_blank();
        if self.rest.is_empty() {
            return false;
        }
        let whole = self.rest;
        let span = Span { file: self.file, line: self.line, column: 1 };
        if let Some(after) = self.rest.strip_prefix("export")
            && after.starts_with(char::is_whitespace)
        {
            self.advance(self.rest.len() - after.trim_start_matches(is_blank).len());
        }
        match self.key() {
            Ok((key, false)) => {
                // Where the caller has no value, one from above stays.
                let value = (self.lookup)(key).or_else(|| self.found.get(key).cloned().flatten());
                self.found.insert(key.to_owned(), value);
            }
            Ok((key, true)) => {
                if let Some(value) = self.value(span) {
                    self.found.insert(key.to_owned(), Some(value));
                }
            }
            Err(KeyFault::Empty) => self.refuse(no_name(span)),
            Err(KeyFault::Spaced) => {
                let has_value = whole.split('\n').next().is_some_and(|line| line.contains('='));
                self.refuse(spaced_name(span, has_value));
            }
            Err(KeyFault::Character(found, at)) => {
                let message = format!("`{found}` cannot stand in the name of a variable");
                let span = Span { column: at, ..span };
                let hint = "a line is `NAME=value`; a name has letters, digits, `_`, `.` and `-`";
                self.refuse(Diagnostic::error("bad-env-file", span, message).hint(hint));
            }
        }
        self.complaints.len() < COMPLAINTS_MAX
    }

    /// Reads a key up to its `=` or `:`, and tells whether a value follows.
    fn key(&mut self) -> Result<(&'a str, bool), KeyFault> {
        let rest = self.rest;
        for (at, c) in rest.char_indices() {
            match c {
                '=' | ':' | '\n' => {
                    let key = rest[..at].trim_end();
                    check_key(key)?;
                    if c == '\n' {
                        self.advance(at);
                        return Ok((key, false));
                    }
                    let value = rest[at + 1..].trim_start_matches(is_blank);
                    self.advance(rest.len() - value.len());
                    return Ok((key, true));
                }
                '_' | '.' | '-' | '[' | ']' => {}
                _ if is_blank(c) || c.is_alphanumeric() => {}
                _ => {
                    let column = rest[..at].chars().count() + 1;
                    return Err(KeyFault::Character(c, u32::try_from(column).unwrap_or(u32::MAX)));
                }
            }
        }
        let key = rest.trim_end();
        check_key(key)?;
        self.advance(rest.len());
        Ok((key, false))
    }

    /// Reads a value and interpolates it; `None` when it was refused.
    fn value(&mut self, span: Span) -> Option<String> {
        match self.rest.as_bytes().first() {
            Some(b'\'') => self.quoted('\'', span),
            Some(b'"') => {
                let raw = self.quoted('"', span)?;
                Some(self.expand(&unescape(&raw), span))
            }
            _ => {
                let line = self.rest.split('\n').next().unwrap_or_default();
                self.advance(line.len());
                let value = line.split(" #").next().unwrap_or_default().trim_end();
                Some(self.expand(value, span))
            }
        }
    }

    /// Reads up to the closing quote. A backslash only guards the quote; any other stays for [`unescape`].
    fn quoted(&mut self, quote: char, span: Span) -> Option<String> {
        let mut value = String::new();
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            if c == quote && !escaped {
                self.advance(at + 1);
                return Some(value);
            }
            if c == '\\' && !escaped {
                escaped = true;
                continue;
            }
            if escaped && c != quote {
                value.push('\\');
            }
            escaped = false;
            value.push(c);
        }
        let message = format!("the value that starts with {quote} in this line has no closing quote");
        // What the open quote swallowed cannot be told from values: reading stops here.
        self.complaints.push(
            Diagnostic::error("bad-env-file", span, message)
                .hint("close the quote, or leave it out; nothing below this line was read"),
        );
        self.rest = "";
        None
    }

    fn expand(&mut self, value: &str, span: Span) -> String {
        if !value.contains('$') {
            return value.to_owned();
        }
        let (found, lookup) = (&self.found, self.lookup);
        let both = |name: &str| lookup(name).or_else(|| found.get(name).cloned().flatten());
        interpolate::text(value, span, &both, &mut self.interpolation)
    }

    /// Skips white space, line ends and comments.
    fn skip_blank(&mut self) {
        loop {
            let body = self.rest.trim_start();
            self.advance(self.rest.len() - body.len());
            if !body.starts_with('#') {
                return;
            }
            self.advance(body.find('\n').unwrap_or(body.len()));
        }
    }

    fn advance(&mut self, bytes: usize) {
        let (gone, rest) = self.rest.split_at(bytes);
        self.line += u32::try_from(gone.bytes().filter(|b| *b == b'\n').count()).unwrap_or(u32::MAX);
        self.rest = rest;
    }

    /// Complains and goes on with the next line, so that all faults show at once.
    fn refuse(&mut self, complaint: Diagnostic) {
        self.complaints.push(complaint);
        self.advance(self.rest.find('\n').unwrap_or(self.rest.len()));
    }
}

enum KeyFault {
    Empty,
    Spaced,
    Character(char, u32),
}

fn check_key(key: &str) -> Result<(), KeyFault> {
    if key.is_empty() {
        Err(KeyFault::Empty)
    } else if key.contains(char::is_whitespace) {
        Err(KeyFault::Spaced)
    } else {
        Ok(())
    }
}

/// The escapes of double quotes: `\n` and its kin, `\"`, `\\`, `\$`, and octal `\0101`.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let digits = after.bytes().skip(1).take(3).take_while(u8::is_ascii_digit).count();
        let (text, length) = match after.as_bytes().first() {
            Some(b'a') => ('\x07', 1),
            Some(b'b') => ('\x08', 1),
            Some(b'f') => ('\x0C', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'v') => ('\x0B', 1),
            Some(b'"') => ('"', 1),
            Some(b'\\') => ('\\', 1),
            Some(b'$') => {
                // The interpolation that follows makes one dollar of two.
                out.push('$');
                ('$', 1)
            }
            Some(b'0') if digits == 3 => match u8::from_str_radix(&after[1..4], 8) {
                Ok(code) => (char::from(code), 4),
                Err(_) => ('\\', 1),
            },
            // Too short for a code: the reference loses the zero, and values must be equal in both tools.
            Some(b'0') => ('\\', 1),
            _ => ('\\', 0),
        };
        out.push(text);
        rest = &after[length..];
    }
    out.push_str(rest);
    out
}

fn decode(bytes: &[u8], file: FileId) -> Result<&str, Vec<Diagnostic>> {
    let body = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(body).map_err(|error| {
        let before = &body[..error.valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let span = Span { file, line: u32::try_from(line).unwrap_or(u32::MAX), column: 1 };
        vec![Diagnostic::error("not-utf8", span, "this line is not UTF-8 text").hint("save the file as UTF-8")]
    })
}

/// White space that does not end a line.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\x0B' | '\x0C' | '\r' | ' ' | '\u{85}' | '\u{A0}')
}

fn column(line: &str, body: &str) -> u32 {
    u32::try_from(line[..line.len() - body.len()].chars().count() + 1).unwrap_or(u32::MAX)
}

fn no_name(span: Span) -> Diagnostic {
    Diagnostic::error("bad-env-file", span, "this line has a value, but no name").hint("a line is `NAME=value`")
}

/// What stands in such a line is not told: it may be the rest of a secret.
fn spaced_name(span: Span, has_value: bool) -> Diagnostic {
    let message = if has_value { "a space stands in the name in front of `=`" } else { "this line has no `=`" };
    Diagnostic::error("bad-env-file", span, message)
        .hint("a line is `NAME=value`; a comment starts with `#`; a value over several lines stands in quotes")
}

#[cfg(test)]
mod tests;
