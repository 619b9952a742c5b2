//! Where a syntax error most likely came from.
//!
//! A YAML parser complains about the first place that makes no sense, and with indentation that is often a
//! line after the slip. The line above usually tells; this looks at it the way a person would.

/// A better place and better words for an error.
pub(super) struct Suspect {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: &'static str,
    pub(super) hint: &'static str,
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
    let suspect = |column, message, hint| Some(Suspect { line: above + 1, column, message, hint });
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
            hint,
        });
    }
    let is_item = body.starts_with("- ") || body == "-";
    if !is_item && !body.contains(": ") && !body.ends_with(':') {
        let hint = "a key is followed by `:`, and by a space when its value stands in the same line";
        return suspect(indent(written) + 1, "this line has no `: `, so it is no key", hint);
    }
    if indent(source) > indent(written) && !body.ends_with(':') && !is_item {
        return Some(Suspect {
            line,
            column: indent(source) + 1,
            message: "this line is indented deeper than the one above, which already has its value",
            hint: "put both in the same column, or take the value away from the line above",
        });
    }
    None
}

/// The quote that was never closed: the nearest line above with an odd number of them.
pub(super) fn open_quote(text: &str, line: usize) -> Option<Suspect> {
    let lines: Vec<&str> = text.lines().take(line).collect();
    lines.iter().enumerate().rev().find_map(|(index, written)| {
        let at = ['"', '\''].iter().find(|quote| written.matches(**quote).count() % 2 == 1)?;
        let column = written[..written.rfind(*at)?].chars().count() + 1;
        let hint = "close the quote that opens here; lines of a quoted text are indented deeper than its key";
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
