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
    let zone = match zone {
        Some(name) => TimeZone::get(name).map_err(|error| BackupError::Broken(format!("`zone: {name}`: {error}")))?,
        None => TimeZone::system(),
    };
    let candidate = |one: &Shelved| {
        let manifest = &one.manifest;
        let at: Timestamp = manifest.snapshot_at.parse().map_err(|_| BackupError::Damaged {
            id: manifest.id.clone(),
            what: format!("`{}` is no time", manifest.snapshot_at),
        })?;
        let date = at.to_zoned(zone.clone()).date();
        Ok(Candidate {
            id: manifest.id.clone(),
            day: Day { year: date.year().into(), month: date.month().unsigned_abs(), day: date.day().unsigned_abs() },
            bytes: manifest.stored.bytes,
            reason: manifest.reason.clone(),
            standing: one.standing(),
        })
    };
    backups.iter().map(candidate).collect()
}
