//! What differs on purpose. `docs/COMPOSE-RUNS.md` tells the same to people; a test holds the two together.

use mainstay_e2e::texts;
use serde_json::Value;

use crate::compare::{Difference, means};

pub struct Explained {
    /// The path of the difference; `*` is one part, `**` any number.
    pub at: &'static str,
    /// What must hold of both values, beside the path.
    pub when: fn(&Value, &Value) -> bool,
    pub why: &'static str,
}

const fn anything(_: &Value, _: &Value) -> bool {
    true
}

fn only_ours(compose: &Value, _: &Value) -> bool {
    compose.is_null()
}

fn any_port(compose: &Value, mainstay: &Value) -> bool {
    let free = |ports: &Value| ports.to_string().replace("\"HostPort\":\"0\"", "\"HostPort\":\"\"");
    free(compose) == free(mainstay)
}

fn only_compose(_: &Value, mainstay: &Value) -> bool {
    mainstay.is_null()
}

/// Compose has one more.
fn all_but_one(compose: &Value, mainstay: &Value) -> bool {
    let (theirs, ours) = (texts(compose), texts(mainstay));
    ours.is_subset(&theirs) && theirs.len() == ours.len() + 1
}

pub const EXPLAINED: &[Explained] = &[
    Explained {
        at: "** › Labels › dev.mainstay.*",
        when: only_ours,
        why: "Mainstay's own labels: what a thing was made from, so that a stack is taken up again without a journal",
    },
    Explained {
        at: "** › Labels › com.docker.compose.version",
        when: anything,
        why: "the version of the program that made it",
    },
    Explained {
        at: "networks › * › Labels › com.docker.compose.config-hash",
        when: only_compose,
        why: "without it `docker compose` leaves a network as it is, instead of making it anew under running containers",
    },
    Explained {
        at: "volumes › * › Labels › com.docker.compose.config-hash",
        when: only_compose,
        why: "without it `docker compose` never offers to make a volume anew",
    },
    Explained {
        at: "containers › *-joins-* › Config › Labels › com.docker.compose.config-hash",
        when: anything,
        why: "Compose hashes the id of the container that is joined (`service:` in `network_mode`, `ipc`, `pid`, and `volumes_from`), so it recreates these at its next `up`",
    },
    Explained {
        at: "containers › *-label-file-* › Config › Labels › com.docker.compose.config-hash",
        when: anything,
        why: "Compose hashes `label_file` besides the labels from it, so it recreates these at its next `up`",
    },
    Explained {
        at: "containers › * › HostConfig › RestartPolicy › Name",
        when: |compose, mainstay| compose == "" && mainstay == "no",
        why: "two spellings of one policy; engines since 25 write `no` themselves",
    },
    Explained {
        at: "containers › * › HostConfig › RestartPolicy › MaximumRetryCount",
        when: |_, mainstay| mainstay == 0,
        why: "`max_attempts` without `condition`: the engine restarts nothing either way, and newer engines refuse the count",
    },
    Explained {
        at: "containers › * › Config › StopTimeout",
        when: |compose, mainstay| compose.as_u64().map(|cut| cut + 1) == mainstay.as_u64(),
        why: "Compose cuts a grace period to whole seconds, so that half a second kills at once; Mainstay rounds up",
    },
    Explained {
        at: "containers › * › NetworkSettings › Networks › * › Aliases",
        when: all_but_one,
        why: "Compose adds the container's name, which the engine resolves without",
    },
    Explained {
        at: "containers › * › HostConfig › PortBindings › *",
        when: any_port,
        why: "`published: 0` and no `published` are the same: any free port",
    },
    Explained {
        at: "containers › *-read-only-* › HostConfig › VolumesFrom",
        when: anything,
        why: "`volumes_from: [x:ro]` is read-only as the file says; Compose loses the `ro`",
    },
    Explained {
        at: "containers › *-read-only-* › Mounts › * › RW",
        when: |compose, mainstay| *compose == true && *mainstay == false,
        why: "the same, as the mounts show it",
    },
    Explained {
        at: "containers › *-options-* › HostConfig › Binds",
        when: only_ours,
        why: "a bind with `propagation` or `selinux` takes the engine's short form, which makes the missing folder on every engine and relabels; Compose's form does neither on engines before 23, and never relabels",
    },
    Explained {
        at: "containers › *-options-* › HostConfig › Mounts › **",
        when: only_compose,
        why: "the other side of the same",
    },
    Explained {
        at: "containers › *-options-* › Mounts › * › Mode",
        when: |compose, _| compose == "",
        why: "the same, as the mounts show it",
    },
    Explained {
        at: "images › * › Config › Image",
        when: |compose, _| compose == "",
        why: "the classic builder notes the image that it began with; before API 1.42 it is taken for `shm_size`, where Compose's BuildKit leaves the size out",
    },
];

/// The differences that nobody has explained.
pub fn unexplained(differences: Vec<Difference>) -> Vec<Difference> {
    let is_explained = |difference: &Difference| {
        let knows = |known: &&Explained| means(known.at, &difference.path);
        EXPLAINED.iter().filter(knows).any(|known| (known.when)(&difference.compose, &difference.mainstay))
    };
    differences.into_iter().filter(|difference| !is_explained(difference)).collect()
}

#[test]
fn the_page_tells_every_reason() {
    let page = include_str!("../../../../docs/COMPOSE-RUNS.md");
    let missing: Vec<&str> = EXPLAINED.iter().map(|known| known.why).filter(|why| !page.contains(why)).collect();
    assert!(missing.is_empty(), "docs/COMPOSE-RUNS.md does not tell: {missing:#?}");
}
