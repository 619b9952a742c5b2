//! How far a container was read, so that reading again loses no line and gives none twice.

const NANOS_A_SECOND: i64 = 1_000_000_000;

/// The newest moment of which lines were given, and how many. Two lines may have the same time, and the engine gives a
/// moment's lines always in the same order: going on means to ask from that moment on and to leave out so many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    at_nanos: i64,
    given: u32,
    /// How many of that moment's lines are still to be left out.
    to_skip: u32,
}

impl Cursor {
    /// From when on to ask, as the engine takes it; `None` before the first line.
    pub fn since(&self) -> Option<String> {
        let (seconds, rest) = (self.at_nanos / NANOS_A_SECOND, self.at_nanos % NANOS_A_SECOND);
        (self.at_nanos > 0).then(|| format!("{seconds}.{rest:09}"))
    }

    /// To be called when reading begins again from [`Cursor::since`].
    pub fn rewind(&mut self) {
        self.to_skip = self.given;
    }

    /// Whether a line of this moment follows directly on what was given. When not, lines between may be missing.
    pub fn joins(&self, at_nanos: i64) -> bool {
        self.at_nanos == 0 || at_nanos <= self.at_nanos
    }

    /// Whether this line is new; it then counts as given.
    pub fn takes(&mut self, at_nanos: i64) -> bool {
        if at_nanos == self.at_nanos && self.to_skip > 0 {
            self.to_skip -= 1;
            return false;
        }
        if at_nanos > self.at_nanos {
            *self = Cursor { at_nanos, given: 1, to_skip: 0 };
        } else if at_nanos == self.at_nanos {
            self.given += 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader sees who reads up to a line, loses the connection, and goes on.
    fn read_twice(lines: &[i64], breaks_after: usize) -> Vec<usize> {
        let mut cursor = Cursor::default();
        let mut seen: Vec<usize> = (0..breaks_after).filter(|&place| cursor.takes(lines[place])).collect();
        cursor.rewind();
        let from = cursor.at_nanos;
        let again = (0..lines.len()).filter(|&place| lines[place] >= from);
        seen.extend(again.filter(|&place| cursor.takes(lines[place])));
        seen
    }

    #[test]
    fn every_line_must_be_given_once_wherever_the_reading_breaks() {
        let lines = [5, 5, 5, 7, 9, 9, 9, 9, 12];
        for place in 0..=lines.len() {
            assert_eq!(read_twice(&lines, place), (0..lines.len()).collect::<Vec<_>>(), "broken after {place}");
        }
    }

    #[test]
    fn a_break_in_the_middle_of_a_rewound_moment_must_not_lose_count() {
        let mut cursor = Cursor::default();
        assert!(cursor.takes(5) && cursor.takes(5));
        for _ in 0..3 {
            // Broken again after the first of the two lines was seen for the second time.
            cursor.rewind();
            assert!(!cursor.takes(5));
        }
        cursor.rewind();
        assert!(!cursor.takes(5) && !cursor.takes(5) && cursor.takes(5));
    }

    #[test]
    fn a_line_that_came_a_hair_late_must_be_given() {
        let mut cursor = Cursor::default();
        assert!(cursor.takes(10) && cursor.takes(9), "two pipes are written down in no strict order");
        assert_eq!(cursor.since().as_deref(), Some("0.000000010"));
        assert!(cursor.joins(10) && !cursor.joins(11));
    }
}
