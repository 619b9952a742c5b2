//! Where in a file something stands.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Both count from 1; the column counts characters, as Postgres and editors do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

impl Place {
    /// The place of a byte of a text; a byte inside a character is taken for the character's first.
    pub fn of_byte(text: &str, byte: usize) -> Place {
        let before = &text.as_bytes()[..byte.min(text.len())];
        let line_start = before.iter().rposition(|one| *one == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|one| **one == b'\n').count() + 1;
        // Bytes that go on with a character are not counted.
        let column = before[line_start..].iter().filter(|one| **one & 0xC0 != 0x80).count() + 1;
        Place { line: count(line), column: count(column) }
    }

    /// The place of the character that a server names in an error: it counts characters of the query from 1.
    pub fn of_character(text: &str, position: u32) -> Place {
        let skipped = position.saturating_sub(1) as usize;
        let byte = text.char_indices().nth(skipped).map_or(text.len(), |(byte, _)| byte);
        Place::of_byte(text, byte)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}
