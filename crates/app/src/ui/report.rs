//! The one report at the door.

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
    ui.say(render(ui.err, problem).trim_end());
}

/// A problem in the same words without colour, to stand in another one's report.
pub fn plain(problem: &Problem) -> String {
    render(Paint::off(), problem)
}

fn render(paint: Paint, problem: &Problem) -> String {
    let tone = match problem.kind {
        Kind::Consent | Kind::Drift | Kind::Interrupted => Tone::Warn,
        _ => Tone::Bad,
    };
    let mut text = String::new();
    if let Some(exhibit) = &problem.exhibit {
        text += exhibit.trim_end();
        text += "\n\n";
    }
    let heading = paint.paint(tone, &format!("{}:", problem.kind.heading()));
    text += &format!("{heading} {}\n", problem.message);
    for cause in &problem.causes {
        text += &format!("  because: {cause}\n");
    }
    if !problem.log_tail.is_empty() {
        text += "  last lines of the container:\n";
        for line in &problem.log_tail {
            text += &format!("  {} {line}\n", paint.paint(Tone::Dim, "|"));
        }
    }
    for hint in &problem.hints {
        text += &format!("  {} {hint}\n", paint.paint(Tone::Accent, "hint:"));
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
