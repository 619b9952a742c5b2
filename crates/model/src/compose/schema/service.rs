//! The keys of a service.

use super::build::BUILD;
use super::deploy::{DEPLOY, DEVICES};
use super::shape::{
    AMOUNT, BOOL, COMMAND, DRIVER_OPTIONS, EXTRA_HOSTS, FLAG, FREE_TEXT, Fields, GRANTS, INT, NULL, NUMBER, Names,
    PAIRS, Record, Rule, STRING, STRING_OR_LIST, STRING_OR_UNIQUE_LIST, STRINGS, Shape, TEXT, ULIMITS, UNIQUE_STRINGS,
    WHOLE, each, list, map, named, record, scalar, unique, words,
};

pub(super) const SERVICE: Record = record(
    "a service",
    &[
        ("annotations", PAIRS),
        ("attach", FLAG),
        ("blkio_config", BLKIO),
        ("build", BUILD),
        ("cap_add", STRINGS),
        ("cap_drop", STRINGS),
        ("cgroup", words(&["host", "private"])),
        ("cgroup_parent", STRING),
        ("command", COMMAND),
        ("configs", GRANTS),
        ("container_name", STRING.rule(Rule::ContainerName)),
        ("cpu_count", WHOLE.rule(Rule::Between(0, i64::MAX))),
        ("cpu_percent", WHOLE.rule(Rule::Between(0, 100))),
        ("cpu_period", AMOUNT),
        ("cpu_quota", AMOUNT),
        ("cpu_rt_period", AMOUNT),
        ("cpu_rt_runtime", AMOUNT),
        ("cpu_shares", AMOUNT),
        ("cpus", AMOUNT),
        ("cpuset", STRING),
        ("credential_spec", CREDENTIAL_SPEC),
        ("depends_on", DEPENDS_ON),
        ("deploy", DEPLOY),
        ("develop", DEVELOP),
        ("device_cgroup_rules", UNIQUE_STRINGS),
        ("devices", DEVICE_MAPPINGS),
        ("dns", STRING_OR_LIST),
        ("dns_opt", STRINGS),
        ("dns_search", STRING_OR_LIST),
        ("domainname", STRING),
        ("entrypoint", COMMAND),
        ("env_file", ENV_FILE),
        ("environment", PAIRS),
        ("expose", list(&each(scalar(FREE_TEXT | INT)))),
        ("extends", EXTENDS),
        ("external_links", UNIQUE_STRINGS),
        ("extra_hosts", EXTRA_HOSTS),
        ("gpus", GPUS),
        ("group_add", list(&unique(scalar(FREE_TEXT | NUMBER)))),
        ("healthcheck", HEALTHCHECK),
        ("hostname", STRING),
        ("image", STRING),
        ("init", FLAG),
        ("ipc", STRING),
        ("isolation", STRING),
        ("label_file", STRING.or_list(&each(STRING))),
        ("labels", PAIRS),
        ("links", STRINGS),
        ("logging", LOGGING),
        ("mac_address", STRING),
        ("mem_limit", AMOUNT),
        ("mem_reservation", WHOLE),
        ("mem_swappiness", WHOLE),
        ("memswap_limit", AMOUNT),
        ("models", MODELS),
        ("network_mode", STRING),
        ("networks", NETWORKS),
        ("oom_kill_disable", FLAG),
        ("oom_score_adj", WHOLE.rule(Rule::Between(-1000, 1000))),
        ("pid", STRING),
        ("pids_limit", AMOUNT),
        ("platform", STRING),
        ("ports", PORTS),
        ("post_start", HOOKS),
        ("pre_stop", HOOKS),
        ("privileged", FLAG),
        ("profiles", STRINGS),
        ("provider", PROVIDER),
        ("pull_policy", STRING.rule(Rule::PullPolicy)),
        ("pull_refresh_after", STRING),
        ("read_only", FLAG),
        ("restart", STRING),
        ("runtime", STRING),
        ("scale", WHOLE),
        ("secrets", GRANTS),
        ("security_opt", UNIQUE_STRINGS),
        ("shm_size", AMOUNT),
        ("stdin_open", FLAG),
        ("stop_grace_period", STRING),
        ("stop_signal", STRING),
        ("storage_opt", map(&Fields::Anything)),
        ("sysctls", PAIRS),
        ("tmpfs", STRING_OR_LIST),
        ("tty", FLAG),
        ("ulimits", ULIMITS),
        ("use_api_socket", scalar(BOOL)),
        ("user", STRING),
        ("userns_mode", STRING),
        ("uts", STRING),
        ("volumes", VOLUMES),
        ("volumes_from", UNIQUE_STRINGS),
        ("working_dir", STRING),
    ],
);

const BLKIO: Shape = {
    const LIMITS: Shape = list(&each(map(&Fields::Record(
        record("a device limit", &[("path", STRING), ("rate", WHOLE)]).without_extensions(),
    ))));
    const WEIGHTS: Shape = list(&each(map(&Fields::Record(
        record("a device weight", &[("path", STRING), ("weight", WHOLE)]).without_extensions(),
    ))));
    const RECORD: Record = record(
        "`blkio_config`",
        &[
            ("device_read_bps", LIMITS),
            ("device_read_iops", LIMITS),
            ("device_write_bps", LIMITS),
            ("device_write_iops", LIMITS),
            ("weight", WHOLE),
            ("weight_device", WEIGHTS),
        ],
    );
    map(&Fields::Record(RECORD.without_extensions()))
};

const CREDENTIAL_SPEC: Shape =
    map(&Fields::Record(record("`credential_spec`", &[("config", STRING), ("file", STRING), ("registry", STRING)])));

const DEPENDS_ON: Shape = {
    const DEPENDENCY: Record = record(
        "a dependency",
        &[
            ("condition", words(&["service_started", "service_healthy", "service_completed_successfully"])),
            ("required", scalar(BOOL)),
            ("restart", FLAG),
        ],
    );
    const BY_NAME: Fields = named(Names::Resource, map(&Fields::Record(DEPENDENCY.needs(&["condition"]))));
    UNIQUE_STRINGS.or_map(&BY_NAME)
};

const DEVELOP: Shape = {
    const WATCH: Record = record(
        "a watch rule",
        &[
            ("action", words(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"])),
            ("exec", HOOK),
            ("ignore", STRING_OR_UNIQUE_LIST),
            ("include", STRING_OR_UNIQUE_LIST),
            ("initial_sync", scalar(BOOL)),
            ("path", STRING),
            ("target", STRING),
        ],
    );
    const RULES: Shape = list(&each(map(&Fields::Record(WATCH.needs(&["path", "action"])))));
    map(&Fields::Record(record("`develop`", &[("watch", RULES)]))).or_scalar(NULL)
};

const DEVICE_MAPPINGS: Shape = {
    const MAPPING: Record = record("a device", &[("permissions", STRING), ("source", STRING), ("target", STRING)]);
    list(&each(STRING.or_map(&Fields::Record(MAPPING.needs(&["source"])))))
};

const ENV_FILE: Shape = {
    const FILE: Record = record("an env file", &[("format", STRING), ("path", STRING), ("required", FLAG)]);
    STRING.or_list(&each(STRING.or_map(&Fields::Record(FILE.needs(&["path"]).without_extensions()))))
};

const EXTENDS: Shape = STRING.or_map(&Fields::Record(
    record("`extends`", &[("file", STRING), ("service", STRING)]).needs(&["service"]).without_extensions(),
));

const GPUS: Shape = words(&["all"]).or_list(&each(map(&Fields::Record(record("a GPU request", DEVICES).open()))));

const HEALTHCHECK: Shape = map(&Fields::Record(record(
    "a healthcheck",
    &[
        ("disable", FLAG),
        ("interval", STRING),
        ("retries", AMOUNT),
        ("start_interval", STRING),
        ("start_period", STRING),
        ("test", STRING.or_list(&each(STRING))),
        ("timeout", STRING),
    ],
)));

const HOOK: Shape = {
    const RECORD: Record = record(
        "a hook",
        &[
            ("command", COMMAND),
            ("environment", PAIRS),
            ("privileged", FLAG),
            ("user", STRING),
            ("working_dir", STRING),
        ],
    );
    map(&Fields::Record(RECORD.needs(&["command"])))
};
const HOOKS: Shape = list(&each(HOOK));

const LOGGING: Shape = {
    const OPTIONS: Shape = map(&named(Names::NotEmptyOpen, scalar(FREE_TEXT | NUMBER | NULL)));
    map(&Fields::Record(record("`logging`", &[("driver", STRING), ("options", OPTIONS)])))
};

const MODELS: Shape = {
    const BINDING: Record = record("a model of a service", &[("endpoint_var", STRING), ("model_var", STRING)]);
    UNIQUE_STRINGS.or_map(&named(Names::ResourceOpen, scalar(NULL).or_map(&Fields::Record(BINDING))))
};

const NETWORKS: Shape = {
    const ATTACHMENT: Record = record(
        "a network of a service",
        &[
            ("aliases", STRINGS),
            ("driver_opts", DRIVER_OPTIONS),
            ("gw_priority", scalar(NUMBER)),
            ("interface_name", STRING),
            ("ipv4_address", STRING),
            ("ipv6_address", STRING),
            ("link_local_ips", STRINGS),
            ("mac_address", STRING),
            ("priority", scalar(NUMBER)),
        ],
    );
    UNIQUE_STRINGS.or_map(&named(Names::Resource, scalar(NULL).or_map(&Fields::Record(ATTACHMENT))))
};

const PORTS: Shape = {
    const PORT: Record = record(
        "a port",
        &[
            ("app_protocol", STRING),
            ("host_ip", STRING),
            ("mode", STRING),
            ("name", STRING),
            ("protocol", STRING),
            ("published", WHOLE),
            ("target", WHOLE),
        ],
    );
    list(&each(AMOUNT.or_map(&Fields::Record(PORT))))
};

const PROVIDER: Shape = {
    const ONE: Shape = scalar(FREE_TEXT | NUMBER | BOOL);
    const OPTIONS: Shape = map(&named(Names::NotEmptyOpen, ONE.or_list(&each(ONE))));
    map(&Fields::Record(record("`provider`", &[("options", OPTIONS), ("type", STRING)]).needs(&["type"])))
};

const VOLUMES: Shape = {
    const BIND: Record = record(
        "`bind`",
        &[
            ("create_host_path", FLAG),
            ("propagation", STRING),
            ("recursive", words(&["enabled", "disabled", "writable", "readonly"])),
            ("selinux", words(&["z", "Z"])),
        ],
    );
    const NAMED_VOLUME: Record = record("`volume`", &[("labels", PAIRS), ("nocopy", FLAG), ("subpath", STRING)]);
    const TMPFS: Record =
        record("`tmpfs`", &[("mode", AMOUNT), ("size", scalar(INT | TEXT).rule(Rule::Between(0, i64::MAX)))]);
    const IMAGE: Record = record("`image`", &[("subpath", STRING)]);
    const MOUNT: Record = record(
        "a volume of a service",
        &[
            ("bind", map(&Fields::Record(BIND))),
            ("consistency", STRING),
            ("image", map(&Fields::Record(IMAGE))),
            ("read_only", FLAG),
            ("source", STRING),
            ("target", STRING),
            ("tmpfs", map(&Fields::Record(TMPFS))),
            ("type", words(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"])),
            ("volume", map(&Fields::Record(NAMED_VOLUME))),
        ],
    );
    list(&each(STRING.or_map(&Fields::Record(MOUNT.needs(&["type"])))))
};
