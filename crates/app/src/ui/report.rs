//! The one report at the door.

use unicode_width::UnicodeWidthStr as _;

use super::wrap::wrapped;
use super::{Paint, Tone, Ui};
use crate::problem::{Kind, Problem};
use crate::wire::ErrorBody;

/// Tells a problem on stderr: heading and message, what stands below it, a container's last lines, what to do next.
pub fn report(ui: &Ui, problem: &Problem) {
    if problem.kind == Kind::BrokenPipe {
        return;
    }
    if ui.json {
        ui.say(&ui.json_text(&ErrorBody::from(problem.clone()), false).unwrap_or_default());
        return;
    }
    ui.say(render(ui.err, problem, ui.err_width).trim_end());
}

/// A problem in the same words without colour, to stand in another one's report.
pub fn plain(problem: &Problem) -> String {
    render(Paint::off(), problem, None)
}

/// Prose that is wider than this is hard to read.
const WIDEST: usize = 100;

/// A painted word and what it says, within a terminal's width when there is one; goes on below under its own words.
pub(super) fn told(
    paint: Paint,
    (tone, word): (Tone, &str),
    margin: usize,
    text: &str,
    width: Option<usize>,
) -> String {
    let start = format!("{}{word} ", " ".repeat(margin));
    let painted = |line: &str| line.replacen(word, &paint.paint(tone, word), 1);
    let Some(width) = width.filter(|_| !text.is_empty()) else { return painted(&format!("{start}{text}")) };
    let below = start.width().min(12);
    let lines = text.lines().enumerate().flat_map(|(number, line)| match number {
        0 => wrapped(&start, line, below, width.min(WIDEST)),
        _ => wrapped(&line[..line.len() - line.trim_start().len()], line.trim_start(), below, width.min(WIDEST)),
    });
    painted(&lines.collect::<Vec<_>>().join("\n"))
}

fn render(paint: Paint, problem: &Problem, width: Option<usize>) -> String {
    let tone = match problem.kind {
        Kind::Consent | Kind::Drift | Kind::Interrupted => Tone::Warn,
        _ => Tone::Bad,
    };
    let mut text = String::new();
    if let Some(exhibit) = &problem.exhibit {
        text += exhibit.trim_end();
        text += "\n\n";
    }
    let mut tell = |mark: (Tone, &str), margin, words: &str| {
        text += &told(paint, mark, margin, words, width);
        text += "\n";
    };
    tell((tone, &format!("{}:", problem.kind.heading())), 0, &problem.message);
    for cause in &problem.causes {
        tell((Tone::Plain, "because:"), 2, cause);
    }
    if !problem.log_tail.is_empty() {
        text += "  last lines:\n";
        for line in &problem.log_tail {
            text += &format!("  {} {line}\n", paint.paint(Tone::Dim, "|"));
        }
    }
    for hint in &problem.hints {
        text += &told(paint, (Tone::Accent, "hint:"), 2, hint, width);
        text += "\n";
    }
    if let Some(operation) = &problem.operation {
        let line = format!("operation {operation} (`mainstay history --operation {operation} --steps`)");
        text += &format!("  {}\n", paint.paint(Tone::Dim, &line));
    }
    if problem.kind == Kind::Bug {
        text += "  this is not your mistake; please report it with the command that you ran\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_must_keep_to_the_terminal_and_stay_whole_without_one() {
        let mut problem =
            Problem::world("busy", "another operation is changing the stack `nocodb` at this very moment")
                .hint("wait until it is done: `mainstay history --follow` shows what it does");
        problem.causes.push("the server holds it: it was asked for by `mainstay up`".into());
        problem.log_tail.push("a line of a container stays as it came, whatever its width is".into());
        insta::assert_snapshot!(render(Paint::off(), &problem, Some(46)), @r"
        error: another operation is changing the stack
               `nocodb` at this very moment
          because: the server holds it: it was asked
                   for by `mainstay up`
          last lines:
          | a line of a container stays as it came, whatever its width is
          hint: wait until it is done:
                `mainstay history --follow` shows what
                it does
        ");
        let whole = render(Paint::off(), &problem, None);
        assert_eq!(whole.lines().count(), 5, "{whole}");
    }
}
