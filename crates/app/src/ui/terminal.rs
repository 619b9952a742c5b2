//! The terminal itself: its size, and keys as they are pressed.

use std::os::fd::AsFd;

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr};

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

/// What is typed is not shown, until this is dropped. Ctrl-C ends the line instead of the program, which would leave the
/// terminal as it is.
pub struct QuietTerminal {
    before: Termios,
}

impl QuietTerminal {
    /// What Ctrl-C then types.
    pub const CTRL_C: u8 = 3;

    /// # Errors
    /// When stdin is no terminal that can do so.
    pub fn enter() -> Result<Self, Problem> {
        let trouble = |error: rustix::io::Errno| {
            Problem::world("terminal", "the terminal could not be kept from showing what is typed")
                .caused_by(&std::io::Error::from(error))
        };
        let before = tcgetattr(std::io::stdin()).map_err(trouble)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        quiet.special_codes[SpecialCodeIndex::VEOL] = Self::CTRL_C;
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &quiet).map_err(trouble)?;
        Ok(QuietTerminal { before })
    }
}

impl Drop for QuietTerminal {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}
