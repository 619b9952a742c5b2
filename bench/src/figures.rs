//! Samples, and the table with ratios that is printed at the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Every sample in milliseconds, by measure and subject, in the order of the first sample.
#[derive(Default)]
pub struct Figures {
    measures: Vec<String>,
    subjects: Vec<String>,
    samples: BTreeMap<(String, String), Vec<f64>>,
    /// Single readings that are not times.
    readings: Vec<(String, String)>,
}

impl Figures {
    pub fn add(&mut self, measure: &str, subject: &str, took: Duration) {
        remember(&mut self.measures, measure);
        remember(&mut self.subjects, subject);
        let millis = took.as_secs_f64() * 1000.0;
        self.samples.entry((measure.into(), subject.into())).or_default().push(millis);
    }

    pub fn read(&mut self, what: &str, value: impl Into<String>) {
        self.readings.push((what.into(), value.into()));
    }

    fn median(&self, measure: &str, subject: &str) -> Option<f64> {
        let mut samples = self.samples.get(&(measure.to_owned(), subject.to_owned()))?.clone();
        samples.sort_by(f64::total_cmp);
        samples.get(samples.len() / 2).copied()
    }

    /// The medians, each with its ratio to the first subject that has the measure.
    pub fn table(&self) -> String {
        let mut out = format!("{:<30}", "median, ms (ratio to floor)");
        for subject in &self.subjects {
            out += &format!("{subject:>24}");
        }
        for measure in &self.measures {
            out += &format!("\n{measure:<30}");
            let floor = self.subjects.iter().find_map(|subject| self.median(measure, subject));
            for subject in &self.subjects {
                let cell = match (self.median(measure, subject), floor) {
                    (Some(median), Some(floor)) => format!("{median:.1} ({:.2})", median / floor),
                    _ => "-".to_owned(),
                };
                out += &format!("{cell:>24}");
            }
        }
        for (what, value) in &self.readings {
            out += &format!("\n{what:<60}{value:>24}");
        }
        out
    }

    pub fn json(&self) -> Value {
        let samples: Vec<Value> = self
            .samples
            .iter()
            .map(|((measure, subject), samples)| json!({ "measure": measure, "subject": subject, "ms": samples }))
            .collect();
        json!({ "samples": samples, "readings": self.readings })
    }
}

/// How long something takes.
pub fn timed(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

fn remember(list: &mut Vec<String>, name: &str) {
    if !list.iter().any(|known| known == name) {
        list.push(name.to_owned());
    }
}
