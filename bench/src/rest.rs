//! What the server costs while nothing happens.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::figures::Figures;
use crate::subjects::{Mainstay, Stack};

/// How long the server is watched.
const WATCH: Duration = Duration::from_secs(20);

pub fn measure(figures: &mut Figures, root: &Path, served: &Mainstay, containers: usize) {
    let stack = Stack::write(root, containers, 0);
    let server = served.serve();
    served.run(&stack, &["up"]);
    thread::sleep(Duration::from_secs(2));
    let before = cpu_ticks(server.pid());
    thread::sleep(WATCH);
    let ticks = cpu_ticks(server.pid()) - before;
    // The kernel counts in hundredths of a second on every Linux that Debian ships.
    let percent = ticks as f64 / (WATCH.as_secs_f64() * 100.0) * 100.0;
    figures.read(
        &format!("server at rest, {containers} containers: resident MB"),
        format!("{:.1}", resident_mb(server.pid())),
    );
    figures.read(&format!("server at rest, {containers} containers: CPU %"), format!("{percent:.2}"));
    served.run(&stack, &["--yes", "down"]);
}

fn resident_mb(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    let kilobytes: f64 = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0.0);
    kilobytes / 1024.0
}

fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // proc(5): utime and stime are fields 14 and 15; the name is field 2.
    [11, 12].iter().filter_map(|&index| fields.get(index)?.parse::<u64>().ok()).sum()
}
