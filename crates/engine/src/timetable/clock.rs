//! When a schedule is due, in its time zone.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use mainstay_model::declared::{Backup, Schedule};

/// A schedule that can be asked. An hour that a day lacks is made up when the hour has passed, and of one that comes twice
/// the first counts.
#[derive(Clone, Debug)]
pub struct Clock {
    cron: Cron,
    zone: TimeZone,
}

impl Clock {
    /// # Errors
    /// When it is no schedule, or there is no such zone, in words.
    pub fn of(schedule: &Schedule) -> Result<Clock, String> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(&schedule.cron).map_err(|error| format!("`{}`: {error}", schedule.cron))?;
        let zone = match &schedule.zone {
            Some(name) => TimeZone::get(name).map_err(|_| format!("there is no time zone `{name}`"))?,
            None => TimeZone::system(),
        };
        Ok(Clock { cron, zone })
    }

    /// The first time after this moment; none when no such day ever comes.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.cron.find_next_occurrence(&self.at(after), false).ok().map(|time| time.timestamp())
    }

    /// The last time that is not after this moment.
    pub fn last(&self, before: Timestamp) -> Option<Timestamp> {
        self.cron.find_previous_occurrence(&self.at(before), true).ok().map(|time| time.timestamp())
    }

    fn at(&self, time: Timestamp) -> Zoned {
        time.to_zoned(self.zone.clone())
    }
}

/// When it is backed up and when drilled, where that is said and can be read.
pub fn clocks(backup: Option<&Backup>) -> (Option<Clock>, Option<Clock>) {
    let clock = |schedule: Option<&Schedule>| schedule.and_then(|schedule| Clock::of(schedule).ok());
    (clock(backup.and_then(|backup| backup.schedule.as_ref())), clock(backup.and_then(|backup| backup.drill.as_ref())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn clock(cron: &str, zone: &str) -> Clock {
        Clock::of(&Schedule { cron: cron.into(), zone: Some(zone.into()) }).unwrap()
    }

    fn times(clock: &Clock, from: &str, count: usize) -> Vec<String> {
        let mut at: Timestamp = from.parse().unwrap();
        let mut times = Vec::new();
        for _ in 0..count {
            at = clock.next(at).unwrap();
            times.push(at.to_string());
        }
        times
    }

    #[test]
    fn an_hour_that_a_day_lacks_is_made_up_once() {
        let clock = clock("30 2 * * *", "Europe/Berlin");
        // On the 29th of March 2026 it is 03:00 after 01:59.
        let found = times(&clock, "2026-03-27T12:00:00Z", 3);
        assert_eq!(found[0], "2026-03-28T01:30:00Z");
        assert!(found[1].starts_with("2026-03-29T01:"), "{found:?}");
        assert_eq!(found[2], "2026-03-30T00:30:00Z");
    }

    #[test]
    fn an_hour_that_comes_twice_counts_once() {
        let clock = clock("30 2 * * *", "Europe/Berlin");
        let found = times(&clock, "2026-10-24T12:00:00Z", 2);
        assert_eq!(found, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    }

    #[test]
    fn the_last_time_and_the_next_stand_around_a_moment() {
        let clock = clock("0 5 * * 0", "UTC");
        let now = "2026-11-26T08:00:00Z".parse().unwrap();
        assert_eq!(clock.last(now).unwrap().to_string(), "2026-11-22T05:00:00Z");
        assert_eq!(clock.next(now).unwrap().to_string(), "2026-11-29T05:00:00Z");
        let exactly = "2026-11-22T05:00:00Z".parse().unwrap();
        assert_eq!(clock.last(exactly).unwrap(), exactly);
        assert!(clock.next(exactly).unwrap() > exactly);
    }

    #[test]
    fn a_zone_that_is_none_is_told() {
        let schedule = Schedule { cron: "0 3 * * *".into(), zone: Some("Europe/Berlim".into()) };
        assert!(Clock::of(&schedule).unwrap_err().contains("Europe/Berlim"));
    }
}
