//! The only room that sees the Docker client's types: look, act, events, logs, exec.
//!
//! A file a noun: [`look`](self) takes the snapshot, `act` does one step, `create` and `body` make a container of a
//! spec, `attach` joins and leaves networks, `await_ready` waits by events, `build` and `images` make images there,
//! `refusal` says in words what the engine said in its own. `acts` knows our own doings in the events. `wire` is the road to the engine.

mod act;
mod acts;
mod attach;
mod await_ready;
mod body;
pub(crate) mod build;
mod containers;
mod create;
mod events;
mod exec;
mod frames;
mod glance;
mod host_files;
mod images;
mod inject;
mod inspected;
mod kept_images;
mod labels;
mod like;
mod logs;
mod look;
mod mounts;
mod networks;
mod owner;
mod pinned;
mod place;
mod refusal;
mod registry;
mod sync;
mod throwaway;
mod tools;
mod volumes;
mod wire;
mod worn;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;
use bollard::{API_DEFAULT_VERSION, BollardRequest, ClientVersion};
use hyper::Method;
use hyper::header::HeaderMap;
use mainstay_model::observed::{EngineFacts, Observed, Scope};
use mainstay_model::plan::Step;

pub(crate) use act::id_of;
pub(crate) use containers::HURRIED;
pub use events::{EngineEvent, EventKind};
pub use exec::{Exec, ExecOptions, ExecOutput};
pub use like::Likeness;
pub use logs::{Following, LogLine, LogNews, LogOptions, LogSource, LogStream, LogsWanted};
pub use sync::Synced;
pub use throwaway::{Throwaway, ThrowawayWanted};

use self::acts::Acts;
use self::refusal::Refusal;
use self::wire::Wire;
use crate::world::{Acted, Context, Pinned, Progress, World, WorldError};

/// The oldest engine that is spoken to: 20.10.
const OLDEST_MINOR: u32 = 41;
/// How long a call that only reads may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long a call that changes something may take: disks and drivers are slow at times.
const CHANGE_WITHIN: Duration = Duration::from_secs(120);

/// A connection to one engine, with the API version that both sides speak. Cheap to clone.
#[derive(Clone)]
pub struct Docker {
    client: bollard::Docker,
    wire: Wire,
    facts: Arc<EngineFacts>,
    /// The `41` of `1.41`.
    api: u32,
    /// Whether it has BuildKit built in.
    buildkit: bool,
    /// Docker's own configuration, for the logins to registries.
    registry_config: Option<PathBuf>,
    /// Its socket on this machine, when that is how it is reached.
    socket: Option<PathBuf>,
    /// What is being done through this connection, for the reader of its events.
    acts: Acts,
}

impl std::fmt::Debug for Docker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Docker").field("engine", &self.facts).finish_non_exhaustive()
    }
}

impl Docker {
    /// Connects to an engine by `DOCKER_HOST`'s forms (`unix:///path`, `tcp://host:port`); `None` is the local socket.
    ///
    /// # Errors
    /// When nobody answers there, access is denied, or the engine is older than API 1.41.
    pub async fn connect(host: Option<&str>) -> Result<Docker, WorldError> {
        let host = host.filter(|host| !host.is_empty()).unwrap_or("unix:///var/run/docker.sock");
        let wire = open_wire(host)?;
        let refused = |error| Refusal::new(format!("no Docker engine answers at `{host}`")).explain(error);
        let ping = wire.open(Method::GET, "/_ping", HeaderMap::new(), wire::no_body());
        let answer = timed(Duration::from_secs(10), ping).await.map_err(refused)?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let newest = header("api-version").strip_prefix("1.").and_then(|minor| minor.parse::<u32>().ok());
        let version = engine_version(header("server"));
        // Docker has it on Linux since 18.09, whichever builder it would choose; others only speak its language.
        let buildkit = header("server").starts_with("Docker/") && header("ostype") != "windows";
        let newest = newest.ok_or_else(|| {
            WorldError::new(format!("what answers at `{host}` is no Docker engine: it tells no API version"))
        })?;
        if newest < OLDEST_MINOR {
            let message = format!("the engine at `{host}` speaks API 1.{newest} at most; 1.{OLDEST_MINOR} is needed");
            return Err(WorldError::new(message).hint("upgrade to Docker Engine 20.10 or newer"));
        }
        let api = newest.min(u32::try_from(API_DEFAULT_VERSION.minor_version).unwrap_or(OLDEST_MINOR));
        wire.speak(api);
        let client = typed_client(&wire, api).map_err(refused)?;
        let facts = Arc::new(EngineFacts { version, api_version: format!("1.{api}") });
        let registry_config = std::env::home_dir().map(|home| home.join(".docker/config.json"));
        let socket = host.strip_prefix("unix://").map(PathBuf::from);
        Ok(Docker { client, wire, facts, api, buildkit, registry_config, socket, acts: Acts::default() })
    }

    /// Whether an engine can be asked for at `host` at all, without asking.
    ///
    /// # Errors
    /// When it is no address of an engine, or one of a kind that is not reached.
    pub fn check_address(host: &str) -> Result<(), WorldError> {
        if host.is_empty() { Ok(()) } else { open_wire(host).map(drop) }
    }

    /// The engine's version and the API version spoken with it.
    pub fn facts(&self) -> &EngineFacts {
        &self.facts
    }

    /// Takes the logins to registries from this file instead of `~/.docker/config.json`.
    #[must_use]
    pub fn with_registry_config(mut self, file: PathBuf) -> Docker {
        self.registry_config = Some(file);
        self
    }

    fn registry_config(&self) -> Option<PathBuf> {
        self.registry_config.clone()
    }

    /// Whether the negotiated API is at least `1.<minor>`.
    fn speaks(&self, minor: u32) -> bool {
        self.api >= minor
    }

    async fn inspect(&self, container: &str) -> Result<ContainerInspectResponse, Error> {
        timed(ANSWER_WITHIN, self.client.inspect_container(container, None)).await
    }
}

impl World for Docker {
    async fn look(&self, scope: &Scope) -> Result<Observed, WorldError> {
        self.look_at(scope).await
    }

    async fn act(&self, step: &Step, context: &Context, progress: &Progress) -> Result<Acted, WorldError> {
        self.do_action(&step.action, context, progress).await
    }

    async fn pin(&self, image: &str, local: bool) -> Result<Pinned, WorldError> {
        self.pinned(image, local).await
    }
}

/// The client-side end of patience of one call.
async fn timed<T>(limit: Duration, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::RequestTimeoutError),
    }
}

fn open_wire(host: &str) -> Result<Wire, WorldError> {
    match host.split_once("://") {
        Some(("unix", path)) if path.starts_with('/') => Ok(Wire::unix(path)),
        Some(("tcp" | "http", rest)) => {
            let authority = rest.trim_end_matches('/');
            let with_port = if authority.rsplit(']').next().is_some_and(|end| end.contains(':')) {
                authority.to_owned()
            } else {
                format!("{authority}:2375")
            };
            Ok(Wire::tcp(&with_port))
        }
        Some(("ssh", _)) => Err(WorldError::new(format!("`{host}`: engines over ssh are not reached yet"))
            .hint("forward the socket (`ssh -L /tmp/engine.sock:/var/run/docker.sock <host>`) and use unix:///tmp/engine.sock")),
        Some(("https", _)) => Err(WorldError::new(format!("`{host}`: engines over TLS are not reached yet"))),
        _ => Err(WorldError::new(format!("`{host}` is no engine address"))
            .hint("use unix:///var/run/docker.sock or tcp://host:2375")),
    }
}

/// bollard over our own road. Its own time limit is off: every call here has one that fits it.
fn typed_client(wire: &Wire, minor: u32) -> Result<bollard::Docker, Error> {
    let road = wire.clone();
    let transport = move |request: BollardRequest| {
        let road = road.clone();
        async move { road.send(request).await }
    };
    let version = ClientVersion { major_version: 1, minor_version: usize::try_from(minor).unwrap_or(0) };
    bollard::Docker::connect_with_custom_transport(transport, Some(wire.base()), u64::from(u32::MAX), &version)
}

/// `20.10.24` from `Docker/20.10.24+dfsg1 (linux)`.
fn engine_version(server: &str) -> String {
    let version = server.split_once('/').map_or(server, |(_, version)| version);
    version.split([' ', '+']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_version_is_read_from_its_server_header() {
        assert_eq!(engine_version("Docker/20.10.24+dfsg1 (linux)"), "20.10.24");
        assert_eq!(engine_version("Docker/29.1.0 (linux)"), "29.1.0");
        assert_eq!(engine_version("Libpod/4.3.1 (linux)"), "4.3.1");
    }

    #[test]
    fn addresses_that_are_not_served_say_so() {
        assert!(open_wire("unix:///run/x.sock").is_ok());
        assert!(open_wire("tcp://10.0.0.1").is_ok());
        assert!(open_wire("ssh://host").is_err_and(|error| !error.hints.is_empty()));
        assert!(open_wire("nonsense").is_err());
    }
}
