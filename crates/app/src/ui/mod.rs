//! What people see. Data goes to stdout, talk to stderr; nothing else in the program prints.

pub mod ask;
mod building;
pub mod lines;
pub mod meter;
pub mod paint;
pub mod progress;
pub mod report;
pub mod show;
pub mod since;
pub mod table;
pub mod terminal;
mod wrap;

use std::io::{IsTerminal as _, Write as _};
use std::os::fd::AsFd;

use mainstay_engine::secrets::Redactions;

use crate::config::{Environment, Settings};
use crate::problem::{Kind, Problem};

pub use paint::{Paint, Tone};
pub use table::{Cell, Table};

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// Where there is a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// The two streams and how to write on them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ui {
    /// For text on stdout.
    pub out: Paint,
    /// For text on stderr.
    pub err: Paint,
    pub out_is_terminal: bool,
    pub err_is_terminal: bool,
    pub in_is_terminal: bool,
    /// Columns of the terminal that stdout is; `None` where there is none, and then nothing is cut.
    pub width: Option<usize>,
    /// The same of stderr.
    pub err_width: Option<usize>,
    pub quiet: bool,
    /// Data as JSON.
    pub json: bool,
    /// What is never told, on either stream.
    pub redactions: Redactions,
}

impl Ui {
    pub fn of(settings: &Settings, environment: &Environment) -> Self {
        let out_is_terminal = std::io::stdout().is_terminal();
        let err_is_terminal = std::io::stderr().is_terminal();
        let dumb = environment.get("TERM") == Some("dumb");
        let paint = |is_terminal: bool| match settings.color {
            ColorChoice::Always => Paint::on(),
            ColorChoice::Never => Paint::off(),
            ColorChoice::Auto if is_terminal && !dumb => Paint::on(),
            ColorChoice::Auto => Paint::off(),
        };
        Ui {
            out: paint(out_is_terminal),
            err: paint(err_is_terminal),
            out_is_terminal,
            err_is_terminal: err_is_terminal && !dumb,
            in_is_terminal: std::io::stdin().is_terminal(),
            width: width(out_is_terminal, std::io::stdout(), environment),
            err_width: width(err_is_terminal, std::io::stderr(), environment),
            quiet: settings.quiet,
            json: settings.json,
            redactions: Redactions::default(),
        }
    }

    /// Writes data and a line end.
    ///
    /// # Errors
    /// [`Kind::BrokenPipe`] when nobody reads any more.
    pub fn data(&self, text: &str) -> Result<(), Problem> {
        self.raw_data(format!("{}\n", self.redactions.clean(text)).as_bytes())
    }

    /// Writes bytes of data as they are, secrets too: for what a person asked to see.
    ///
    /// # Errors
    /// [`Kind::BrokenPipe`] when nobody reads any more.
    pub fn raw_data(&self, bytes: &[u8]) -> Result<(), Problem> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => {
                Problem::new(Kind::BrokenPipe, "broken-pipe", "nobody reads the output any more")
            }
            _ => Problem::world("output", "the output could not be written").caused_by(&error),
        })
    }

    /// Writes a value as one line of JSON.
    ///
    /// # Errors
    /// As [`Ui::data`].
    pub fn json_line(&self, value: &impl serde::Serialize) -> Result<(), Problem> {
        self.raw_data(format!("{}\n", self.json_text(value, false)?).as_bytes())
    }

    /// Writes a value as JSON, spread over lines for a person to read.
    ///
    /// # Errors
    /// As [`Ui::data`].
    pub fn json_document(&self, value: &impl serde::Serialize) -> Result<(), Problem> {
        self.raw_data(format!("{}\n", self.json_text(value, true)?).as_bytes())
    }

    /// Says something on stderr, unless told to be quiet.
    pub fn talk(&self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Something good to know, on stderr, unless told to be quiet.
    pub fn note(&self, text: &str) {
        self.talk(&report::told(self.err, (Tone::Accent, "note:"), 0, text, self.err_width));
    }

    /// A warning, on stderr.
    pub fn warn(&self, text: &str) {
        self.say(&report::told(self.err, (Tone::Warn, "warning:"), 0, text, self.err_width));
    }

    /// A problem that does not end the command: its message and what is below it in one line, then what to do.
    pub fn warn_of(&self, problem: &Problem) {
        let mut text = problem.message.clone();
        for cause in &problem.causes {
            text += &format!(": {cause}");
        }
        self.warn(&text);
        for hint in &problem.hints {
            self.say(&report::told(self.err, (Tone::Accent, "hint:"), 2, hint, self.err_width));
        }
    }

    /// Says something on stderr even when told to be quiet. A closed stderr is nobody's trouble.
    pub fn say(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(format!("{}\n", self.redactions.clean(text)).as_bytes());
    }

    /// A value as JSON without secrets: they are taken out of its texts, so that what is left is JSON still.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which would be our mistake.
    pub fn json_text(&self, value: &impl serde::Serialize, pretty: bool) -> Result<String, Problem> {
        let redactor = self.redactions.redactor();
        if redactor.is_empty() {
            return json_text(value, pretty);
        }
        let mut value = serde_json::to_value(value).map_err(|error| no_json(&error))?;
        redactor.clean_json(&mut value);
        json_text(&value, pretty)
    }

    /// Whether a person can be asked.
    pub fn can_ask(&self) -> bool {
        self.in_is_terminal && self.err_is_terminal
    }
}

fn json_text(value: &impl serde::Serialize, pretty: bool) -> Result<String, Problem> {
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    text.map_err(|error| no_json(&error))
}

fn no_json(error: &serde_json::Error) -> Problem {
    Problem::new(Kind::Bug, "json", "a value could not be written as JSON").caused_by(error)
}

fn width(is_terminal: bool, stream: impl AsFd, environment: &Environment) -> Option<usize> {
    if !is_terminal {
        return None;
    }
    let told = environment.get("COLUMNS").and_then(|columns| columns.parse().ok());
    told.or_else(|| terminal::size_of(stream).map(|(columns, _)| usize::from(columns)))
}

/// The report when there are not even settings: plain, on stderr.
pub fn report_without_settings(problem: &Problem, json: bool) {
    let ui = Ui {
        out: Paint::off(),
        err: Paint::off(),
        out_is_terminal: false,
        err_is_terminal: false,
        in_is_terminal: false,
        width: None,
        err_width: None,
        quiet: false,
        json,
        redactions: Redactions::default(),
    };
    report::report(&ui, problem);
}
