//! The one question that is ever asked: may this be done?

use std::io::{BufRead as _, Write as _};

use super::Ui;

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
