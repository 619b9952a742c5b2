//! Lines of several containers, each with whose it is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mainstay_engine::docker::{LogLine, LogSource, LogStream};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::{Paint, Tone, Ui};
use crate::problem::Problem;

/// So much is written at once when lines come faster than they are written.
const AT_ONCE: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Prefixed,
    Bare,
    /// One object a line.
    Json,
}

/// Writes lines as they come.
pub struct Lines {
    ui: Ui,
    paint: Paint,
    form: Form,
    timestamps: bool,
    prefixes: Prefixes,
    waiting: Vec<u8>,
}

impl Lines {
    /// The sources that are known beforehand have a say in how wide the prefixes are.
    pub fn new(ui: &Ui, form: Form, timestamps: bool, colour: bool, sources: &[LogSource]) -> Self {
        let paint = if colour { ui.out } else { Paint::off() };
        let prefixes = Prefixes::of(sources);
        Lines { ui: ui.clone(), paint, form, timestamps, prefixes, waiting: Vec::new() }
    }

    /// # Errors
    /// When the output cannot be written.
    pub fn write(&mut self, source: &LogSource, line: &LogLine) -> Result<(), Problem> {
        let at = Timestamp::from_nanosecond(line.at_nanos.into()).ok().filter(|at| at.as_second() > 0);
        let at = at.map(|at| format!("{at:.9}"));
        if self.form == Form::Json {
            self.waiting.extend_from_slice(self.ui.json_text(&json(source, line, at), false)?.as_bytes());
        } else {
            if self.form == Form::Prefixed {
                self.waiting.extend_from_slice(self.prefixes.of_source(source, self.paint).as_bytes());
            }
            if let Some(at) = at.filter(|_| self.timestamps) {
                self.waiting.extend_from_slice(format!("{at} ").as_bytes());
            }
            self.waiting.extend_from_slice(&self.ui.redactions.redactor().clean_bytes(&line.line));
        }
        self.waiting.push(b'\n');
        if self.waiting.len() >= AT_ONCE { self.flush() } else { Ok(()) }
    }

    /// # Errors
    /// When the output cannot be written.
    pub fn flush(&mut self) -> Result<(), Problem> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let written = self.ui.raw_data(&self.waiting);
        self.waiting.clear();
        written
    }
}

/// A line for programs.
#[derive(Serialize)]
struct Line<'a> {
    stack: &'a str,
    service: Option<&'a str>,
    container: &'a str,
    stream: &'static str,
    /// When the engine took it.
    time: Option<String>,
    /// Bytes that are no UTF-8 are replaced.
    line: std::borrow::Cow<'a, str>,
}

fn json<'a>(source: &'a LogSource, line: &'a LogLine, time: Option<String>) -> Line<'a> {
    Line {
        stack: source.stack.as_str(),
        service: source.service.as_ref().map(|service| service.as_str()),
        container: &source.container,
        stream: match line.stream {
            LogStream::Out => "stdout",
            LogStream::Err => "stderr",
        },
        time,
        line: String::from_utf8_lossy(&line.line),
    }
}

/// What stands in front of each container's lines: its service and number, and its stack where there are several. A
/// container that takes another one's place has the same.
struct Prefixes {
    with_stack: bool,
    widest: usize,
    /// The colour of each, in the order in which they were first seen.
    places: BTreeMap<String, usize>,
}

impl Prefixes {
    fn of(sources: &[LogSource]) -> Self {
        let with_stack = sources.iter().any(|source| source.stack != sources[0].stack);
        let mut prefixes = Prefixes { with_stack, widest: 0, places: BTreeMap::new() };
        for source in sources {
            prefixes.of_source(source, Paint::off());
        }
        prefixes
    }

    fn of_source(&mut self, source: &LogSource, paint: Paint) -> String {
        let name = match &source.service {
            Some(service) => format!("{service}-{}", source.number),
            None => source.container.to_string(),
        };
        let label = if self.with_stack { format!("{}/{name}", source.stack) } else { name };
        self.widest = self.widest.max(label.width());
        let pad = " ".repeat(self.widest - label.width());
        let text = format!("{label}{pad} | ");
        let next = self.places.len();
        let place = *self.places.entry(label).or_insert(next);
        paint.paint(Tone::Neighbour(place), &text)
    }
}

#[cfg(test)]
mod tests {
    use mainstay_model::identity::{ServiceName, StackName};

    use super::*;

    fn source(stack: &str, service: &str, number: u32, id: &str) -> LogSource {
        LogSource {
            container_id: id.into(),
            container: format!("{stack}-{service}-{number}").into(),
            stack: StackName::new(stack).expect("a name"),
            service: Some(ServiceName::new(service).expect("a name")),
            number,
        }
    }

    #[test]
    fn prefixes_must_stand_under_each_other_and_keep_their_colour_over_a_replacement() {
        let mut prefixes = Prefixes::of(&[source("shop", "web", 1, "a"), source("shop", "database", 1, "b")]);
        let mut told = |source: LogSource, paint| prefixes.of_source(&source, paint);
        assert_eq!(told(source("shop", "web", 1, "a"), Paint::off()), "web-1      | ");
        let before = told(source("shop", "web", 1, "a"), Paint::on());
        assert_ne!(before, told(source("shop", "web", 2, "c"), Paint::on()).replace("web-2", "web-1"));
        assert_eq!(before, told(source("shop", "web", 1, "d"), Paint::on()));
        assert_eq!(told(source("shop", "a-longer-name", 1, "e"), Paint::off()), "a-longer-name-1 | ");
        assert_eq!(told(source("shop", "web", 1, "d"), Paint::off()), "web-1           | ");
    }

    #[test]
    fn with_several_stacks_each_line_must_say_whose_it_is() {
        let mut prefixes = Prefixes::of(&[source("shop", "db", 1, "a"), source("blog", "db", 1, "b")]);
        assert_eq!(prefixes.of_source(&source("blog", "db", 1, "b"), Paint::off()), "blog/db-1 | ");
    }

    #[test]
    fn a_line_for_programs_must_have_every_field() {
        let line =
            LogLine { stream: LogStream::Err, at_nanos: 1_782_907_200_000_000_050, line: b"a\xff\"b".to_vec().into() };
        let source = source("shop", "web", 1, "a");
        let at = Some("2026-07-01T12:00:00.000000050Z".to_owned());
        let text = super::super::json_text(&json(&source, &line, at), false).expect("JSON");
        assert_eq!(
            text,
            "{\"stack\":\"shop\",\"service\":\"web\",\"container\":\"shop-web-1\",\"stream\":\"stderr\",\
             \"time\":\"2026-07-01T12:00:00.000000050Z\",\"line\":\"a\u{fffd}\\\"b\"}"
        );
    }
}
