//! The keys of `build`.

use super::shape::{EXTRA_HOSTS, FLAG, Fields, GRANTS, PAIRS, Record, STRING, STRINGS, Shape, ULIMITS, WHOLE, record};

pub(super) const BUILD: Shape = {
    const RECORD: Record = record(
        "a build",
        &[
            ("additional_contexts", PAIRS),
            ("args", PAIRS),
            ("cache_from", STRINGS),
            ("cache_to", STRINGS),
            ("context", STRING),
            ("dockerfile", STRING),
            ("dockerfile_inline", STRING),
            ("entitlements", STRINGS),
            ("extra_hosts", EXTRA_HOSTS),
            ("isolation", STRING),
            ("labels", PAIRS),
            ("network", STRING),
            ("no_cache", FLAG),
            ("platforms", STRINGS),
            ("privileged", FLAG),
            ("provenance", FLAG),
            ("pull", FLAG),
            ("sbom", FLAG),
            ("secrets", GRANTS),
            ("shm_size", WHOLE),
            ("ssh", PAIRS),
            ("tags", STRINGS),
            ("target", STRING),
            ("ulimits", ULIMITS),
        ],
    );
    STRING.or_map(&Fields::Record(RECORD))
};
