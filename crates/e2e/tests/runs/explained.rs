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

/// Compose has one more.
fn all_but_one(compose: &Value, mainstay: &Value) -> bool {
    let (theirs, ours) = (texts(compose), texts(mainstay));
    ours.is_subset(&theirs) && theirs.len() == ours.len() + 1
}

pub const EXPLAINED: &[Explained] = &[
    Explained {
        at: "** › Labels › dev.mainstay.*",
        when: only_ours,
        why: "Mainstay's own labels: what a thing was made from, so that it is taken up again without a journal",
    },
    Explained {
        at: "** › Labels › com.docker.compose.version",
        when: anything,
        why: "the version of the program that made it",
    },
    Explained {
        at: "containers › * › HostConfig › RestartPolicy › Name",
        when: |compose, mainstay| compose == "" && mainstay == "no",
        why: "two spellings of one policy; engines since 25 write `no` themselves",
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
];

/// The differences that nobody has explained.
pub fn unexplained(differences: Vec<Difference>) -> Vec<Difference> {
    let is_explained = |difference: &Difference| {
        EXPLAINED.iter().any(|known| {
            // A label's name has dots of its own: `*` at its end stands for the rest of it.
            let path = match known.at.strip_suffix(".*") {
                Some(start) => {
                    let last = start.rsplit(" › ").next().unwrap_or(start);
                    let (folder, name) = difference.path.rsplit_once(" › ").unwrap_or(("", &difference.path));
                    let wanted = start.strip_suffix(last).unwrap_or_default().trim_end_matches(" › ");
                    name.starts_with(last) && means(wanted, folder)
                }
                None => means(known.at, &difference.path),
            };
            path && (known.when)(&difference.compose, &difference.mainstay)
        })
    };
    differences.into_iter().filter(|difference| !is_explained(difference)).collect()
}
