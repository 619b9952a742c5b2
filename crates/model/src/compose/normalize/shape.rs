//! The types of a settled project: which fields each part has, in the order in which they are printed.
//!
//! One table serves twice: [`super::settle`] gives every value its type, and the printer knows from it
//! what to leave out.

/// What stands at a place.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Text,
    /// A text that may be written as a whole number and as nothing else.
    Plain,
    Bool,
    Int,
    /// A whole number that is not negative and fits so many bits; of text only where [`crate::compose::cast`] reads it.
    Unsigned(u32),
    Float,
    /// `1m30s`
    Duration,
    /// A number of bytes, kept as its decimal digits.
    Bytes,
    Texts,
    /// A command: a list, or a line that is cut into words.
    Command,
    /// A test of health: a line means `CMD-SHELL`.
    Test,
    /// Names with texts; nothing means an empty text.
    Mapping,
    /// Names with texts; nothing means that the caller's value is missing.
    Variables,
    /// Names with several texts.
    MultiMapping,
    /// `host=address` lines in the order of the text.
    Hosts,
    /// An octal file mode, `0440`.
    FileMode,
    /// One number, or `soft` and `hard`.
    Ulimit,
    EnvFile,
    Ssh,
    /// A number, or -1 for `all`.
    Count,
    Struct(&'static Struct),
    List(&'static Shape),
    Map(&'static Shape),
}

/// When a field is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// When it says something: not empty, not zero, not false.
    Said,
    /// When it is there, even as zero: unsaid means something else.
    Written,
    /// In JSON always, as nothing when it is not there.
    Json,
    /// In JSON always, as an empty mapping when it is not there.
    JsonMap,
    Always,
}

#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub shape: Shape,
    pub keep: Keep,
}

#[derive(Clone, Copy, Debug)]
pub struct Struct {
    pub fields: &'static [Field],
    /// The reference prints these names with a capital in JSON.
    pub capital_in_json: bool,
}

const fn said(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, keep: Keep::Said }
}

const fn written(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, keep: Keep::Written }
}

const fn kept(name: &'static str, shape: Shape, keep: Keep) -> Field {
    Field { name, shape, keep }
}

const fn fields(fields: &'static [Field]) -> Struct {
    Struct { fields, capital_in_json: false }
}

use Shape::{
    Bool, Bytes, Command, Count, Duration, EnvFile, FileMode, Float, Hosts, Int, List, Map, Mapping, MultiMapping,
    Plain, Ssh, Struct as Of, Test, Text, Texts, Ulimit, Unsigned, Variables,
};

pub static PROJECT: Struct = fields(&[
    said("name", Text),
    kept("services", Map(&Of(&SERVICE)), Keep::Always),
    said("networks", Map(&Of(&NETWORK))),
    said("volumes", Map(&Of(&VOLUME))),
    said("secrets", Map(&Of(&FILE_OBJECT))),
    said("configs", Map(&Of(&FILE_OBJECT))),
    said("models", Map(&Of(&MODEL))),
]);

pub static SERVICE: Struct = fields(&[
    said("profiles", Texts),
    said("annotations", Mapping),
    written("attach", Bool),
    written("build", Of(&BUILD)),
    written("develop", Of(&DEVELOP)),
    written("blkio_config", Of(&BLKIO)),
    said("cap_add", Texts),
    said("cap_drop", Texts),
    said("cgroup_parent", Text),
    said("cgroup", Text),
    said("cpu_count", Int),
    said("cpu_percent", Float),
    said("cpu_period", Int),
    said("cpu_quota", Int),
    said("cpu_rt_period", Int),
    said("cpu_rt_runtime", Int),
    said("cpus", Float),
    said("cpuset", Text),
    said("cpu_shares", Int),
    kept("command", Command, Keep::Json),
    said("configs", List(&Of(&FILE_REFERENCE))),
    said("container_name", Text),
    written("credential_spec", Of(&CREDENTIAL_SPEC)),
    said("depends_on", Map(&Of(&DEPENDENCY))),
    written("deploy", Of(&DEPLOY)),
    said("device_cgroup_rules", Texts),
    said("devices", List(&Of(&DEVICE))),
    said("dns", Texts),
    said("dns_opt", Texts),
    said("dns_search", Texts),
    said("dockerfile", Text),
    said("domainname", Text),
    kept("entrypoint", Command, Keep::Json),
    written("provider", Of(&PROVIDER)),
    said("environment", Variables),
    said("env_file", List(&EnvFile)),
    said("expose", Texts),
    written("extends", Of(&EXTENDS)),
    said("external_links", Texts),
    said("extra_hosts", Hosts),
    said("group_add", Texts),
    said("gpus", List(&Of(&DEVICE_REQUEST))),
    said("hostname", Text),
    written("healthcheck", Of(&HEALTHCHECK)),
    said("image", Text),
    written("init", Bool),
    said("ipc", Text),
    said("isolation", Text),
    said("labels", Mapping),
    said("label_file", Texts),
    said("links", Texts),
    written("logging", Of(&LOGGING)),
    said("log_driver", Text),
    said("log_opt", Mapping),
    said("mem_limit", Bytes),
    said("mem_reservation", Bytes),
    said("memswap_limit", Bytes),
    said("mem_swappiness", Bytes),
    said("mac_address", Text),
    said("models", Map(&Of(&SERVICE_MODEL))),
    said("net", Text),
    said("network_mode", Text),
    said("networks", Map(&Of(&SERVICE_NETWORK))),
    said("oom_kill_disable", Bool),
    said("oom_score_adj", Int),
    said("pid", Text),
    said("pids_limit", Int),
    said("platform", Text),
    said("ports", List(&Of(&PORT))),
    said("privileged", Bool),
    said("pull_policy", Text),
    said("read_only", Bool),
    said("restart", Text),
    said("runtime", Text),
    written("scale", Int),
    said("secrets", List(&Of(&FILE_REFERENCE))),
    said("security_opt", Texts),
    said("shm_size", Bytes),
    said("stdin_open", Bool),
    written("stop_grace_period", Duration),
    said("stop_signal", Text),
    said("storage_opt", Map(&Plain)),
    said("sysctls", Mapping),
    said("tmpfs", Texts),
    said("tty", Bool),
    said("ulimits", Map(&Ulimit)),
    said("use_api_socket", Bool),
    said("user", Text),
    said("userns_mode", Text),
    said("uts", Text),
    said("volume_driver", Text),
    said("volumes", List(&Of(&MOUNT))),
    said("volumes_from", Texts),
    said("working_dir", Text),
    said("post_start", List(&Of(&HOOK))),
    said("pre_stop", List(&Of(&HOOK))),
]);

static BUILD: Struct = fields(&[
    said("context", Text),
    said("dockerfile", Text),
    said("dockerfile_inline", Text),
    said("entitlements", Texts),
    said("args", Variables),
    said("provenance", Text),
    said("sbom", Text),
    said("ssh", Ssh),
    said("labels", Mapping),
    said("cache_from", Texts),
    said("cache_to", Texts),
    said("no_cache", Bool),
    said("additional_contexts", Mapping),
    said("pull", Bool),
    said("extra_hosts", Hosts),
    said("isolation", Text),
    said("network", Text),
    said("target", Text),
    said("secrets", List(&Of(&FILE_REFERENCE))),
    said("shm_size", Bytes),
    said("tags", Texts),
    said("ulimits", Map(&Ulimit)),
    said("platforms", Texts),
    said("privileged", Bool),
]);

static DEVELOP: Struct = fields(&[said("watch", List(&Of(&TRIGGER)))]);

static TRIGGER: Struct = fields(&[
    kept("path", Text, Keep::Always),
    kept("action", Text, Keep::Always),
    said("target", Text),
    kept("exec", Of(&HOOK), Keep::JsonMap),
    said("include", Texts),
    said("ignore", Texts),
    said("initial_sync", Bool),
]);

static HOOK: Struct = fields(&[
    kept("command", Command, Keep::Json),
    said("user", Text),
    said("privileged", Bool),
    said("working_dir", Text),
    said("environment", Variables),
]);

static BLKIO: Struct = fields(&[
    said("weight", Unsigned(16)),
    said("weight_device", List(&Of(&WEIGHT_DEVICE))),
    said("device_read_bps", List(&Of(&THROTTLE_DEVICE))),
    said("device_read_iops", List(&Of(&THROTTLE_DEVICE))),
    said("device_write_bps", List(&Of(&THROTTLE_DEVICE))),
    said("device_write_iops", List(&Of(&THROTTLE_DEVICE))),
]);

static WEIGHT_DEVICE: Struct = Struct {
    fields: &[kept("path", Text, Keep::Always), kept("weight", Unsigned(16), Keep::Always)],
    capital_in_json: true,
};

static THROTTLE_DEVICE: Struct =
    Struct { fields: &[kept("path", Text, Keep::Always), kept("rate", Bytes, Keep::Always)], capital_in_json: true };

static CREDENTIAL_SPEC: Struct = fields(&[said("config", Text), said("file", Text), said("registry", Text)]);

static DEPENDENCY: Struct =
    fields(&[said("condition", Text), said("restart", Bool), kept("required", Bool, Keep::Always)]);

static DEPLOY: Struct = fields(&[
    said("mode", Text),
    written("replicas", Int),
    said("labels", Mapping),
    written("update_config", Of(&UPDATE)),
    written("rollback_config", Of(&UPDATE)),
    kept("resources", Of(&RESOURCES), Keep::JsonMap),
    written("restart_policy", Of(&RESTART_POLICY)),
    kept("placement", Of(&PLACEMENT), Keep::JsonMap),
    said("endpoint_mode", Text),
]);

static UPDATE: Struct = fields(&[
    written("parallelism", Unsigned(64)),
    said("delay", Duration),
    said("failure_action", Text),
    said("monitor", Duration),
    said("max_failure_ratio", Float),
    said("order", Text),
]);

static RESOURCES: Struct = fields(&[written("limits", Of(&RESOURCE)), written("reservations", Of(&RESOURCE))]);

static RESOURCE: Struct = fields(&[
    said("cpus", Float),
    said("memory", Bytes),
    said("pids", Int),
    said("devices", List(&Of(&DEVICE_REQUEST))),
    said("generic_resources", List(&Of(&GENERIC_RESOURCE))),
]);

static GENERIC_RESOURCE: Struct = fields(&[written("discrete_resource_spec", Of(&DISCRETE_RESOURCE))]);

static DISCRETE_RESOURCE: Struct = fields(&[kept("kind", Text, Keep::Always), kept("value", Int, Keep::Always)]);

static RESTART_POLICY: Struct = fields(&[
    said("condition", Text),
    written("delay", Duration),
    written("max_attempts", Unsigned(64)),
    written("window", Duration),
]);

static PLACEMENT: Struct = fields(&[
    said("constraints", Texts),
    said("preferences", List(&Of(&PREFERENCE))),
    said("max_replicas_per_node", Unsigned(64)),
]);

static PREFERENCE: Struct = fields(&[said("spread", Text)]);

static DEVICE: Struct = fields(&[said("source", Text), said("target", Text), said("permissions", Text)]);

static DEVICE_REQUEST: Struct = fields(&[
    said("capabilities", Texts),
    said("driver", Text),
    said("count", Count),
    said("device_ids", Texts),
    said("options", Mapping),
]);

static PROVIDER: Struct = fields(&[said("type", Text), said("options", MultiMapping)]);

static EXTENDS: Struct = fields(&[said("file", Text), said("service", Text)]);

static HEALTHCHECK: Struct = fields(&[
    said("test", Test),
    written("timeout", Duration),
    written("interval", Duration),
    written("retries", Unsigned(64)),
    written("start_period", Duration),
    written("start_interval", Duration),
    said("disable", Bool),
]);

static LOGGING: Struct = fields(&[said("driver", Text), said("options", Mapping)]);

static SERVICE_MODEL: Struct = fields(&[said("endpoint_var", Text), said("model_var", Text)]);

static SERVICE_NETWORK: Struct = fields(&[
    said("aliases", Texts),
    said("driver_opts", Mapping),
    said("gw_priority", Int),
    said("interface_name", Text),
    said("ipv4_address", Text),
    said("ipv6_address", Text),
    said("link_local_ips", Texts),
    said("mac_address", Text),
    said("priority", Int),
]);

static PORT: Struct = fields(&[
    said("name", Text),
    said("mode", Text),
    said("host_ip", Text),
    said("target", Unsigned(32)),
    said("published", Text),
    said("protocol", Text),
    said("app_protocol", Text),
]);

static MOUNT: Struct = fields(&[
    said("type", Text),
    said("source", Text),
    said("target", Text),
    said("read_only", Bool),
    said("consistency", Text),
    written("bind", Of(&MOUNT_BIND)),
    written("volume", Of(&MOUNT_VOLUME)),
    written("tmpfs", Of(&MOUNT_TMPFS)),
    written("image", Of(&MOUNT_IMAGE)),
]);

static MOUNT_BIND: Struct = fields(&[
    said("selinux", Text),
    said("propagation", Text),
    said("create_host_path", Bool),
    said("recursive", Text),
]);

static MOUNT_VOLUME: Struct = fields(&[said("labels", Mapping), said("nocopy", Bool), said("subpath", Text)]);

static MOUNT_TMPFS: Struct = fields(&[said("size", Bytes), said("mode", Unsigned(32))]);

static MOUNT_IMAGE: Struct = fields(&[said("subpath", Text)]);

static FILE_REFERENCE: Struct = fields(&[
    said("source", Text),
    said("target", Text),
    said("uid", Text),
    said("gid", Text),
    written("mode", FileMode),
]);

static NETWORK: Struct = fields(&[
    said("name", Text),
    said("driver", Text),
    said("driver_opts", Mapping),
    kept("ipam", Of(&IPAM), Keep::JsonMap),
    said("external", Bool),
    said("internal", Bool),
    said("attachable", Bool),
    said("labels", Mapping),
    written("enable_ipv4", Bool),
    written("enable_ipv6", Bool),
]);

static IPAM: Struct = fields(&[said("driver", Text), said("config", List(&Of(&POOL)))]);

static POOL: Struct =
    fields(&[said("subnet", Text), said("gateway", Text), said("ip_range", Text), said("aux_addresses", Mapping)]);

static VOLUME: Struct = fields(&[
    said("name", Text),
    said("driver", Text),
    said("driver_opts", Mapping),
    said("external", Bool),
    said("labels", Mapping),
]);

static FILE_OBJECT: Struct = fields(&[
    said("name", Text),
    said("file", Text),
    said("environment", Text),
    said("content", Text),
    said("external", Bool),
    said("labels", Mapping),
    said("driver", Text),
    said("driver_opts", Mapping),
    said("template_driver", Text),
]);

static MODEL: Struct =
    fields(&[said("name", Text), said("model", Text), said("context_size", Int), said("runtime_flags", Texts)]);
