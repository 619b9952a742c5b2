//! What was measured, as medians, and beside what.

use super::gauge::{Cost, load};

/// One way to do the same.
struct Row {
    name: String,
    costs: Vec<Cost>,
}

/// The ways to do one thing, measured in turns. Ratios are to each of the bare tools, within a round.
pub struct Table {
    title: String,
    rows: Vec<Row>,
    notes: Vec<String>,
    loads: Vec<String>,
}

impl Table {
    pub fn new(title: impl Into<String>) -> Table {
        Table { title: title.into(), rows: Vec::new(), notes: Vec::new(), loads: Vec::new() }
    }

    pub fn add(&mut self, name: &str, cost: Cost) {
        eprintln!(
            "  {name}: {:.2} s of processors ({:.2} own), {:.2} s, {:.0} MB",
            cost.cpu(),
            cost.own,
            cost.wall,
            cost.peak_mb
        );
        self.loads.push(load());
        match self.rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row.costs.push(cost),
            None => self.rows.push(Row { name: name.into(), costs: vec![cost] }),
        }
    }

    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// The first row is ours; each other one has the ratio of ours to it.
    pub fn text(&self) -> String {
        let mut out = format!(
            "{}\n{:<40}{:>9}{:>9}{:>9}{:>9}{:>10}{:>11}",
            self.title, "  medians", "CPU s", "own", "wall s", "peak MB", "ours CPU", "ours wall"
        );
        for (index, row) in self.rows.iter().enumerate() {
            let of = |what: fn(&Cost) -> f64| median(row.costs.iter().map(what).collect());
            out += &format!(
                "\n  {:<38}{:>9.2}{:>9.2}{:>9.2}{:>9.1}",
                row.name,
                of(Cost::cpu),
                of(|cost| cost.own),
                of(|cost| cost.wall),
                of(|cost| cost.peak_mb)
            );
            if index > 0 {
                out += &format!("{:>10.2}{:>11.2}", self.ratio(row, Cost::cpu), self.ratio(row, |cost| cost.wall));
            }
        }
        for note in &self.notes {
            out += &format!("\n  {note}");
        }
        out + &format!("\n  load while it was measured: {}", self.loads.join(" "))
    }

    /// The median of the ratios within rounds.
    fn ratio(&self, other: &Row, what: impl Fn(&Cost) -> f64) -> f64 {
        let ours = &self.rows[0].costs;
        median(ours.iter().zip(&other.costs).map(|(ours, theirs)| what(ours) / what(theirs)).collect())
    }
}

pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}
