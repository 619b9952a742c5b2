//! The terminal itself: its size, and keys as they are pressed.

use std::os::fd::AsFd;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use crate::problem::Problem;

/// Columns and rows, when stdout is a terminal that has some.
pub fn size() -> Option<(u16, u16)> {
    size_of(std::io::stdout())
}

/// The same of any stream.
pub fn size_of(stream: impl AsFd) -> Option<(u16, u16)> {
    let size = tcgetwinsize(stream).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// Every key goes to the program in the container, Ctrl-C too, until this is dropped.
pub struct RawTerminal {
    before: Termios,
}

impl RawTerminal {
    /// # Errors
    /// When stdin is no terminal that can do so.
    pub fn enter() -> Result<Self, Problem> {
        let trouble = |error: rustix::io::Errno| {
            Problem::world("terminal", "the terminal could not be prepared")
                .caused_by(&std::io::Error::from(error))
                .hint("`-T` runs the command without a terminal")
        };
        let before = tcgetattr(std::io::stdin()).map_err(trouble)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Now, &raw).map_err(trouble)?;
        Ok(RawTerminal { before })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}
