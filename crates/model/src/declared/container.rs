//! Everything that a container is given through the engine's API, in settled units.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::identity::{Fields, digest};

/// A value that may be a secret: it reaches the engine and nothing else. `Debug` prints `…`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    pub fn new(value: impl Into<String>) -> Self {
        Hidden(value.into())
    }

    /// The value, for handing to the engine or for a pure check. Never for printing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What every container of a service is made with. `None` and empty leave the image's or the engine's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerSpec {
    pub command: Option<Vec<String>>,
    pub entrypoint: Option<Vec<String>>,
    /// Byte for byte.
    pub environment: BTreeMap<String, Hidden>,
    /// Variables that were named without a value and are not set where the files were read: the image's own are taken
    /// away, as Compose does.
    pub unset_environment: BTreeSet<String>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub user: Option<String>,
    pub working_dir: Option<String>,
    pub hostname: Option<String>,
    pub domainname: Option<String>,
    pub mac_address: Option<String>,
    pub tty: bool,
    pub stdin_open: bool,
    pub init: Option<bool>,
    pub read_only: bool,
    pub privileged: bool,
    pub restart: Restart,
    pub stop_signal: Option<String>,
    /// Seconds between the stop signal and SIGKILL; the engine's default is 10.
    pub stop_grace_secs: Option<u64>,
    pub healthcheck: Option<Healthcheck>,
    pub ports: Vec<Port>,
    /// Container ports that are told but not published, such as `3000/tcp`.
    pub expose: Vec<String>,
    pub mounts: Vec<Mount>,
    /// Paths with their options (`size=64m,mode=1777`).
    pub tmpfs: BTreeMap<String, String>,
    /// Volumes of other containers: a service's name or a container's, with its mode.
    pub volumes_from: Vec<VolumesFrom>,
    /// Files put into the container before it starts: configs and secrets with inline or environment content.
    pub injected: Vec<Injected>,
    pub devices: Vec<Device>,
    pub device_cgroup_rules: Vec<String>,
    /// `deploy.resources.reservations.devices` and `gpus`.
    pub device_requests: Vec<DeviceRequest>,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub security_opt: Vec<String>,
    pub sysctls: BTreeMap<String, String>,
    pub ulimits: BTreeMap<String, Ulimit>,
    pub dns: Vec<String>,
    pub dns_search: Vec<String>,
    pub dns_opt: Vec<String>,
    /// `name:address`, as the engine takes them.
    pub extra_hosts: Vec<String>,
    pub group_add: Vec<String>,
    pub ipc: Option<String>,
    pub pid: Option<String>,
    pub uts: Option<String>,
    pub userns_mode: Option<String>,
    pub cgroup: Option<String>,
    pub cgroup_parent: Option<String>,
    pub runtime: Option<String>,
    pub isolation: Option<String>,
    pub storage_opt: BTreeMap<String, String>,
    pub logging: Option<Logging>,
    pub limits: Limits,
    pub shm_size_bytes: Option<u64>,
    pub oom_kill_disable: bool,
    pub oom_score_adj: Option<i64>,
}

impl ContainerSpec {
    /// The fingerprint: one entry a field, and one a variable, so that a plan can name what differs.
    pub fn fields(&self) -> Fields {
        let mut fields = Fields::new();
        let Ok(serde_json::Value::Object(all)) = serde_json::to_value(self) else { return fields };
        let default = serde_json::to_value(ContainerSpec::default()).unwrap_or_default();
        for (field, value) in all {
            if default.get(&field) == Some(&value) {
                continue;
            }
            match (field.as_str(), value) {
                ("environment" | "labels", serde_json::Value::Object(entries)) => {
                    fields.extend(entries.iter().map(|(key, value)| (format!("{field}.{key}"), digest(value))));
                }
                (_, value) => {
                    fields.insert(field, digest(&value));
                }
            }
        }
        fields
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    #[default]
    No,
    Always,
    UnlessStopped,
    OnFailure {
        /// 0 means without end.
        max_retries: u32,
    },
}

/// Durations are nanoseconds, as the engine takes them; `None` leaves the image's value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healthcheck {
    /// `["NONE"]` switches the image's check off; `["CMD", …]`; `["CMD-SHELL", script]`.
    pub test: Option<Vec<String>>,
    pub interval_nanos: Option<u64>,
    pub timeout_nanos: Option<u64>,
    pub start_period_nanos: Option<u64>,
    pub start_interval_nanos: Option<u64>,
    pub retries: Option<u64>,
}

impl Healthcheck {
    /// Whether it says that there is no check, also when the image has one.
    pub fn is_off(&self) -> bool {
        self.test.as_ref().and_then(|test| test.first()).is_some_and(|word| word == "NONE")
    }
}

/// One published port; ranges were spread out before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    pub target: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// A port, a range such as `8000-8010` from which the engine picks, or `None` for any free port.
    pub published: Option<String>,
    pub host_ip: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    pub kind: MountKind,
    /// Absolute host path, or the engine's volume name; `None` for an anonymous volume or tmpfs.
    pub source: Option<String>,
    pub target: String,
    pub read_only: bool,
    /// Bind: make a missing host folder, as the short form does, and the long one without `bind`.
    pub create_host_path: bool,
    /// Bind: `rprivate`, `rslave`…
    pub propagation: Option<String>,
    /// Bind: `z` or `Z`.
    pub selinux: Option<String>,
    /// Volume: do not copy the image's files into a new volume.
    pub no_copy: bool,
    /// Volume or image: a folder inside it (engines from API 1.45).
    pub subpath: Option<String>,
    /// Tmpfs.
    pub size_bytes: Option<u64>,
    pub mode: Option<u32>,
}

impl Mount {
    /// A volume of this name at this path, with nothing else said of it.
    pub fn of_volume(name: impl Into<String>, target: impl Into<String>) -> Self {
        Mount {
            kind: MountKind::Volume,
            source: Some(name.into()),
            target: target.into(),
            read_only: false,
            create_host_path: false,
            propagation: None,
            selinux: None,
            no_copy: false,
            subpath: None,
            size_bytes: None,
            mode: None,
        }
    }

    /// Whether it is a volume that nobody gave a name.
    pub fn is_anonymous(&self) -> bool {
        self.kind == MountKind::Volume && self.source.is_none()
    }
}

/// What a declaration puts at a path of the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupant {
    AnonymousVolume,
    /// A named volume, a folder of the host, memory.
    Other,
    /// Nothing: what is there is the image's affair.
    Nobody,
}

impl ContainerSpec {
    /// What is declared at a path, given without a slash at its end.
    pub fn occupant(&self, target: &str) -> Occupant {
        let mut mounts = self.mounts.iter();
        match mounts.find(|mount| bare_path(&mount.target) == target) {
            Some(mount) if mount.is_anonymous() => Occupant::AnonymousVolume,
            Some(_) => Occupant::Other,
            None if self.tmpfs.keys().any(|path| bare_path(path) == target) => Occupant::Other,
            None => Occupant::Nobody,
        }
    }
}

/// A path in a container as the engine tells it: without a slash at its end.
pub fn bare_path(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        bare => bare,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountKind {
    Bind,
    Volume,
    Tmpfs,
    Npipe,
    Image,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumesFrom {
    /// A container's name; a service's is settled to `Service`.
    pub from: VolumesSource,
    pub read_only: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumesSource {
    Service(crate::identity::ServiceName),
    Container(String),
}

/// A file whose content Mainstay puts into the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injected {
    /// Absolute path in the container.
    pub target: String,
    pub content: Hidden,
    pub uid: Option<String>,
    pub gid: Option<String>,
    /// Permission bits; Compose's default is 0444.
    pub mode: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub source: String,
    pub target: String,
    /// `rwm` or less.
    pub permissions: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    pub driver: Option<String>,
    /// -1 means all.
    pub count: Option<i64>,
    pub device_ids: Vec<String>,
    pub capabilities: Vec<String>,
    pub options: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    pub soft: i64,
    pub hard: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    pub driver: Option<String>,
    pub options: BTreeMap<String, String>,
}

/// Memory in bytes, CPU in the engine's own units.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    pub memory_bytes: Option<i64>,
    pub memory_reservation_bytes: Option<i64>,
    /// -1 means without end.
    pub memory_swap_bytes: Option<i64>,
    pub memory_swappiness: Option<i64>,
    /// Billionths of a CPU.
    pub nano_cpus: Option<i64>,
    pub cpu_shares: Option<i64>,
    pub cpu_period: Option<i64>,
    pub cpu_quota: Option<i64>,
    pub cpu_rt_period: Option<i64>,
    pub cpu_rt_runtime: Option<i64>,
    pub cpuset: Option<String>,
    pub cpu_count: Option<i64>,
    pub cpu_percent: Option<f64>,
    pub pids: Option<i64>,
    pub blkio_weight: Option<u16>,
    /// `path` to weight or rate.
    pub blkio_weight_device: BTreeMap<String, u64>,
    pub device_read_bps: BTreeMap<String, u64>,
    pub device_write_bps: BTreeMap<String, u64>,
    pub device_read_iops: BTreeMap<String, u64>,
    pub device_write_iops: BTreeMap<String, u64>,
}
