//! What keeps others away from a database while it is restored.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::RestoreError;
use super::whole::APPLICATION;
use crate::pg::backup::BackupError;
use crate::pg::lock::{NotAlone, Sole, Waiting};
use crate::pg::session::Server;

/// Held, no migration, backup, cleanup or other restore of the database goes on; they wait, and say for whom. Its session is
/// one of the database that lives: a [`Swap`](super::Swap) ends it last.
pub struct Guard {
    sole: Sole,
    pid: i32,
}

impl Guard {
    /// Takes the lock, or waits for it so long, telling who holds it.
    ///
    /// # Errors
    /// When somebody else goes on holding it, it is cancelled, or the database cannot be asked.
    pub async fn take(
        server: &Server,
        patience: Duration,
        cancelled: &CancellationToken,
        told: &mut (dyn FnMut(String) + Send),
    ) -> Result<Guard, RestoreError> {
        let waiting = Waiting { patience, cancelled };
        let taken = Sole::take(&server.called(APPLICATION), waiting, &mut |holder| told(holder.to_string())).await;
        let sole = taken.map_err(|why| match why {
            NotAlone::Error(error) => error.into(),
            NotAlone::Busy(holder) => BackupError::Busy { holder: holder.map(|holder| holder.to_string()) },
            NotAlone::Cancelled => BackupError::Interrupted,
        })?;
        Ok(Guard { pid: sole.session.pid().await?, sole })
    }

    /// Whether somebody else had it first: then what was shown before may hold no more.
    pub fn waited(&self) -> bool {
        self.sole.waited
    }

    /// Makes sure that the lock was not lost with its session.
    ///
    /// # Errors
    /// When it was.
    pub async fn must_hold(&self) -> Result<(), RestoreError> {
        Ok(self.sole.session.simple("SELECT 1", "keeping others away from it").await?)
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }
}
