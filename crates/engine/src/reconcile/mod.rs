//! The loop: hears the engine, asks the planner what is lost, and brings it back live.
//!
//! What is held stands in the journal, and on the containers themselves for the day when the journal is gone. Events
//! say where to look; what to do is decided from the look alone, by the planner, and walked by the same walker as
//! every order. While events flow nothing is polled. While somebody orders something from us on a stack, the loop
//! leaves that stack alone and looks at it afterwards. When a container comes up, the stacks that lean on it are looked
//! at as well: what crashed for want of it is started.

mod ended;
mod fights;
mod holding;
mod memory;
mod past;
mod repair;
mod returned;
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
use past::Past;
pub use watched::{Glance, Watched};

/// The wait before the engine is called again: short at first, since an engine that restarts is back in a moment.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A connection that lasted so long was a good one.
const GOOD_CONNECTION: Duration = Duration::from_secs(5);

impl<W: Watched> Keeper<W> {
    /// Watches the engine's events and holds declared attachments until cancelled. Never polls while events flow.
    pub async fn hold(&self, cancel: CancellationToken) {
        let mut wait = FIRST_WAIT;
        let mut last_nanos = self.last_heard_nanos();
        // What cannot be read is told as somebody else's rather than not at all.
        let holding = Holding::new(self, Past::new(self.journal.acts_since(last_nanos).unwrap_or_default()));
        let mut cause = Cause::new("found at start");
        let mut told_lost = false;
        loop {
            let began = Instant::now();
            // The stream is asked for everything since the last event, so nothing falls between it and the look.
            let events = self.docker.watch(Some(last_nanos));
            let over = holding.run(events, &mut last_nanos, cause, &cancel).await;
            self.journal.post_heard(last_nanos);
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

    /// From when on events are asked for, so that what others did while nobody watched is remembered as far as the
    /// engine remembers it itself.
    fn last_heard_nanos(&self) -> i64 {
        let now = i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or_default();
        self.journal.heard().ok().flatten().unwrap_or(now).min(now)
    }
}
