//! What the engine tells while it happens.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use hyper::Method;
use hyper::header::HeaderMap;
use mainstay_model::identity::labels::{PROJECT, SERVICE};
use mainstay_model::identity::{ServiceName, StackName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::{ANSWER_WITHIN, Docker, timed, wire};
use crate::world::WorldError;

const NANOS_A_SECOND: i64 = 1_000_000_000;
/// Engines answer a moment before they subscribe: who must not miss anything asks for so much of the past again.
pub(super) const OVERLAP_NANOS: i64 = NANOS_A_SECOND;

/// One event of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineEvent {
    pub time_nanos: i64,
    pub kind: EventKind,
    /// As the engine says it: `start`, `die`, `health_status: healthy`, `connect`…
    pub action: String,
    /// The id of the thing concerned; of a network's event the network's id.
    pub actor_id: String,
    /// The name of the thing concerned; an image's reference.
    pub name: String,
    pub stack: Option<StackName>,
    pub service: Option<ServiceName>,
    /// Network `connect` and `disconnect`: the container that joined or left.
    pub container_id: Option<String>,
    pub attributes: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    Container,
    Network,
    Volume,
    Image,
    Daemon,
    /// Builders, plugins and what a swarm tells.
    Other,
}

impl Docker {
    /// The engine's events from a moment on (nanoseconds since 1970; that moment's own events too), or from now. The
    /// stream ends when the connection does; whoever watches calls again with the last event's time.
    pub fn events(
        &self,
        since_nanos: Option<i64>,
    ) -> impl Stream<Item = Result<EngineEvent, WorldError>> + Send + Unpin + use<> {
        let docker = self.clone();
        Box::pin(stream::once(async move { docker.open_events(since_nanos, None).await }).try_flatten())
    }

    /// The starts of containers from a moment on, whoever starts them and however often.
    pub(super) fn starts(
        &self,
        since_nanos: i64,
    ) -> impl Stream<Item = Result<EngineEvent, WorldError>> + Send + use<> {
        let docker = self.clone();
        let filters = json!({"type": ["container"], "event": ["start"]});
        stream::once(async move { docker.open_events(Some(since_nanos), Some(filters)).await }).try_flatten()
    }

    /// A container's own events; subscribed when this returns, and the last moment is asked for again.
    pub(super) async fn events_of_container(
        &self,
        id: &str,
    ) -> Result<impl Stream<Item = Result<EngineEvent, WorldError>> + Send + use<>, WorldError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let filters = json!({"container": [id], "type": ["container"]});
        self.open_events(i64::try_from(now.as_nanos()).ok().map(|now| now - OVERLAP_NANOS), Some(filters)).await
    }

    async fn open_events(
        &self,
        since_nanos: Option<i64>,
        filters: Option<Value>,
    ) -> Result<impl Stream<Item = Result<EngineEvent, WorldError>> + Send + use<>, WorldError> {
        let mut asked = Vec::new();
        if let Some(nanos) = since_nanos {
            asked.push(("since", format!("{}.{:09}", nanos / NANOS_A_SECOND, nanos % NANOS_A_SECOND)));
        }
        asked.extend(filters.map(|filters| ("filters", filters.to_string())));
        let path = format!("/events{}", wire::query(asked));
        let call = self.wire.open(Method::GET, &path, HeaderMap::new(), wire::no_body());
        let answer = timed(ANSWER_WITHIN, call).await.map_err(|error| broken().explain(error))?;
        let events = wire::json_lines::<Told>(wire::chunks(answer));
        Ok(events.map(|told| told.map(event_of).map_err(|error| broken().explain(error))))
    }
}

fn broken() -> Refusal {
    Refusal::new("the engine's events could not be followed")
}

/// The engine's form of an event.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "Type", default)]
    kind: String,
    #[serde(rename = "Action", default)]
    action: String,
    #[serde(rename = "Actor", default)]
    actor: Actor,
    #[serde(rename = "timeNano", default)]
    time_nanos: i64,
}

#[derive(Default, Deserialize)]
struct Actor {
    #[serde(rename = "ID", default)]
    id: String,
    #[serde(rename = "Attributes", default)]
    attributes: Option<BTreeMap<String, String>>,
}

fn event_of(told: Told) -> EngineEvent {
    let attributes = told.actor.attributes.unwrap_or_default();
    let kind = match told.kind.as_str() {
        "container" => EventKind::Container,
        "network" => EventKind::Network,
        "volume" => EventKind::Volume,
        "image" => EventKind::Image,
        "daemon" => EventKind::Daemon,
        _ => EventKind::Other,
    };
    let name = attributes.get("name").cloned().unwrap_or_else(|| told.actor.id.clone());
    EngineEvent {
        time_nanos: told.time_nanos,
        kind,
        action: told.action,
        stack: attributes.get(PROJECT).and_then(|name| StackName::new(name).ok()),
        service: attributes.get(SERVICE).and_then(|name| ServiceName::new(name).ok()),
        container_id: attributes.get("container").filter(|_| kind == EventKind::Network).cloned(),
        actor_id: told.actor.id,
        name,
        attributes,
    }
}
