//! The name of a backup that is being made.

use jiff::Timestamp;
use mainstay_model::identity::BackupId;

use crate::secrets::SecretsError;

/// Of the time and of chance, so that two of one second are two. Letters and digits that look alike are left out.
///
/// # Errors
/// When there is no randomness.
pub(crate) fn new_id(now: Timestamp) -> Result<BackupId, SecretsError> {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let broken = |error: String| SecretsError::Random(error);
    let mut own = [0_u8; 6];
    getrandom::fill(&mut own).map_err(|error| broken(error.to_string()))?;
    let own: String = own.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect();
    let (day, time) = (now.strftime("%Y%m%d").to_string(), now.strftime("%H%M%S").to_string());
    BackupId::new(&day, &time, &own).map_err(|problem| broken(problem.to_string()))
}
