//! The short forms: each line of the input is one, given to every key that has one.

use serde_json::json;

use crate::load;

/// Keys whose items, or whose value, have a short form.
const LISTS: &[&str] = &[
    "ports",
    "volumes",
    "expose",
    "env_file",
    "devices",
    "extra_hosts",
    "tmpfs",
    "links",
    "volumes_from",
    "configs",
    "secrets",
    "environment",
    "labels",
    "sysctls",
    "dns",
];
const SINGLE: &[&str] = &[
    "stop_grace_period",
    "mem_limit",
    "shm_size",
    "command",
    "entrypoint",
    "build",
    "restart",
    "network_mode",
    "gpus",
    "pull_policy",
    "cpus",
    "pids_limit",
    "image",
];

pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Some((first, rest)) = text.split_first_byte() else { return };
    let keys = LISTS.len() + SINGLE.len();
    let key = usize::from(first) % keys;
    let service = match LISTS.get(key) {
        Some(key) => json!({ "image": "x", *key: rest.lines().take(8).collect::<Vec<_>>() }),
        None => json!({ "image": "x", SINGLE[key - LISTS.len()]: rest }),
    };
    let project = json!({ "services": { "web": service, "db": { "image": "y" } }, "volumes": { "data": {} },
        "configs": { "conf": { "content": "x" } }, "secrets": { "key": { "file": "./key" } } });
    load::whole(&[("compose.yaml", project.to_string().into_bytes())]);
}

trait SplitFirst {
    fn split_first_byte(&self) -> Option<(u8, &str)>;
}

impl SplitFirst for str {
    /// The first character picks the key; it is one of ASCII, or there is nothing to do.
    fn split_first_byte(&self) -> Option<(u8, &str)> {
        let first = self.bytes().next().filter(u8::is_ascii)?;
        Some((first, &self[1..]))
    }
}
