//! A `pg_dump` that a test holds on to.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::engine::docker_ok;

const LONG: Duration = Duration::from_secs(180);

/// The process of a container that dumps data, which does not move.
pub struct Dumper {
    pub pid: String,
}

impl Dumper {
    /// Waits until a container dumps data, and holds that. `told` says what there is instead, should it never come.
    pub fn hold(container: &str, told: impl Fn() -> String) -> Dumper {
        let container = docker_ok(&["inspect", "-f", "{{.Id}}", container]);
        let began = Instant::now();
        // Not by the engine, which takes longer than a dump.
        let pid = loop {
            if let Some(found) = dumper_in(&container) {
                break found;
            }
            assert!(began.elapsed() < LONG, "no dumper came: {}", told());
        };
        let dumper = Dumper { pid };
        assert!(dumper.signal("-STOP"), "it was too fast: {}", told());
        dumper
    }

    /// Sends it `-CONT`, `-KILL`. Gives whether it is there.
    pub fn signal(&self, signal: &str) -> bool {
        let sent = Command::new("kill").args([signal, &self.pid]).output();
        sent.is_ok_and(|sent| sent.status.success())
    }
}

fn dumper_in(container: &str) -> Option<String> {
    let entries = fs::read_dir("/proc").expect("processes");
    entries.flatten().map(|entry| entry.path()).find_map(|process| {
        let line = fs::read_to_string(process.join("cmdline")).ok()?;
        let is_dumper = line.starts_with("pg_dump\0") || line.contains("/pg_dump\0");
        let is_dumping = is_dumper && line.contains("--format=custom") && line.contains("--snapshot=");
        let is_inside = is_dumping && fs::read_to_string(process.join("cgroup")).ok()?.contains(container);
        is_inside.then(|| process.file_name().map(|name| name.to_string_lossy().into_owned()))?
    })
}
