//! What a person most likely meant.

/// Keys that people write in a place where another one does the work.
const ADVICE: &[(&str, &str)] = &[
    ("replicas", "`replicas` belongs under `deploy`; `scale` does the same here"),
    ("resources", "`resources` belongs under `deploy`"),
    ("limits", "`limits` belongs under `deploy.resources`; `mem_limit` and `cpus` do the same here"),
    ("reservations", "`reservations` belongs under `deploy.resources`"),
    ("restart_policy", "`restart_policy` belongs under `deploy`; `restart` does the same here"),
    ("placement", "`placement` belongs under `deploy`"),
    ("update_config", "`update_config` belongs under `deploy`"),
    ("dockerfile", "`dockerfile` belongs under `build`"),
    ("context", "`context` belongs under `build`"),
    ("args", "`args` belongs under `build`"),
    ("env", "variables stand under `environment`"),
    ("envs", "variables stand under `environment`"),
    ("memory", "the key is `mem_limit`, or `deploy.resources.limits.memory`"),
    ("mem", "the key is `mem_limit`, or `deploy.resources.limits.memory`"),
    ("name", "a service is named by the key above; a container's own name is `container_name`"),
    ("publish", "published ports stand under `ports`"),
    ("cmd", "the key is `command`"),
    ("workdir", "the key is `working_dir`"),
    ("stop_timeout", "the key is `stop_grace_period`"),
    ("depends", "the key is `depends_on`"),
    ("net", "the key is `network_mode` or `networks`"),
    ("log_driver", "the key is `logging`, with `driver` below it"),
    ("log_opt", "the key is `logging`, with `options` below it"),
    ("volume_driver", "the driver stands with the volume, under the top-level `volumes`"),
    ("aliases", "`aliases` belongs under one of the `networks` of the service"),
    ("driver_opts", "`driver_opts` belongs under a top-level network or volume"),
];

pub(super) fn advice(word: &str) -> Option<&'static str> {
    ADVICE.iter().find(|(key, _)| *key == word).map(|(_, advice)| *advice)
}

/// The candidate that a mistyped word most likely meant: the nearest one, when it is near enough.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let wanted: Vec<char> = plain(word).chars().collect();
    // Long words are never keys, and the distance costs the product of both lengths.
    if wanted.is_empty() || wanted.len() > 64 {
        return None;
    }
    let allowed = (wanted.len() / 3).clamp(1, 3);
    let all: Vec<&str> = candidates.collect();
    let near = all
        .iter()
        .copied()
        .map(|candidate| (distance(&wanted, &plain(candidate).chars().collect::<Vec<_>>()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, candidate)| (*distance, *candidate))
        .map(|(_, candidate)| candidate.to_owned());
    near.or_else(|| part_of_one(&plain(word), &all))
}

/// The only candidate of which the word is the beginning or the last part: `mem` of `memory`.
fn part_of_one(word: &str, candidates: &[&str]) -> Option<String> {
    let is_part = |candidate: &&&str| {
        word.len() >= 3
            && (candidate.starts_with(word) || candidate.strip_suffix(word).is_some_and(|rest| rest.ends_with('_')))
    };
    let mut found = candidates.iter().filter(is_part);
    let first = found.next()?;
    found.next().is_none().then(|| (*first).to_owned())
}

/// How many letters must be added, taken, changed or swapped with their neighbour.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; other.len() + 1];
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, a) in one.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in other.iter().enumerate() {
            let change = last[column] + usize::from(a != b);
            let mut best = change.min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *a == other[column - 1] && one[row - 1] == *b {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut last, current);
    }
    last[other.len()]
}
