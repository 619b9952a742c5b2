//! Where a syntax error most likely came from.
//!
//! A YAML parser complains about the first place that makes no sense, and with indentation that is often a
//! line after the slip. The line above usually tells; this looks at it the way a person would.

use super::super::diagnostic::Diagnostic;
use super::super::tree::{FileId, Span};

/// A better place and better words for an error.
pub(super) struct Suspect {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: &'static str,
    pub(super) hint: String,
}

impl Suspect {
    pub(super) fn complaint(self, code: &'static str, file: FileId) -> Diagnostic {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let span = Span { file, line: number(self.line), column: number(self.column) };
        Diagnostic::error(code, span, self.message).hint(self.hint)
    }
}

/// A line that starts in a column in which no line above does: the nearest two are named.
pub(super) fn other_column(text: &str, line: usize) -> Option<Suspect> {
    let source = text.lines().nth(line.checked_sub(1)?)?;
    let own = indent(source);
    let above: Vec<&str> =
        text.lines().take(line - 1).filter(|line| !without_comment(line).trim().is_empty()).collect();
    let last = indent(above.last()?);
    let outer = above.iter().rev().map(|line| indent(line)).find(|other| *other < own)?;
    if source.trim_start().starts_with("- ") || last <= own {
        return None;
    }
    let hint = format!("indent it by {last} spaces to go on with the lines above, or by {outer} to end them");
    Some(Suspect { line, column: own + 1, message: "this line does not fit the indentation of those above", hint })
}

/// Looks at a line in which a `:` or a word stands where none can, and at the line of text above it.
pub(super) fn look(text: &str, line: usize) -> Option<Suspect> {
    let source = text.lines().nth(line.checked_sub(1)?)?;
    let code = without_comment(source);
    if code.match_indices(": ").count() + usize::from(code.trim_end().ends_with(':')) > 1 {
        // The error is in this line, and the words for it are good.
        return None;
    }
    let lines: Vec<&str> = text.lines().take(line - 1).collect();
    let above = lines.iter().rposition(|line| !without_comment(line).trim().is_empty())?;
    let written = without_comment(lines[above]);
    let body = written.trim();
    let suspect =
        |column, message, hint: &str| Some(Suspect { line: above + 1, column, message, hint: hint.to_owned() });
    let open = |a: char, b: char| written.matches(a).count() > written.matches(b).count();
    if open('[', ']') || open('{', '}') {
        let column = written[..written.rfind(['[', '{'])?].chars().count() + 1;
        return suspect(
            column,
            "this bracket is not closed",
            "close it in this line, or quote a text that starts with it",
        );
    }
    if body.ends_with(['|', '>']) || body.ends_with("|-") || body.ends_with(">-") {
        let hint = "indent the lines of the text deeper than its key";
        return Some(Suspect {
            line,
            column: indent(source) + 1,
            message: "the text of a `|` or `>` block is not indented",
            hint: hint.to_owned(),
        });
    }
    let is_item = body.starts_with("- ") || body == "-";
    if !is_item && !body.contains(": ") && !body.ends_with(':') {
        return Some(no_key(body, above + 1, indent(written) + 1));
    }
    if indent(source) > indent(written) && !body.ends_with(':') && !is_item {
        return Some(Suspect {
            line,
            column: indent(source) + 1,
            message: "this line is indented deeper than the one above, which already has its value",
            hint: "put both in the same column, or take the value away from the line above".to_owned(),
        });
    }
    None
}

/// A line that should be a key and is none.
fn no_key(body: &str, line: usize, column: usize) -> Suspect {
    if let Some(mended) = spaced(body) {
        let message = "a space is missing behind the `:`";
        return Suspect { line, column, message, hint: format!("write `{mended}`") };
    }
    let is_word = body.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let hint = match is_word {
        true => format!("write `{body}:`"),
        false => "a key is followed by `:`, and by a space when its value stands in the same line".to_owned(),
    };
    Suspect { line, column, message: "this line has no `: `, so it is no key", hint }
}

/// `image: nginx` for `image:nginx`. An address such as `http://…` is none of these.
pub(in crate::compose) fn spaced(text: &str) -> Option<String> {
    let (key, value) = text.split_once(':')?;
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let is_value = !value.is_empty() && !value.starts_with([' ', '/']) && !value.contains('\n');
    (is_key && is_value).then(|| format!("{key}: {value}"))
}

/// The quote that was never closed: the nearest line above with an odd number of them.
pub(super) fn open_quote(text: &str, line: usize) -> Option<Suspect> {
    let lines: Vec<&str> = text.lines().take(line).collect();
    lines.iter().enumerate().rev().find_map(|(index, written)| {
        let at = ['"', '\''].iter().find(|quote| written.matches(**quote).count() % 2 == 1)?;
        let column = written[..written.rfind(*at)?].chars().count() + 1;
        let hint =
            "close the quote that opens here; lines of a quoted text are indented deeper than its key".to_owned();
        Some(Suspect { line: index + 1, column, message: "a quoted text has no end", hint })
    })
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    line.split(" #").next().unwrap_or_default()
}
