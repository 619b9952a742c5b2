//! The loop: hears the engine, asks the planner what is lost, and brings it back live.
//!
//! What is held stands in the journal, and on the containers themselves for the day when the journal is gone. Events
//! say where to look; what to do is decided from the look alone, by the planner, and walked by the same walker as
//! every order. While events flow nothing is polled. While somebody orders something from us on a stack, the loop
//! leaves that stack alone and looks at it afterwards.

mod fights;
mod holding;
mod memory;
mod repair;
mod strangers;
#[cfg(test)]
mod tests;
mod watched;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::keeper::Keeper;
use holding::{Holding, Over};
use memory::Cause;
pub use watched::{Glance, Watched};

/// The wait before the engine is called again: short at first, since an engine that restarts is back in a moment.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A connection that lasted so long was a good one.
const GOOD_CONNECTION: Duration = Duration::from_secs(5);

impl<W: Watched> Keeper<W> {
    /// Watches the engine's events and holds declared attachments until cancelled. Never polls while events flow.
    pub async fn hold(&self, cancel: CancellationToken) {
        let holding = Holding::new(self);
        let mut wait = FIRST_WAIT;
        let mut last_nanos = self.last_known_nanos();
        let mut cause = Cause::new("found at start");
        let mut told_lost = false;
        loop {
            let began = Instant::now();
            // The stream is asked for everything since the last event, so nothing falls between it and the look.
            let events = self.docker.watch(Some(last_nanos));
            let over = holding.run(events, &mut last_nanos, cause, &cancel).await;
            let Over::Lost(error) = over else { return };
            if began.elapsed() > GOOD_CONNECTION {
                (wait, told_lost) = (FIRST_WAIT, false);
            }
            if !told_lost {
                told_lost = true;
                holding.tell("the connection to the engine was lost".into(), error.as_ref());
            }
            cause = Cause::new("found after the connection to the engine was lost");
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// From when on events are asked for: since the newest line of the journal, so that what others did while nobody
    /// watched is remembered as far as the engine remembers it itself.
    fn last_known_nanos(&self) -> i64 {
        let newest = self.journal.newest().ok().flatten().and_then(|at| at.parse::<Timestamp>().ok());
        // The journal cuts off below the millisecond; without adding it, the last event would be told twice.
        let since = newest.map(|newest| newest.as_nanosecond() + 999_999);
        let now = Timestamp::now().as_nanosecond();
        i64::try_from(since.unwrap_or(now).min(now)).unwrap_or_default()
    }
}
