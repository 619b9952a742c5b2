//! The keys of a project, and of all that is not a service.

use super::service::SERVICE;
use super::shape::{
    DRIVER_OPTIONS, EXTERNAL, EXTERNAL_OPEN, FLAG, Fields, INT, NULL, Names, PAIRS, Record, STRING,
    STRING_OR_UNIQUE_LIST, STRINGS, Shape, each, list, map, named, record, scalar,
};

pub(super) const PROJECT: Record = record(
    "a Compose file",
    &[
        ("configs", map(&named(Names::Resource, map(&Fields::Record(CONFIG))))),
        ("include", INCLUDE),
        ("models", map(&named(Names::ResourceOpen, map(&Fields::Record(MODEL))))),
        ("name", STRING),
        ("networks", map(&named(Names::ResourceOpen, map(&Fields::Record(NETWORK)).or_scalar(NULL)))),
        ("secrets", map(&named(Names::Resource, map(&Fields::Record(SECRET))))),
        ("services", map(&named(Names::Resource, map(&Fields::Record(SERVICE))))),
        ("version", STRING),
        ("volumes", map(&named(Names::Resource, map(&Fields::Record(VOLUME)).or_scalar(NULL)))),
    ],
);

const INCLUDE: Shape = {
    const FILE: Record = record(
        "an include",
        &[("env_file", STRING_OR_UNIQUE_LIST), ("path", STRING_OR_UNIQUE_LIST), ("project_directory", STRING)],
    );
    list(&each(STRING.or_map(&Fields::Record(FILE.without_extensions()))))
};

const NETWORK: Record = {
    const TEXTS: Shape = map(&named(Names::NotEmpty, STRING));
    const SUBNET: Record = record(
        "an address range",
        &[("aux_addresses", TEXTS), ("gateway", STRING), ("ip_range", STRING), ("subnet", STRING)],
    );
    const IPAM: Record = record(
        "`ipam`",
        &[("config", list(&each(map(&Fields::Record(SUBNET))))), ("driver", STRING), ("options", TEXTS)],
    );
    record(
        "a network",
        &[
            ("attachable", FLAG),
            ("driver", STRING),
            ("driver_opts", DRIVER_OPTIONS),
            ("enable_ipv4", FLAG),
            ("enable_ipv6", FLAG),
            ("external", EXTERNAL),
            ("internal", FLAG),
            ("ipam", map(&Fields::Record(IPAM))),
            ("labels", PAIRS),
            ("name", STRING),
        ],
    )
};

const VOLUME: Record = record(
    "a volume",
    &[("driver", STRING), ("driver_opts", DRIVER_OPTIONS), ("external", EXTERNAL), ("labels", PAIRS), ("name", STRING)],
);

const SECRET: Record = record(
    "a secret",
    &[
        ("driver", STRING),
        ("driver_opts", DRIVER_OPTIONS),
        ("environment", STRING),
        ("external", EXTERNAL_OPEN),
        ("file", STRING),
        ("labels", PAIRS),
        ("name", STRING),
        ("template_driver", STRING),
    ],
);

const CONFIG: Record = record(
    "a config",
    &[
        ("content", STRING),
        ("environment", STRING),
        ("external", EXTERNAL_OPEN),
        ("file", STRING),
        ("labels", PAIRS),
        ("name", STRING),
        ("template_driver", STRING),
    ],
);

const MODEL: Record = record(
    "a model",
    &[("context_size", scalar(INT)), ("model", STRING), ("name", STRING), ("runtime_flags", STRINGS)],
)
.needs(&["model"]);
