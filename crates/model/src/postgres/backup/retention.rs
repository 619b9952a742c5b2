//! Which backups may go.
//!
//! Slots are filled from the newest backwards: the newest backup of each of so many days, weeks, months, years that have
//! one; a proven one of the same day goes before one that is not. What has no slot may go, and then only when a newer
//! one was proven. Never the newest good one, never the newest proven one, never what an operation took before itself
//! unless a number says how many of those are enough.

use serde::{Deserialize, Serialize};

use super::Reason;
use crate::identity::BackupId;

/// How many of each are kept. What is left out has no slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Keep {
    /// The newest, whenever they were made.
    pub last: u32,
    pub daily: u32,
    pub weekly: u32,
    pub monthly: u32,
    pub yearly: u32,
    /// Of those taken before operations; all when it is left out.
    pub before: Option<u32>,
    /// Zero everywhere is meant: said a second time.
    pub none: bool,
}

/// A day of the calendar of the schedule's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Day {
    pub year: i32,
    pub month: u8,
    pub day: u8,
}

/// What is known of a backup here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub id: BackupId,
    /// When its snapshot was taken.
    pub day: Day,
    /// Of the stored object.
    pub bytes: u64,
    pub reason: Reason,
    pub standing: Standing,
}

/// What its drills have said; the last one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Unproven,
    Proven,
    /// It is no backup, as far as anybody knows: it fills no slot.
    Failed,
}

/// What becomes of one, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fate {
    pub id: BackupId,
    pub kept: bool,
    pub why: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionPlan {
    /// The newest first.
    pub fates: Vec<Fate>,
    /// Why nothing goes, although something might.
    pub refusals: Vec<String>,
}

impl RetentionPlan {
    /// The ids of those that go; none where something stands against it.
    pub fn going(&self) -> Vec<&BackupId> {
        if !self.refusals.is_empty() {
            return Vec::new();
        }
        self.fates.iter().filter(|fate| !fate.kept).map(|fate| &fate.id).collect()
    }
}

impl Keep {
    fn has_slots(&self) -> bool {
        [self.last, self.daily, self.weekly, self.monthly, self.yearly].iter().any(|slots| *slots > 0)
    }

    /// Whether it would keep nothing without that being said twice.
    pub fn is_doubtful(&self) -> bool {
        !self.has_slots() && !self.none
    }
}

/// The plan for backups in any order. `smaller_is_meant`: somebody said that the newest being so small is right.
pub fn plan(backups: &[Candidate], keep: &Keep, smaller_is_meant: bool) -> RetentionPlan {
    let mut newest_first: Vec<&Candidate> = backups.iter().collect();
    newest_first.sort_by(|one, other| other.id.cmp(&one.id));
    let mut fates: Vec<Fate> = newest_first
        .iter()
        .map(|one| Fate { id: one.id.clone(), kept: false, why: "no slot is left for it".into() })
        .collect();
    slots(&newest_first, keep, &mut fates);
    ways_back(&newest_first, keep, &mut fates);
    never(&newest_first, &mut fates);
    RetentionPlan { refusals: refusals(&newest_first, keep, smaller_is_meant, &fates), fates }
}

fn keep_it(fate: &mut Fate, why: impl Into<String>) {
    if !fate.kept {
        *fate = Fate { id: fate.id.clone(), kept: true, why: why.into() };
    }
}

/// What names the period of a backup among others of its kind.
type Period = fn(usize, Day) -> (i64, i64);

fn slots(backups: &[&Candidate], keep: &Keep, fates: &mut [Fate]) {
    let periods: [(u32, &str, Period); 5] = [
        (keep.last, "one of the last", |index, _| (i64::try_from(index).unwrap_or(i64::MAX), 0)),
        (keep.daily, "of a day", |_, day| (day.number(), 0)),
        // Monday begins a week; the first of January 1970 was a Thursday.
        (keep.weekly, "of a week", |_, day| ((day.number() + 3).div_euclid(7), 0)),
        (keep.monthly, "of a month", |_, day| (day.year.into(), day.month.into())),
        (keep.yearly, "of a year", |_, day| (day.year.into(), 0)),
    ];
    // One that could not be restored is none. A way back is not what a schedule leaves: it has a rule of its own.
    let good = |one: &Candidate| one.standing != Standing::Failed && !one.reason.is_way_back();
    for (count, what, period) in periods {
        let mut taken: Vec<((i64, i64), usize)> = Vec::new();
        for (index, one) in backups.iter().enumerate().filter(|(_, one)| good(one)) {
            let period = period(index, one.day);
            match taken.iter().position(|(known, _)| *known == period) {
                Some(slot) => {
                    let is_proven = |index: usize| backups[index].standing == Standing::Proven;
                    if is_proven(index) && !is_proven(taken[slot].1) {
                        taken[slot].1 = index;
                    }
                }
                None if taken.len() < count as usize => taken.push((period, index)),
                None => {}
            }
        }
        for (_, index) in taken {
            keep_it(&mut fates[index], format!("the backup {what}").replace("the backup one", "one"));
        }
    }
}

fn ways_back(backups: &[&Candidate], keep: &Keep, fates: &mut [Fate]) {
    let enough = keep.before.map_or(usize::MAX, |count| count as usize);
    let ways = backups.iter().enumerate().filter(|(_, one)| one.reason.is_way_back());
    for (index, one) in ways.take(enough) {
        keep_it(&mut fates[index], format!("taken {}", one.reason));
    }
}

/// What stays whatever the numbers are.
fn never(backups: &[&Candidate], fates: &mut [Fate]) {
    if let Some(index) = backups.iter().position(|one| one.standing != Standing::Failed) {
        keep_it(&mut fates[index], "the newest");
    }
    let proven = backups.iter().position(|one| one.standing == Standing::Proven);
    if let Some(index) = proven {
        keep_it(&mut fates[index], "the newest that was proven");
    }
    for fate in fates.iter_mut().take(proven.unwrap_or(usize::MAX)) {
        keep_it(fate, "nothing newer was proven");
    }
}

fn refusals(backups: &[&Candidate], keep: &Keep, smaller_is_meant: bool, fates: &[Fate]) -> Vec<String> {
    let mut refusals = Vec::new();
    if fates.iter().all(|fate| fate.kept) {
        return refusals;
    }
    if keep.is_doubtful() {
        refusals.push("zero everywhere would keep none: say it twice, with `keep: { none: true }`".to_owned());
    }
    // What was taken before a restore is of what was left, and small by its nature.
    let counts = |one: &&&Candidate| one.standing != Standing::Failed && !one.reason.is_way_back();
    let good: Vec<&&Candidate> = backups.iter().filter(counts).collect();
    let mut sizes: Vec<u64> = good.iter().map(|one| one.bytes).collect();
    sizes.sort_unstable();
    let median = sizes.get(sizes.len() / 2).copied().unwrap_or_default();
    if let Some(newest) = good.first().filter(|newest| !smaller_is_meant && newest.bytes < median / 2) {
        refusals.push(format!(
            "the newest backup, {}, has {} bytes, less than half of what they usually have ({median}): something may be \
             missing in it",
            newest.id, newest.bytes
        ));
    }
    refusals
}

impl Day {
    /// Days since the first of January 1970, by the calendar that is in use since 1582.
    pub fn number(self) -> i64 {
        let month = i64::from(self.month);
        // Counted from March, a leap day is the last of its year.
        let year = i64::from(self.year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }
}
