//! A line of history from a command that works on something else than an engine. It is written where a history is kept:
//! by the server, else into the folder. Nothing is made where none was ever kept.

use std::time::{Duration, Instant};

use mainstay_engine::KeeperError;
use mainstay_engine::journal::{FILE_NAME, Journal, NewEntry};

use super::served::Served;
use crate::boot::Boot;
use crate::problem::Problem;
use crate::wire::RecordRequest;

/// So long another command that owns the folder is waited for: what is to be written down is done already.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_RETRY: Duration = Duration::from_millis(100);

/// Writes it down.
///
/// # Errors
/// When there is a history and it cannot be written.
pub async fn line(boot: &Boot, entry: NewEntry) -> Result<(), Problem> {
    let settings = &boot.settings;
    let entry = boot.ui.redactions.clean_entry(entry);
    if let Some(served) = Served::find(settings).await? {
        return served.record(&RecordRequest::from(entry)).await;
    }
    if !settings.state_dir.join(FILE_NAME).exists() {
        return Ok(());
    }
    let began = Instant::now();
    loop {
        let folder = settings.state_dir.clone();
        let opened = tokio::task::spawn_blocking(move || Journal::open(&folder)).await;
        match opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) {
            Ok(journal) => {
                let written = journal.record(entry).await;
                return written.map(drop).map_err(|source| KeeperError::Journal { doing: "written", source }.into());
            }
            Err(KeeperError::Locked { .. }) if began.elapsed() < LOCK_PATIENCE => {
                tokio::time::sleep(LOCK_RETRY).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
