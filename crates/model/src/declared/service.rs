//! A service: what runs, how many, after whom, and on which networks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Attachment, Build, ContainerSpec, HostFile, Probe, Rollout, Route};
use crate::identity::{Fields, ServiceName, digest};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    pub name: ServiceName,
    /// The reference that the container is made from; for a built service without `image`, `<stack>-<service>`.
    pub image: String,
    pub build: Option<Build>,
    pub pull_policy: PullPolicy,
    pub platform: Option<String>,
    /// `deploy.replicas`, else `scale`, else 1.
    pub replicas: u32,
    /// A fixed name; then there is one container at most.
    pub container_name: Option<String>,
    pub depends_on: BTreeMap<ServiceName, Dependency>,
    pub network_mode: NetworkMode,
    /// Sorted by falling priority, then by the key in the file. Empty unless `network_mode` is [`NetworkMode::Attached`].
    pub attachments: Vec<Attachment>,
    pub container: ContainerSpec,
    /// Where it is reached from outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    #[serde(default)]
    pub rollout: Rollout,
    /// Files of the host that its mounts need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<HostFile>,
    /// Nobody waits until it is ready, save those who depend on it: `x-mainstay: { wait: false }`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unwaited: bool,
    /// Compose's own hash of the service: `docker compose up` leaves a container alone that carries it.
    #[serde(default)]
    pub compose_hash: String,
}

impl Service {
    /// The fingerprint of a container of this service. Attachments are not in it: they are changed live.
    pub fn fields(&self) -> Fields {
        let mut fields = self.container.fields();
        fields.insert("image".into(), digest(&self.image));
        fields.insert("network_mode".into(), digest(&self.network_mode));
        if let Some(platform) = &self.platform {
            fields.insert("platform".into(), digest(platform));
        }
        fields
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    pub condition: Condition,
    /// Restart this service when the dependency was replaced or restarted by an order.
    pub restart: bool,
    /// When false, a dependency that is missing or fails is a warning.
    pub required: bool,
}

/// What a dependent waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    #[serde(rename = "service_started")]
    Started,
    #[serde(rename = "service_healthy")]
    Healthy,
    #[serde(rename = "service_completed_successfully")]
    Completed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullPolicy {
    /// Pull what is not there; a service with `build` is built instead.
    #[default]
    Missing,
    Always,
    Never,
    /// Build at every `up`.
    Build,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkMode {
    /// On the networks of its attachments.
    Attached,
    /// No network but loopback.
    None,
    Host,
    /// The engine's own default bridge.
    Bridge,
    /// In the network namespace of another service of the stack.
    Service(ServiceName),
    /// In the network namespace of a container by name or id.
    Container(String),
}
