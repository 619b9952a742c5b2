//! What is said when the command line cannot be read.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::problem::{Kind, Problem};
use crate::ui;

/// Tells the mistake, as one object where programs listen, and gives the exit code. Help and version are data, and end
/// with 0; clap writes them on stdout.
pub fn report(mut error: clap::Error) -> u8 {
    if !error.use_stderr() {
        let _ = error.print();
        return 0;
    }
    if let Some(tip) = tip(&error) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    if wants_json() {
        ui::report_without_settings(&problem(&error), true);
    } else {
        let _ = error.print();
    }
    Kind::Usage.exit_code()
}

/// Whether `--json` stands on a command line that may be unreadable otherwise.
pub fn wants_json() -> bool {
    std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json")
}

/// What somebody most likely meant who knows other programs.
fn tip(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::UnknownArgument if text(ContextKind::InvalidArg) == Some("-f") => {
            Some("a Compose file is named with '-f' before the command, or with '--file'".to_owned())
        }
        ErrorKind::UnknownArgument if error.render().to_string().contains("Usage: mainstay plan [") => {
            Some("flags of a command stand behind its name, as in 'mainstay plan up --build'".to_owned())
        }
        _ => None,
    }
}

/// clap's words without its layout: the first paragraph is the message, tips and usage are hints.
fn problem(error: &clap::Error) -> Problem {
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n").map(|paragraph| {
        paragraph.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    });
    let message = paragraphs.next().unwrap_or_default();
    let mut problem = Problem::usage("command-line", message.trim_start_matches("error: "));
    problem.hints = paragraphs.filter(|hint| !hint.is_empty()).collect();
    problem
}
