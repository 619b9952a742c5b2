//! A build while it runs, folded to what matters: what is at work with its last lines; each instruction that was done
//! in one line with its time; those that were there from an earlier build counted, not listed.

use std::collections::{BTreeMap, VecDeque};

use mainstay_model::operation::{BuildNews, BuildPart};

use super::since::took;
use super::table::cut;

/// How many parts at work are shown, and how many lines of one; a part that works alone shows one more.
const PARTS: usize = 3;
const LINES: usize = 2;
/// What the builder does by itself is worth a line when it takes this long.
const ASIDE_FROM_MS: u64 = 1_000;

/// One build.
pub struct Building {
    /// The service that it is for.
    label: String,
    at_work: BTreeMap<u32, AtWork>,
    /// Instructions that were taken from an earlier build, and not told yet.
    cached: usize,
}

struct AtWork {
    name: String,
    lines: VecDeque<String>,
    /// Whether its name stands above its lines already.
    is_named: bool,
}

/// What is told for good.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Something is over.
    Over(String),
    Failed(String),
    /// What an instruction prints; worth keeping where nothing moves.
    Output(String),
}

impl Building {
    pub fn new(label: &str) -> Self {
        Building { label: label.to_owned(), at_work: BTreeMap::new(), cached: 0 }
    }

    /// Hears a piece of news, and gives what it comes to.
    pub fn hear(&mut self, news: &BuildNews) -> Vec<Line> {
        match news {
            BuildNews::PartBegan { part, what } => {
                let at_work = AtWork { name: what.name.clone(), lines: VecDeque::new(), is_named: false };
                self.at_work.insert(*part, at_work);
                Vec::new()
            }
            BuildNews::PartSaid { part, line } => self.said(*part, line),
            BuildNews::PartEnded { part, what, cached, took_ms } => {
                self.at_work.remove(part);
                self.ended(what, *cached, *took_ms)
            }
            BuildNews::PartFailed { part, what, took_ms } => {
                self.at_work.remove(part);
                let mut lines = self.flush();
                lines.push(Line::Failed(format!("{}: {}  {}", self.label, what.name, took(*took_ms))));
                lines
            }
            BuildNews::PartCancelled { part, .. } => {
                self.at_work.remove(part);
                Vec::new()
            }
            BuildNews::Noted { line } => vec![Line::Over(format!("{}: {line}", self.label))],
        }
    }

    /// What is left to be told when the build is over.
    pub fn flush(&mut self) -> Vec<Line> {
        let line = match std::mem::take(&mut self.cached) {
            0 => return Vec::new(),
            1 => format!("{}: 1 instruction as in an earlier build", self.label),
            many => format!("{}: {many} instructions as in an earlier build", self.label),
        };
        vec![Line::Over(line)]
    }

    /// What is at work, in lines that fit.
    pub fn live(&self, width: Option<usize>) -> Vec<String> {
        let width = width.unwrap_or(usize::MAX);
        let lines_each = if self.at_work.len() == 1 { LINES + 1 } else { LINES };
        let newest = self.at_work.values().rev().take(PARTS).collect::<Vec<_>>();
        let mut shown = Vec::new();
        for part in newest.into_iter().rev() {
            shown.push(cut(&format!("    {}", part.name), width));
            let last = part.lines.iter().skip(part.lines.len().saturating_sub(lines_each));
            shown.extend(last.map(|line| cut(&format!("      {line}"), width)));
        }
        shown
    }

    fn said(&mut self, part: u32, line: &str) -> Vec<Line> {
        let Some(at_work) = self.at_work.get_mut(&part) else {
            return vec![Line::Output(format!("{}: {line}", self.label))];
        };
        if at_work.lines.len() > LINES {
            at_work.lines.pop_front();
        }
        at_work.lines.push_back(line.to_owned());
        let mut told = Vec::new();
        if !std::mem::replace(&mut at_work.is_named, true) {
            told.push(Line::Output(format!("{}: {} …", self.label, at_work.name)));
        }
        told.push(Line::Output(format!("{}:   {line}", self.label)));
        told
    }

    fn ended(&mut self, what: &BuildPart, cached: bool, took_ms: u64) -> Vec<Line> {
        if what.aside && (cached || took_ms < ASIDE_FROM_MS) {
            return Vec::new();
        }
        if cached {
            self.cached += 1;
            return Vec::new();
        }
        let mut lines = self.flush();
        lines.push(Line::Over(format!("{}: {}  {}", self.label, what.name, took(took_ms))));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(name: &str) -> BuildPart {
        BuildPart { name: name.into(), aside: name.starts_with("[internal]") }
    }

    fn began(part: u32, name: &str) -> BuildNews {
        BuildNews::PartBegan { part, what: what(name) }
    }

    fn ended(part: u32, name: &str, cached: bool, took_ms: u64) -> BuildNews {
        BuildNews::PartEnded { part, what: what(name), cached, took_ms }
    }

    fn said(part: u32, line: &str) -> BuildNews {
        BuildNews::PartSaid { part, line: line.into() }
    }

    #[test]
    fn what_is_done_is_one_line_and_what_was_there_is_counted() {
        let mut building = Building::new("web");
        let mut told = Vec::new();
        for news in [
            began(1, "[internal] load build context"),
            ended(1, "[internal] load build context", false, 40),
            began(2, "[1/4] FROM node"),
            ended(2, "[1/4] FROM node", true, 0),
            began(3, "[2/4] COPY . ."),
            ended(3, "[2/4] COPY . .", true, 0),
            began(4, "[3/4] RUN npm ci"),
            ended(4, "[3/4] RUN npm ci", false, 8_100),
            began(5, "[4/4] RUN npm test"),
            BuildNews::PartFailed { part: 5, what: what("[4/4] RUN npm test"), took_ms: 900 },
        ] {
            told.extend(building.hear(&news));
        }
        assert_eq!(
            told,
            [
                Line::Over("web: 2 instructions as in an earlier build".into()),
                Line::Over("web: [3/4] RUN npm ci  8.1s".into()),
                Line::Failed("web: [4/4] RUN npm test  0.9s".into()),
            ]
        );
        assert!(building.flush().is_empty() && building.live(None).is_empty());
    }

    #[test]
    fn the_last_lines_of_what_is_at_work_move() {
        let mut building = Building::new("web");
        building.hear(&began(1, "[1/2] RUN make"));
        for line in ["one", "two", "three", "a very long line that goes on"] {
            building.hear(&said(1, line));
        }
        assert_eq!(building.live(Some(20)), ["    [1/2] RUN make", "      two", "      three", "      a very long l…"]);
        building.hear(&began(2, "[other 1/2] RUN make"));
        assert_eq!(building.live(Some(80)).len(), 4, "two parts at work have two lines each");
    }

    #[test]
    fn where_nothing_moves_a_part_is_named_once_above_its_lines() {
        let mut building = Building::new("web");
        building.hear(&began(1, "[1/2] RUN make"));
        let told: Vec<Line> = ["one", "two"].iter().flat_map(|line| building.hear(&said(1, line))).collect();
        let output = |text: &str| Line::Output(text.into());
        assert_eq!(told, [output("web: [1/2] RUN make …"), output("web:   one"), output("web:   two")]);
    }
}
