//! Text that is too wide for its terminal goes on below, broken between words.

use unicode_width::UnicodeWidthStr as _;

/// `text` after `start`; from the second line on it begins at the column `below`. What stands in backticks is kept in one
/// line where it fits: it is there to be copied.
pub fn wrapped(start: &str, text: &str, below: usize, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = start.to_owned();
    let mut is_begun = false;
    for word in words(text, width.saturating_sub(below)) {
        if is_begun && line.width() + word.trim_end().width() > width {
            lines.push(line.trim_end().to_owned());
            (line, is_begun) = (" ".repeat(below), false);
        }
        if is_begun || word != " " {
            line += word;
            is_begun = true;
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// Words with the space behind them; a quoted piece that fits into `room` is one.
fn words(text: &str, room: usize) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (whole, after) = rest.split_at(piece(rest).len());
        if whole.trim_end().width() <= room {
            found.push(whole);
        } else {
            found.extend(whole.split_inclusive(' '));
        }
        rest = after;
    }
    found
}

/// Up to the first space that is not in backticks. A backtick that nobody closes is a sign as any other.
fn piece(text: &str) -> &str {
    let mut quoted_from = None;
    for (at, sign) in text.char_indices() {
        match (sign, quoted_from) {
            ('`', None) => quoted_from = Some(at).filter(|_| text[at + 1..].contains('`')),
            ('`', Some(_)) => quoted_from = None,
            (' ', None) => return &text[..=at],
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_to_be_copied_must_stay_in_one_line_where_it_fits() {
        let text = "start it: `mainstay up web`, or see `docker ps`";
        assert_eq!(wrapped("", text, 2, 20), ["start it:", "  `mainstay up web`,", "  or see `docker ps`"]);
        assert_eq!(wrapped("", text, 2, 14), ["start it:", "  `mainstay up", "  web`, or see", "  `docker ps`"]);
        assert_eq!(wrapped("", "it's a ` that nobody closes", 0, 12), ["it's a `", "that nobody", "closes"]);
    }
}
