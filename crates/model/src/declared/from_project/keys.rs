//! Every key of the dialect and what becomes of it here: the first law as a table.
//!
//! A key is honoured, has no effect by Compose's own rules, is warned about, or is refused; a key that is not in the
//! table is refused. The rule for the choice: what would make something else run is refused, what cannot matter on one
//! machine or belongs to another command is warned about.

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It does what Compose says that it does.
    Honoured,
    /// It does what Compose says, save for what the text says.
    Differs(&'static str),
    /// It was used up when the files were read, or it describes and has no effect in Compose either.
    Quiet(&'static str),
    /// It is told with its place, and the stack runs without it. The text says why that is harmless, after `: `.
    Warned(&'static str),
    /// The declaration is refused. The text says why, after `: `.
    Refused(&'static str),
}

/// A key below a path.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub fate: Fate,
}

/// The keys that a mapping may have. In a path, `*` stands for any key and `[]` for the items of a list.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    pub at: &'static str,
    pub keys: &'static [Key],
}

const fn honoured(name: &'static str) -> Key {
    Key { name, fate: Fate::Honoured }
}
const fn differs(name: &'static str, how: &'static str) -> Key {
    Key { name, fate: Fate::Differs(how) }
}
const fn quiet(name: &'static str, why: &'static str) -> Key {
    Key { name, fate: Fate::Quiet(why) }
}
const fn warned(name: &'static str, why: &'static str) -> Key {
    Key { name, fate: Fate::Warned(why) }
}
const fn refused(name: &'static str, why: &'static str) -> Key {
    Key { name, fate: Fate::Refused(why) }
}

const READ: &str = "used up when the files are read";
const DESCRIBES: &str = "it describes, and has no effect in Compose either";
const SWARM: &str = "it is for a Swarm cluster, and this stack runs on one machine";
const WINDOWS: &str = "it is for Windows containers";
const BUILDKIT: &str =
    "the engine's build call does not take it; `docker buildx` builds such an image, and `image` runs it";

/// The table; `docs/COMPOSE.md` shows it, and a test holds the two together.
pub const KEYS: &[Group] = &[
    Group {
        at: "",
        keys: &[
            honoured("name"),
            quiet("version", "Compose ignores it since v2"),
            quiet("include", READ),
            honoured("services"),
            honoured("networks"),
            honoured("volumes"),
            honoured("configs"),
            honoured("secrets"),
            refused("models", "running models is not built yet"),
        ],
    },
    SERVICE,
    BUILD,
    Group { at: "services.*.build.secrets[]", keys: FILE_REFERENCE },
    Group { at: "services.*.build.ulimits.*", keys: ULIMIT },
    Group { at: "services.*.ulimits.*", keys: ULIMIT },
    Group { at: "services.*.configs[]", keys: FILE_REFERENCE },
    Group { at: "services.*.secrets[]", keys: FILE_REFERENCE },
    Group { at: "services.*.depends_on.*", keys: &[honoured("condition"), honoured("restart"), honoured("required")] },
    Group {
        at: "services.*.healthcheck",
        keys: &[
            honoured("test"),
            honoured("interval"),
            honoured("timeout"),
            honoured("retries"),
            honoured("start_period"),
            honoured("start_interval"),
            honoured("disable"),
        ],
    },
    Group { at: "services.*.logging", keys: &[honoured("driver"), honoured("options")] },
    Group {
        at: "services.*.ports[]",
        keys: &[
            honoured("target"),
            honoured("published"),
            honoured("protocol"),
            honoured("host_ip"),
            quiet("mode", "it is for Swarm, and Compose writes it into every port"),
            quiet("name", DESCRIBES),
            quiet("app_protocol", DESCRIBES),
        ],
    },
    Group {
        at: "services.*.volumes[]",
        keys: &[
            honoured("type"),
            honoured("source"),
            honoured("target"),
            honoured("read_only"),
            honoured("bind"),
            honoured("volume"),
            honoured("tmpfs"),
            honoured("image"),
            quiet("consistency", "engines ignore it since 2020"),
        ],
    },
    Group {
        at: "services.*.volumes[].bind",
        keys: &[
            honoured("propagation"),
            honoured("create_host_path"),
            honoured("selinux"),
            refused("recursive", "mounts below the bind are always taken along"),
        ],
    },
    Group {
        at: "services.*.volumes[].volume",
        keys: &[
            honoured("nocopy"),
            honoured("subpath"),
            warned("labels", "label the volume under the top-level `volumes` instead"),
        ],
    },
    Group { at: "services.*.volumes[].tmpfs", keys: &[honoured("size"), honoured("mode")] },
    Group { at: "services.*.volumes[].image", keys: &[honoured("subpath")] },
    Group {
        at: "services.*.networks.*",
        keys: &[
            honoured("aliases"),
            honoured("ipv4_address"),
            honoured("ipv6_address"),
            honoured("link_local_ips"),
            honoured("mac_address"),
            honoured("driver_opts"),
            honoured("priority"),
            refused("gw_priority", "the default route follows `priority`; write that instead"),
            refused("interface_name", "interfaces are named by the engine"),
        ],
    },
    Group { at: "services.*.devices[]", keys: &[honoured("source"), honoured("target"), honoured("permissions")] },
    Group { at: "services.*.gpus[]", keys: DEVICE_REQUEST },
    Group {
        at: "services.*.blkio_config",
        keys: &[
            honoured("weight"),
            honoured("weight_device"),
            honoured("device_read_bps"),
            honoured("device_write_bps"),
            honoured("device_read_iops"),
            honoured("device_write_iops"),
        ],
    },
    Group { at: "services.*.blkio_config.weight_device[]", keys: BLKIO },
    Group { at: "services.*.blkio_config.device_read_bps[]", keys: BLKIO },
    Group { at: "services.*.blkio_config.device_write_bps[]", keys: BLKIO },
    Group { at: "services.*.blkio_config.device_read_iops[]", keys: BLKIO },
    Group { at: "services.*.blkio_config.device_write_iops[]", keys: BLKIO },
    Group {
        at: "services.*.deploy",
        keys: &[
            differs("mode", "modes for a Swarm cluster are warned about; on one machine they mean `replicated`"),
            honoured("replicas"),
            honoured("resources"),
            honoured("restart_policy"),
            warned("labels", SWARM),
            warned("placement", SWARM),
            warned("update_config", SWARM),
            warned("rollback_config", SWARM),
            warned("endpoint_mode", SWARM),
        ],
    },
    Group { at: "services.*.deploy.resources", keys: &[honoured("limits"), honoured("reservations")] },
    Group { at: "services.*.deploy.resources.limits", keys: &[honoured("cpus"), honoured("memory"), honoured("pids")] },
    Group {
        at: "services.*.deploy.resources.reservations",
        keys: &[
            honoured("memory"),
            honoured("devices"),
            warned("cpus", "an engine cannot reserve processors; Compose ignores it too"),
            warned("generic_resources", SWARM),
        ],
    },
    Group { at: "services.*.deploy.resources.reservations.devices[]", keys: DEVICE_REQUEST },
    Group {
        at: "services.*.deploy.restart_policy",
        keys: &[
            honoured("condition"),
            honoured("max_attempts"),
            warned("delay", "the engine chooses its own pauses between restarts; Compose ignores it too"),
            warned("window", "the engine has no such window; Compose ignores it too"),
        ],
    },
    Group {
        at: "networks.*",
        keys: &[
            honoured("name"),
            honoured("driver"),
            honoured("driver_opts"),
            honoured("ipam"),
            honoured("external"),
            honoured("internal"),
            honoured("attachable"),
            honoured("enable_ipv4"),
            honoured("enable_ipv6"),
            honoured("labels"),
        ],
    },
    Group { at: "networks.*.ipam", keys: &[honoured("driver"), honoured("config"), honoured("options")] },
    Group {
        at: "networks.*.ipam.config[]",
        keys: &[honoured("subnet"), honoured("ip_range"), honoured("gateway"), honoured("aux_addresses")],
    },
    Group {
        at: "volumes.*",
        keys: &[
            honoured("name"),
            honoured("driver"),
            honoured("driver_opts"),
            honoured("external"),
            honoured("labels"),
        ],
    },
    Group { at: "configs.*", keys: FILE_OBJECT },
    Group { at: "secrets.*", keys: FILE_OBJECT },
];

const SERVICE: Group = Group {
    at: "services.*",
    keys: &[
        honoured("annotations"),
        warned("attach", "logs are followed with `mainstay logs`, and `up` shows none"),
        honoured("blkio_config"),
        differs(
            "build",
            "images are built by the engine's own BuildKit, or by its classic builder where it has none; see docs/BUILDS.md",
        ),
        honoured("cap_add"),
        honoured("cap_drop"),
        honoured("cgroup"),
        honoured("cgroup_parent"),
        honoured("command"),
        honoured("configs"),
        honoured("container_name"),
        honoured("cpu_count"),
        honoured("cpu_percent"),
        honoured("cpu_period"),
        honoured("cpu_quota"),
        honoured("cpu_rt_period"),
        honoured("cpu_rt_runtime"),
        honoured("cpu_shares"),
        honoured("cpus"),
        honoured("cpuset"),
        refused("credential_spec", WINDOWS),
        honoured("depends_on"),
        honoured("deploy"),
        honoured("develop"),
        honoured("device_cgroup_rules"),
        honoured("devices"),
        honoured("dns"),
        honoured("dns_opt"),
        honoured("dns_search"),
        honoured("domainname"),
        honoured("entrypoint"),
        quiet("env_file", READ),
        honoured("environment"),
        honoured("expose"),
        quiet("extends", READ),
        honoured("external_links"),
        honoured("extra_hosts"),
        honoured("gpus"),
        honoured("group_add"),
        honoured("healthcheck"),
        honoured("hostname"),
        honoured("image"),
        honoured("init"),
        honoured("ipc"),
        honoured("isolation"),
        quiet("label_file", READ),
        honoured("labels"),
        honoured("links"),
        honoured("logging"),
        honoured("mac_address"),
        honoured("mem_limit"),
        honoured("mem_reservation"),
        honoured("mem_swappiness"),
        honoured("memswap_limit"),
        refused("models", "running models is not built yet"),
        honoured("network_mode"),
        honoured("networks"),
        honoured("oom_kill_disable"),
        honoured("oom_score_adj"),
        honoured("pid"),
        honoured("pids_limit"),
        honoured("platform"),
        honoured("ports"),
        refused(
            "post_start",
            "commands after the start are not built yet, and without them the service would not be the same",
        ),
        refused(
            "pre_start",
            "commands before the start are not built yet, and without them the service would not be the same",
        ),
        refused("pre_stop", "commands before the stop are not built yet, and without them it could lose work"),
        honoured("privileged"),
        quiet("profiles", READ),
        refused("provider", "services that a plugin provides are not built yet"),
        differs("pull_policy", "`daily`, `weekly`, `every_…` and `refresh` are warned about and mean `missing`"),
        warned("pull_refresh_after", "images are pulled when missing, or when `--pull` asks for it"),
        honoured("read_only"),
        honoured("restart"),
        honoured("runtime"),
        honoured("scale"),
        honoured("secrets"),
        honoured("security_opt"),
        honoured("shm_size"),
        honoured("stdin_open"),
        honoured("stop_grace_period"),
        honoured("stop_signal"),
        honoured("storage_opt"),
        honoured("sysctls"),
        honoured("tmpfs"),
        honoured("tty"),
        honoured("ulimits"),
        refused("use_api_socket", "mount the engine's socket under `volumes` instead, where it can be seen"),
        honoured("user"),
        honoured("userns_mode"),
        honoured("uts"),
        honoured("volumes"),
        honoured("volumes_from"),
        honoured("working_dir"),
    ],
};

const BUILD: Group = Group {
    at: "services.*.build",
    keys: &[
        refused("additional_contexts", BUILDKIT),
        honoured("args"),
        honoured("cache_from"),
        warned("cache_to", "the image is the same without; the engine keeps its own cache"),
        honoured("context"),
        honoured("dockerfile"),
        honoured("dockerfile_inline"),
        refused("entitlements", BUILDKIT),
        honoured("extra_hosts"),
        refused("isolation", WINDOWS),
        honoured("labels"),
        honoured("network"),
        honoured("no_cache"),
        refused("no_cache_filter", BUILDKIT),
        honoured("platforms"),
        honoured("privileged"),
        warned("provenance", "the image is the same without its attestation"),
        honoured("pull"),
        warned("sbom", "the image is the same without its attestation"),
        honoured("secrets"),
        honoured("shm_size"),
        honoured("ssh"),
        honoured("tags"),
        honoured("target"),
        honoured("ulimits"),
    ],
};

const ULIMIT: &[Key] = &[honoured("soft"), honoured("hard"), honoured("single")];

const ON_FILES: &str = "of a secret or config from a file it is warned about; Compose ignores it there as well";

const FILE_REFERENCE: &[Key] = &[
    honoured("source"),
    honoured("target"),
    differs("uid", ON_FILES),
    differs("gid", ON_FILES),
    differs("mode", ON_FILES),
];

const FILE_OBJECT: &[Key] = &[
    quiet("name", "it names an object of a Swarm cluster"),
    honoured("file"),
    honoured("content"),
    honoured("environment"),
    honoured("external"),
    warned("labels", SWARM),
    refused("driver", "secret drivers belong to Swarm"),
    refused("driver_opts", "secret drivers belong to Swarm"),
    refused("template_driver", "the file would be given without its templates filled in"),
];

const DEVICE_REQUEST: &[Key] =
    &[honoured("driver"), honoured("count"), honoured("device_ids"), honoured("capabilities"), honoured("options")];

/// Compose prints these two in capitals.
const BLKIO: &[Key] = &[
    honoured("path"),
    honoured("rate"),
    honoured("weight"),
    quiet("Path", "as Compose prints `path`"),
    quiet("Rate", "as Compose prints `rate`"),
    quiet("Weight", "as Compose prints `weight`"),
];

#[cfg(test)]
mod tests;
