//! The keys of `deploy`, and of device requests, which `gpus` shares.

use super::shape::{
    AMOUNT, Fields, NULL, PAIRS, Record, STRING, STRINGS, Shape, UNIQUE_STRINGS, WHOLE, each, list, map, record, words,
};

pub(super) const DEVICES: &[(&str, Shape)] = &[
    ("capabilities", UNIQUE_STRINGS),
    ("count", WHOLE),
    ("device_ids", UNIQUE_STRINGS),
    ("driver", STRING),
    ("options", PAIRS),
];

const ROLLING: &[(&str, Shape)] = &[
    ("delay", STRING),
    ("failure_action", STRING),
    ("max_failure_ratio", AMOUNT),
    ("monitor", STRING),
    ("order", words(&["start-first", "stop-first"])),
    ("parallelism", WHOLE),
];

const RESOURCES: Shape = {
    const LIMITS: Record = record("resource limits", &[("cpus", AMOUNT), ("memory", STRING), ("pids", WHOLE)]);
    const SPEC: Shape =
        map(&Fields::Record(record("a resource specification", &[("kind", STRING), ("value", AMOUNT)])));
    const GENERIC: Shape =
        list(&each(map(&Fields::Record(record("a generic resource", &[("discrete_resource_spec", SPEC)])))));
    const REQUESTS: Shape =
        list(&each(map(&Fields::Record(record("a device request", DEVICES).needs(&["capabilities"])))));
    const RESERVATIONS: Record = record(
        "resource reservations",
        &[("cpus", AMOUNT), ("devices", REQUESTS), ("generic_resources", GENERIC), ("memory", STRING)],
    );
    map(&Fields::Record(record(
        "`resources`",
        &[("limits", map(&Fields::Record(LIMITS))), ("reservations", map(&Fields::Record(RESERVATIONS)))],
    )))
};

const PLACEMENT: Shape = {
    const PREFERENCES: Shape = list(&each(map(&Fields::Record(record("a preference", &[("spread", STRING)])))));
    map(&Fields::Record(record(
        "`placement`",
        &[("constraints", STRINGS), ("max_replicas_per_node", WHOLE), ("preferences", PREFERENCES)],
    )))
};

pub(super) const DEPLOY: Shape = {
    const RESTART: Record = record(
        "`restart_policy`",
        &[("condition", STRING), ("delay", STRING), ("max_attempts", WHOLE), ("window", STRING)],
    );
    const RECORD: Record = record(
        "`deploy`",
        &[
            ("endpoint_mode", STRING),
            ("labels", PAIRS),
            ("mode", STRING),
            ("placement", PLACEMENT),
            ("replicas", WHOLE),
            ("resources", RESOURCES),
            ("restart_policy", map(&Fields::Record(RESTART))),
            ("rollback_config", map(&Fields::Record(record("`rollback_config`", ROLLING)))),
            ("update_config", map(&Fields::Record(record("`update_config`", ROLLING)))),
        ],
    );
    map(&Fields::Record(RECORD)).or_scalar(NULL)
};
