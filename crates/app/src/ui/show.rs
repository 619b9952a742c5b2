//! Plans as people see them: the model's text, with colour by meaning.

use mainstay_model::plan::{Plan, render};

use unicode_width::UnicodeWidthStr as _;

use super::wrap::wrapped;
use super::{Paint, Tone};

/// The column of reasons is kept while so much room is left for it.
const ROOM_FOR_REASONS: usize = 28;

/// How findings begin.
const LEVELS: [&str; 3] = ["refused:", "warning:", "note:"];
/// Lines that begin further to the right go on below there.
const ROOM_FOR_A_NUMBER: usize = 4;

/// The steps with their reasons, what is to be known about them, and the tally; within a terminal's width, when there
/// is one.
pub fn plan(plan: &Plan, paint: Paint, width: Option<usize>) -> String {
    let text = render::render(plan);
    let lines = text.trim_end().lines().flat_map(|line| fitted(line, width));
    lines.map(|line| colour(&line, paint)).collect::<Vec<_>>().join("\n")
}

/// A line that is too long goes on below: under its reason where it has one, else under its beginning.
fn fitted(line: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width.filter(|width| line.width() > *width) else { return vec![line.to_owned()] };
    let margin = line.len() - line.trim_start().len();
    let Some((step, reason)) = line.split_once("  because ") else {
        let text = line.trim_start();
        // A hint stands under the words of its finding already.
        let below = match LEVELS.iter().find(|level| text.starts_with(**level)) {
            Some(level) => margin + level.len() + 1,
            None if margin > ROOM_FOR_A_NUMBER => margin,
            None => margin + 2,
        };
        return wrapped(&line[..margin], line.trim_start(), below, width);
    };
    // The column of needs has nothing to stand under any more.
    let reason = match reason.rsplit_once("  after ") {
        Some((why, needs)) => format!("because {}  after {needs}", why.trim_end()),
        None => format!("because {reason}"),
    };
    let column = step.width() + 2;
    if column + ROOM_FOR_REASONS <= width {
        return wrapped(&format!("{step}  "), &reason, column, width);
    }
    let below = margin + step.trim_start().find("  ").map_or(2, |number| number + 2);
    let mut lines = wrapped(&step[..margin], step.trim(), below, width);
    lines.extend(wrapped(&" ".repeat(below), &reason, below, width));
    lines
}

/// Whether there is anything to show besides "nothing to do".
pub fn has_news(plan: &Plan) -> bool {
    !plan.is_empty() || !plan.findings.is_empty()
}

/// `1 step`, `3 steps`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Paints the word that says how grave a line is.
fn colour(line: &str, paint: Paint) -> String {
    const WORDS: [(&str, Tone); 7] = [
        ("[live]", Tone::Good),
        ("[replace]", Tone::Warn),
        ("[interrupt]", Tone::Warn),
        ("[destroy]", Tone::Bad),
        ("  refused:", Tone::Bad),
        ("  warning:", Tone::Warn),
        ("  note:", Tone::Accent),
    ];
    match WORDS.iter().find(|(word, _)| line.contains(word)) {
        Some((word, tone)) => line.replacen(word, &paint.paint(*tone, word), 1),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: &str =
        "  4  wait until shop-web-1 runs, 300 s at most  [live]       because `up` waits until it is ready  after 3";

    fn at(width: usize, line: &str) -> String {
        fitted(line, Some(width)).join("\n")
    }

    #[test]
    fn what_fits_must_stay_as_it_is() {
        assert_eq!(fitted(STEP, None), [STEP]);
        assert_eq!(at(STEP.len(), STEP), STEP);
    }

    #[test]
    fn a_long_reason_must_go_on_under_itself_and_below_the_step_when_there_is_no_room() {
        insta::assert_snapshot!(at(92, STEP), @r"
          4  wait until shop-web-1 runs, 300 s at most  [live]       because `up` waits until it is
                                                                     ready  after 3
        ");
        insta::assert_snapshot!(at(60, STEP), @r"
          4  wait until shop-web-1 runs, 300 s at most  [live]
             because `up` waits until it is ready  after 3
        ");
        insta::assert_snapshot!(at(30, STEP), @r"
          4  wait until shop-web-1
             runs, 300 s at most
             [live]
             because `up` waits until
             it is ready  after 3
        ");
    }

    #[test]
    fn a_long_finding_must_go_on_under_its_own_words() {
        insta::assert_snapshot!(at(44, "  warning: nothing on `shop_default` is called `db-host`"), @r"
          warning: nothing on `shop_default` is
                   called `db-host`
        ");
        insta::assert_snapshot!(at(44, "           declare `networks: { a: {} }` and give `web` that: it is all"), @r"
           declare `networks: { a: {} }` and
           give `web` that: it is all
        ");
        // One word that is wider than the terminal is left to it.
        assert_eq!(at(10, "  note: a-word-without-any-space"), "  note:\n        a-word-without-any-space");
    }
}
