//! Checks as lines: one each, in the order of the file, as soon as it and all before it have ended.

use std::collections::BTreeMap;

use mainstay_engine::smoke::Heard;
use mainstay_model::smoke::{Check, Report};
use unicode_width::UnicodeWidthStr as _;

use super::Asked;
use crate::problem::Problem;
use crate::ui::since::took;
use crate::ui::{Paint, Tone, Ui};

/// A longer address only pushes its own line.
const WIDEST: usize = 60;

pub(super) struct Lines {
    ui: Ui,
    /// What stands for each check; with its stack where there are several.
    labels: Vec<String>,
    width: usize,
    ended: BTreeMap<usize, Report>,
    next: usize,
    closed: Result<(), Problem>,
}

impl Lines {
    pub(super) fn new(ui: &Ui, asked: &[Asked]) -> Self {
        let is_one = asked.iter().all(|one| one.stack == asked[0].stack);
        let label = |one: &Asked| match is_one {
            true => label(&one.check),
            false => format!("{}  {}", one.stack, label(&one.check)),
        };
        let labels: Vec<String> = asked.iter().map(label).collect();
        let width = labels.iter().map(|label| label.width()).filter(|width| *width <= WIDEST).max().unwrap_or_default();
        Lines { ui: ui.clone(), labels, width, ended: BTreeMap::new(), next: 0, closed: Ok(()) }
    }

    pub(super) fn hear(&mut self, heard: Heard<'_>) {
        match heard {
            Heard::Again { check, reasons, .. } => self.ui.talk(&again(check, reasons, self.ui.err)),
            Heard::Ended { index, report } => {
                self.ended.insert(index, report.clone());
                self.show();
            }
        }
    }

    /// # Errors
    /// When the output was closed.
    pub(super) fn closed(self) -> Result<(), Problem> {
        self.closed
    }

    fn show(&mut self) {
        while let Some(report) = self.ended.remove(&self.next) {
            if !self.ui.json && self.closed.is_ok() {
                self.closed = self.ui.data(&line(&self.labels[self.next], &report, self.width, self.ui.out));
            }
            self.next += 1;
        }
    }
}

fn again(check: &Check, reasons: &[String], paint: Paint) -> String {
    let reason = reasons.first().map_or("", String::as_str);
    let within = took(check.within_ms);
    let words = format!("asking again for {within} at most: {}: {reason}", check.url.shown());
    paint.paint(Tone::Dim, &words)
}

fn label(check: &Check) -> String {
    let shown = check.shown();
    let shown = shown.strip_prefix("GET ").unwrap_or(&shown);
    check.name.as_ref().map_or(shown.to_owned(), |name| format!("{name}  {shown}"))
}

/// `ok      https://shop.example.com   200   31ms`, and what is wrong below it.
fn line(label: &str, report: &Report, width: usize, paint: Paint) -> String {
    let (tone, word) = if report.holds { (Tone::Good, "ok") } else { (Tone::Bad, "failed") };
    let space = " ".repeat(width.saturating_sub(label.width()));
    let status = report.status.map_or("–".to_owned(), |status| status.to_string());
    let answered =
        if report.answered_ms < 1000 { format!("{}ms", report.answered_ms) } else { took(report.answered_ms) };
    let mut text = format!(
        "{}{}  {label}{space}  {status:<3}  {answered:>5}",
        paint.paint(tone, word),
        " ".repeat(6 - word.len())
    );
    if report.attempts > 1 {
        text += &paint.paint(Tone::Dim, &format!("  {} attempts in {}", report.attempts, took(report.waited_ms)));
    }
    let mut below = |tone: Tone, heading: &str, words: &str| {
        let heading = if heading.is_empty() { String::new() } else { format!("{} ", paint.paint(tone, heading)) };
        text += &format!("\n        {heading}{words}");
    };
    report.reasons.iter().for_each(|reason| below(Tone::Plain, "", reason));
    report.warnings.iter().for_each(|warning| below(Tone::Warn, "warning:", warning));
    report.hints.iter().for_each(|hint| below(Tone::Accent, "hint:", hint));
    text
}

#[cfg(test)]
mod tests {
    use mainstay_model::smoke::Whence;

    use super::*;

    fn report(status: Option<u16>) -> Report {
        Report {
            name: None,
            method: "GET".into(),
            url: "https://a.example".into(),
            from: Whence::Edge,
            holds: true,
            status,
            reasons: Vec::new(),
            hints: Vec::new(),
            warnings: Vec::new(),
            attempts: 1,
            answered_ms: 31,
            waited_ms: 31,
        }
    }

    #[test]
    fn a_check_must_be_one_line_and_what_is_wrong_below_it() {
        let late = Report {
            warnings: vec!["the certificate of `a.example` ends in 3 days, and was not renewed".into()],
            ..report(Some(200))
        };
        let failed = Report {
            holds: false,
            reasons: vec!["expected 401, answered 502 `Bad Gateway`".into()],
            attempts: 19,
            waited_ms: 30_040,
            ..report(Some(502))
        };
        let silent = Report {
            holds: false,
            answered_ms: 10_004,
            reasons: vec!["no answer within 10 s".into()],
            hints: vec!["do something".into()],
            ..report(None)
        };
        let labels = ["front  https://a.example", "POST https://api.a.example/v1", "https://b.example"];
        let lines =
            labels.iter().zip([late, failed, silent]).map(|(label, report)| line(label, &report, 29, Paint::off()));
        let all = lines.collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(all, @r"
        ok      front  https://a.example       200   31ms
                warning: the certificate of `a.example` ends in 3 days, and was not renewed
        failed  POST https://api.a.example/v1  502   31ms  19 attempts in 30.0s
                expected 401, answered 502 `Bad Gateway`
        failed  https://b.example              –    10.0s
                no answer within 10 s
                hint: do something
        ");
    }
}
