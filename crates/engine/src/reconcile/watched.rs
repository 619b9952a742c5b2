//! What the loop needs of the world besides looking and acting.

use std::collections::BTreeSet;
use std::future::Future;

use futures_util::stream::BoxStream;
use mainstay_model::identity::StackName;
use mainstay_model::observed::{Container, ObservedNetwork};

use crate::docker::EngineEvent;
use crate::world::{World, WorldError};

/// A world that tells what happens in it.
pub trait Watched: World + Clone {
    /// The events from a moment on (nanoseconds since 1970), or from now. The stream ends with the connection.
    fn watch(&self, since_nanos: Option<i64>) -> BoxStream<'static, Result<EngineEvent, WorldError>>;

    /// Whether an event tells of what was done through this very world. To be asked once for each event that is heard.
    fn did(&self, event: &EngineEvent) -> bool;

    /// Resolves with events that [`Watched::did`] claimed, once it is known that somebody else did it.
    fn given_back(&self) -> impl Future<Output = Vec<EngineEvent>> + Send;

    /// One container by id or name, and every network; `None` when the container is gone.
    ///
    /// # Errors
    /// When the engine cannot be reached or refuses.
    fn glance(&self, container: &str) -> impl Future<Output = Result<Option<Glance>, WorldError>> + Send;

    /// The stacks with containers that carry our label of attachments and are kept by this state folder.
    ///
    /// # Errors
    /// When the engine cannot be reached or refuses.
    fn labelled(&self, keeper: &str) -> impl Future<Output = Result<BTreeSet<StackName>, WorldError>> + Send;
}

/// What a repair of one container has to know.
#[derive(Clone, Debug)]
pub struct Glance {
    pub container: Container,
    pub networks: Vec<ObservedNetwork>,
}
