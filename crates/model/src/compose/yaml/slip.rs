//! Slips that one line shows by itself, whatever the parser says of it.

use super::suspect::Suspect;

/// Signs that cannot start a text that stands without quotes.
const NEED_QUOTES: &[char] = &['@', '`', '%', '*', '&', '|', '>', '!', '?', ','];

/// Looks at the line of an error. `column` is where the parser stopped, counted from 1.
pub(super) fn look(source: &str, line: usize, column: usize) -> Option<Suspect> {
    let suspect = |column, message, hint: String| Some(Suspect { line, column, message, hint });
    let trimmed = source.trim_start();
    let start = source.chars().count() - trimmed.chars().count() + 1;
    if ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|mark| source.starts_with(mark)) {
        let hint = "keep one of the two sides, and remove the lines that start with `<<<<<<<`, `=======` and `>>>>>>>`";
        return suspect(1, "this is the mark of a merge conflict that was not solved", hint.to_owned());
    }
    if let Some(at) = template(source) {
        let hint = "render the template first; a text that holds `{{` stands in quotes";
        return suspect(at, "this is a template, and no YAML yet", hint.to_owned());
    }
    if let Some(tab) = source.chars().take(start - 1).position(|c| c == '\t') {
        return suspect(tab + 1, "a tab cannot indent YAML", super::complaint::TAB_HINT.to_owned());
    }
    let value: String = source.chars().skip(column.saturating_sub(1)).collect();
    if value.starts_with(NEED_QUOTES) {
        return suspect(column, sign(&value), format!("put the value in quotes: {}", quoted(without_comment(&value))));
    }
    let (at, value) = value_with_colon(trimmed)?;
    let hint = format!("put the value in quotes: {}", quoted(without_comment(value)));
    suspect(start + at, "the value holds a `: `, which would make a key of what stands before it", hint)
}

/// The column of `{{` or `{%` that starts a value or the line.
fn template(source: &str) -> Option<usize> {
    let body = source.trim_start().trim_start_matches("- ");
    let value = body.split_once(": ").map_or(body, |(_, value)| value).trim_start();
    let starts = value.starts_with("{{") || value.starts_with("{%") || body.starts_with("{%");
    starts.then(|| source.find(['{']).map(|at| source[..at].chars().count() + 1)).flatten()
}

/// The value after the first `: `, with its distance, when it holds another one and stands without quotes.
fn value_with_colon(line: &str) -> Option<(usize, &str)> {
    let at = line.find(": ")? + 2;
    let value = line[at..].trim_start();
    let at = line.len() - value.len();
    let is_plain = !value.starts_with(['"', '\'', '[', '{', '|', '>', '&', '*', '!']);
    let holds_one = value.contains(": ") || value.ends_with(':');
    (is_plain && holds_one && !line.starts_with('#')).then(|| (line[..at].chars().count(), value))
}

fn sign(value: &str) -> &'static str {
    match value.chars().next() {
        Some('@') => "`@` cannot start a value",
        Some('`') => "a backtick cannot start a value",
        Some('%') => "`%` cannot start a value",
        Some('*') => "`*` starts an alias (`*name`), and no name follows",
        Some('&') => "`&` starts an anchor (`&name`), and no name follows",
        _ => "this sign cannot start a value",
    }
}

fn without_comment(value: &str) -> &str {
    value.split(" #").next().unwrap_or_default().trim_end()
}

/// A text in the quotes that change nothing in it.
pub(super) fn quoted(text: &str) -> String {
    if text.contains(['"', '\\']) { format!("'{}'", text.replace('\'', "''")) } else { format!("\"{text}\"") }
}
