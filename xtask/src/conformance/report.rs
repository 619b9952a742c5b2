//! The table of a run, and under it every case that a person has to look at.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::cases::{Case, Reading};

/// What came out of one comparison.
#[derive(Clone, Debug)]
pub enum Verdict {
    Same,
    Differs {
        fields: Vec<String>,
    },
    RefusedByBoth {
        ours: String,
        theirs: String,
    },
    RefusedByUs {
        ours: String,
    },
    TakenByUs {
        theirs: String,
    },
    /// Mainstay gave no answer: it panicked, or was ended at a limit.
    Broke {
        ours: String,
    },
    /// It differs, and that is right.
    Known {
        reasons: Vec<String>,
    },
}

/// The columns of the table, in their order.
const COLUMNS: [&str; 8] = [
    "same",
    "differs",
    "refused by both",
    "refused by us alone",
    "taken by us alone",
    "broke",
    "known",
    "not recorded",
];

pub struct Report {
    show_all: bool,
    counts: BTreeMap<Reading, [usize; COLUMNS.len()]>,
    lines: BTreeMap<(usize, Reading, String), Vec<String>>,
}

impl Report {
    pub fn new(show_all: bool) -> Self {
        Report { show_all, counts: BTreeMap::new(), lines: BTreeMap::new() }
    }

    pub fn add(&mut self, case: &Case, reading: Reading, verdict: Option<Verdict>) {
        let (column, told) = match verdict {
            Some(Verdict::Same) => (0, Vec::new()),
            Some(Verdict::Differs { fields }) => {
                let most = if self.show_all { fields.len() } else { 1 };
                (1, fields.into_iter().take(most).collect())
            }
            Some(Verdict::RefusedByBoth { ours, theirs }) => {
                let told = vec![format!("ours: {}", short(&ours)), format!("theirs: {}", short(&theirs))];
                (2, if self.show_all { told } else { Vec::new() })
            }
            Some(Verdict::RefusedByUs { ours }) => (3, vec![short(&ours)]),
            Some(Verdict::TakenByUs { theirs }) => (4, vec![short(&theirs)]),
            Some(Verdict::Broke { ours }) => (5, vec![ours]),
            Some(Verdict::Known { reasons }) => (6, reasons),
            None => (7, Vec::new()),
        };
        self.counts.entry(reading).or_default()[column] += 1;
        if !told.is_empty() {
            self.lines.insert((column, reading, case.name.clone()), told);
        }
    }

    /// Whether nothing has to be looked at.
    pub fn agrees(&self) -> bool {
        self.counts.values().all(|counts| counts[1] == 0 && counts[3..=5].iter().all(|count| *count == 0))
    }

    pub fn render(&self) -> String {
        let mut out = String::new();
        let _ = write!(out, "{:<8}", "reading");
        for column in COLUMNS {
            let _ = write!(out, "  {column}");
        }
        for (reading, counts) in &self.counts {
            let _ = write!(out, "\n{:<8}", reading.name());
            for (column, count) in COLUMNS.iter().zip(counts) {
                let _ = write!(out, "  {count:>0$}", column.len());
            }
        }
        out.push('\n');
        let mut last = None;
        for ((column, reading, name), told) in &self.lines {
            if last != Some((column, reading)) {
                let _ = writeln!(out, "\n{} ({})", COLUMNS[*column], reading.name());
                last = Some((column, reading));
            }
            let _ = writeln!(out, "  {name}");
            for line in told {
                let _ = writeln!(out, "      {line}");
            }
        }
        out
    }
}

/// The first lines of what a program said, as one, without warnings.
fn short(said: &str) -> String {
    let errors = said.find("error:").map_or(said, |at| &said[at..]);
    let is_warning = |line: &&str| line.starts_with("time=") && line.contains("level=warning");
    let lines = errors.lines().map(str::trim).filter(|line| !line.is_empty());
    let text = lines.filter(|line| !is_warning(line)).take(2).collect::<Vec<_>>().join(" ");
    let mut cut: String = text.chars().take(240).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
