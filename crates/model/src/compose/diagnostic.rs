//! Complaints with a place. All complaints of a load come together.

use super::load::Loaded;
use super::tree::{Sources, Span};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// One complaint: what is wrong, where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// A stable word for the kind of complaint, such as `unknown-key`; tests and `--json` use it.
    pub code: &'static str,
    /// One sentence in the user's words, without a final full stop; names stand in backticks.
    pub message: String,
    pub span: Span,
    /// What to write or run instead.
    pub hint: Option<String>,
}

impl Diagnostic {
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Error, code, message: message.into(), span, hint: None }
    }

    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, code, message: message.into(), span, hint: None }
    }

    /// A sentence whose part after the first `; ` says what to write: that part becomes the hint.
    pub fn with_advice(code: &'static str, span: Span, sentence: &str) -> Self {
        match sentence.split_once("; ") {
            Some((message, advice)) => Diagnostic::error(code, span, message).hint(advice),
            None => Diagnostic::error(code, span, sentence),
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A load that was refused: every complaint, errors and warnings, with the files for showing lines.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    pub list: Vec<Diagnostic>,
    pub sources: Sources,
    /// What could be read all the same, for judging the rest of it in the same run.
    pub partial: Option<Box<Loaded>>,
}

impl Diagnostics {
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// By place, and none twice. Complaints of one place stay in the order in which they were made: the first is the
    /// cause. Another error of another kind at the same place only says the same in the words of a later stage.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|one| one.span);
        let mut kept: Vec<Diagnostic> = Vec::with_capacity(self.list.len());
        for one in std::mem::take(&mut self.list) {
            let mut here = kept.iter().rev().take_while(|before| before.span == one.span);
            let is_known = here.any(|before| {
                let follows = one.span.is_written() && one.severity == before.severity && one.code != before.code;
                follows && one.severity == Severity::Error || *before == one
            });
            if !is_known {
                kept.push(one);
            }
        }
        self.list = kept;
    }

    /// Every complaint as text: `error: message`, `  --> file:line:column`, the line with a caret, the hint.
    pub fn render(&self) -> String {
        let blocks: Vec<String> = self.list.iter().map(|diagnostic| render_one(diagnostic, &self.sources)).collect();
        blocks.join("\n")
    }
}

/// Bytes of a source line that are worth showing.
const LONGEST_SHOWN: usize = 400;

/// One complaint as text, with its line and a caret under the place.
pub fn render_one(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut out = format!("{severity}: {}\n", diagnostic.message);
    let span = diagnostic.span;
    if span.is_written() {
        out += &format!("  --> {}:{}:{}\n", sources.path(span.file), span.line, span.column);
        // A line that fills a screen shows nothing; the place above says where to look.
        let shown = sources.shown_line(span.file, span.line).filter(|line| line.len() <= LONGEST_SHOWN);
        if let Some(line) = shown {
            let number = span.line.to_string();
            let pad = " ".repeat(number.len());
            let before: String = line
                .chars()
                .take(span.column.saturating_sub(1) as usize)
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            out += &format!(" {number} | {line}\n {pad} | {before}^\n");
        }
    }
    if let Some(hint) = &diagnostic.hint {
        out += &format!("  hint: {hint}\n");
    }
    out
}
