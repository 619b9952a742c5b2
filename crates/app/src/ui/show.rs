//! Plans as people see them: the model's text, with colour by meaning.

use mainstay_model::plan::{Plan, render};

use super::{Paint, Tone};

/// The steps with their reasons, what is to be known about them, and the tally.
pub fn plan(plan: &Plan, paint: Paint) -> String {
    let text = render::render(plan);
    let lines: Vec<String> = text.trim_end().lines().map(|line| colour(line, paint)).collect();
    lines.join("\n")
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
