//! Colour, by meaning and not by name: what is not painted must still be understood.

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
    Dim,
    Bold,
    Accent,
    /// One of a row of colours that tell neighbours apart, as the prefixes of logs.
    Neighbour(usize),
}

/// Paints, or leaves as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

impl Paint {
    pub fn on() -> Self {
        Paint { on: true }
    }

    pub fn off() -> Self {
        Paint { on: false }
    }

    pub fn is_on(self) -> bool {
        self.on
    }

    pub fn paint(self, tone: Tone, text: &str) -> String {
        const NEIGHBOURS: [&str; 8] = ["36", "33", "32", "35", "34", "96", "93", "95"];
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Bold => "1",
            Tone::Accent => "36",
            Tone::Neighbour(index) => NEIGHBOURS[index % NEIGHBOURS.len()],
        };
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
