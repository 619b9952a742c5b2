//! What a person is asked: may this be done, and what is it that must not be seen?

use std::io::{BufRead as _, Write as _};

use super::Ui;
use super::terminal::QuietTerminal;
use crate::problem::{Kind, Problem};

/// Asks on stderr and reads one line from stdin; only `y` and `yes` are yes. Without an answer it is no.
///
/// It blocks, so that it is called where blocking is fine.
pub fn yes_or_no(ui: &Ui, question: &str) -> bool {
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "{} [y/N] ", ui.err.paint(super::Tone::Bold, question));
    let _ = stderr.flush();
    drop(stderr);
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if !matches!(read, Ok(n) if n > 0) {
        ui.say("");
        return false;
    }
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Asks for what must not be seen: one line from the terminal, without showing what is typed. Ctrl-C ends it.
///
/// It blocks, as [`yes_or_no`].
///
/// # Errors
/// When it was interrupted, or the terminal cannot do so.
pub fn hidden(ui: &Ui, question: &str) -> Result<String, Problem> {
    // Before the question: what is typed at once belongs to the answer, and is not shown either.
    let quiet = QuietTerminal::enter()?;
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "{} ", ui.err.paint(super::Tone::Bold, question));
    let _ = stderr.flush();
    drop(stderr);
    let mut line = Vec::new();
    let read = read_line(&mut std::io::stdin().lock(), &mut line);
    drop(quiet);
    // The terminal did not show the line's end either.
    ui.say("");
    let interrupted = || Problem::new(Kind::Interrupted, "interrupted", "nothing was changed");
    if line.last() == Some(&QuietTerminal::CTRL_C) {
        return Err(interrupted());
    }
    read.map_err(|error| Problem::world("terminal", "the terminal could not be read").caused_by(&error))?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| Problem::usage("no-text", "what was typed is no UTF-8; nothing was changed"))
}

/// Up to the line's end, or to a Ctrl-C, which is kept.
fn read_line(input: &mut impl std::io::BufRead, line: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let ready = input.fill_buf()?;
        let end = ready.iter().position(|byte| matches!(*byte, b'\n' | QuietTerminal::CTRL_C));
        let length = end.map_or(ready.len(), |end| end + 1);
        line.extend_from_slice(&ready[..length]);
        input.consume(length);
        if end.is_some() || length == 0 {
            return Ok(());
        }
    }
}
