//! A container as the engine shows it, with its labels already read.

use serde::{Deserialize, Serialize};

use crate::declared::Attachment;
use crate::identity::{Fields, ServiceName, StackName};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Container {
    pub id: String,
    /// Without the leading `/`.
    pub name: String,
    pub maker: Maker,
    /// From Compose's labels, whoever made it.
    pub stack: Option<StackName>,
    pub service: Option<ServiceName>,
    /// From Compose's label; 0 when there is none.
    pub number: u32,
    /// Made by a `run`.
    pub one_off: bool,
    /// The reference that it was made from.
    pub image: String,
    pub image_id: String,
    pub state: State,
    pub health: Health,
    pub exit_code: Option<i64>,
    pub oom_killed: bool,
    /// RFC 3339, as the engine writes it; empty when it never started.
    pub started_at: String,
    pub finished_at: String,
    pub created_at: String,
    pub restart_count: u64,
    /// Whether its restart policy would start it again after a crash.
    pub restarts_itself: bool,
    /// Whether its restart policy leaves it ended after a good end: there is none, or it is `on-failure`.
    #[serde(default)]
    pub may_end: bool,
    pub endpoints: Vec<Endpoint>,
    /// The engine's network mode text: `bridge`, `host`, `container:<id>`, a network's name.
    pub network_mode: String,
    /// Our fingerprint label; `None` when it is missing or unreadable.
    pub fields: Option<Fields>,
    /// Our label with the declared attachments.
    pub declared_attachments: Option<Vec<Attachment>>,
    /// Our label: which state folder keeps it.
    #[serde(default)]
    pub keeper: Option<String>,
    /// Compose's label: who it depends on, as `(service, condition, restart)`.
    pub depends_on: Vec<(ServiceName, String, bool)>,
    /// Our label.
    pub requires: Vec<StackName>,
    /// Published ports as the engine shows them, such as `127.0.0.1:8080->8080/tcp`; sorted.
    pub ports: Vec<String>,
    /// The volumes that it mounts and that nobody gave a name; sorted by target.
    #[serde(default)]
    pub anonymous_volumes: Vec<AnonymousVolume>,
}

/// A volume that the engine made for one place in a container, under a name of its own making.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AnonymousVolume {
    /// The path in the container, without a slash at its end.
    pub target: String,
    /// The engine's name: 64 hexadecimal digits.
    pub name: String,
}

impl Container {
    pub fn endpoint(&self, network: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.network == network)
    }
}

/// Who made it, by its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Maker {
    Mainstay,
    /// `docker compose`, by its labels without ours.
    Compose,
    Foreign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Created,
    Running,
    Paused,
    /// Crashed, and the engine's restart policy waits to start it again.
    Restarting,
    Removing,
    Exited,
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// No check is defined: running is all that is known.
    Unverified,
    Starting,
    Healthy,
    Unhealthy,
}

/// A container's place on one network.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// The network's name.
    pub network: String,
    /// Empty while the container is not running on some engines.
    pub network_id: String,
    /// Sorted, without the container's own short id, which engines add by themselves.
    pub aliases: Vec<String>,
    pub ipv4_address: Option<String>,
    pub ipv6_address: Option<String>,
    /// What was asked for, as against what was given.
    pub static_ipv4: Option<String>,
    pub static_ipv6: Option<String>,
}

/// Whether the first of two times of the engine is later; times that are missing say nothing.
///
/// The engine cuts zeros from the end of a fraction, so `…:07.5Z` and `…:07.45Z` do not compare as plain text.
pub fn is_later(one: &str, other: &str) -> bool {
    !one.is_empty() && !other.is_empty() && parts(one) > parts(other)
}

fn parts(time: &str) -> (&str, &str) {
    let time = time.strip_suffix('Z').unwrap_or(time);
    time.split_once('.').unwrap_or((time, ""))
}
