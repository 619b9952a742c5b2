//! From backups to what retention decides on.

use mainstay_model::postgres::backup::retention::Candidate;

use super::cabinet::Shelved;
use super::error::BucketError;
use crate::pg::backup::keep::{calendar, day};

/// `zone`: as the schedule has it; the host's own when it has none.
///
/// # Errors
/// When there is no such zone, or a list has no time.
pub fn candidates(backups: &[Shelved], zone: Option<&str>) -> Result<Vec<Candidate>, BucketError> {
    let zone = calendar(zone).map_err(|error| BucketError::Zone(error.to_string()))?;
    let candidate = |one: &Shelved| {
        let manifest = &one.manifest;
        Ok(Candidate {
            id: manifest.id.clone(),
            day: day(&manifest.ended_at, &zone).ok_or_else(|| BucketError::Unreadable {
                id: manifest.id.clone(),
                why: format!("`{}` is no time", manifest.ended_at),
            })?,
            bytes: manifest.bytes(),
            reason: manifest.reason.clone(),
            standing: one.standing(),
        })
    };
    backups.iter().map(candidate).collect()
}
