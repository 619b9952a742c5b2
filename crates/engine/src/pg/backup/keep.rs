//! From backups to what retention decides on: the days on which they were made, by the calendar of the schedule.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mainstay_model::postgres::backup::retention::{Candidate, Day};

use super::error::BackupError;
use super::vault::Shelved;

/// `zone`: as the schedule has it; the host's own when it has none.
///
/// # Errors
/// When there is no such zone, or a manifest has no time.
pub fn candidates(backups: &[Shelved], zone: Option<&str>) -> Result<Vec<Candidate>, BackupError> {
    let zone = calendar(zone)?;
    let candidate = |one: &Shelved| {
        let manifest = &one.manifest;
        let day = day(&manifest.snapshot_at, &zone).ok_or_else(|| BackupError::Damaged {
            id: manifest.id.clone(),
            what: format!("`{}` is no time", manifest.snapshot_at),
        })?;
        Ok(Candidate {
            id: manifest.id.clone(),
            day,
            bytes: manifest.stored.bytes,
            reason: manifest.reason.clone(),
            standing: one.standing(),
        })
    };
    backups.iter().map(candidate).collect()
}

/// The zone of a schedule; the host's own when it names none.
///
/// # Errors
/// When there is no such zone.
pub(crate) fn calendar(zone: Option<&str>) -> Result<TimeZone, BackupError> {
    match zone {
        Some(name) => TimeZone::get(name).map_err(|error| BackupError::Broken(format!("`zone: {name}`: {error}"))),
        None => Ok(TimeZone::system()),
    }
}

/// The day of a time in RFC 3339; nothing when it is none.
pub(crate) fn day(at: &str, zone: &TimeZone) -> Option<Day> {
    let date = at.parse::<Timestamp>().ok()?.to_zoned(zone.clone()).date();
    Some(Day { year: date.year().into(), month: date.month().unsigned_abs(), day: date.day().unsigned_abs() })
}
