//! What something costs: seconds on the clock, seconds of processors (its own and those of a container), and its largest memory.
//!
//! A process is read from `/proc`, the last time when it has ended and nobody has asked for its end yet. A container is read
//! from its control group, of either version: what its server and the programs run in it have used since it was made.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// `/proc` counts in hundredths of a second on every Linux that Debian ships.
const TICKS_A_SECOND: f64 = 100.0;

/// What one run has cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub wall: f64,
    /// Of the process itself.
    pub own: f64,
    /// Of the containers that worked for it.
    pub servers: f64,
    pub peak_mb: f64,
}

impl Cost {
    pub fn cpu(&self) -> f64 {
        self.own + self.servers
    }
}

/// Where a container's processor time is counted.
#[derive(Clone, Debug)]
pub struct Group {
    file: PathBuf,
}

impl Group {
    /// That of a container that runs, by its name or id.
    pub fn of(container: &str) -> Option<Group> {
        let pid = docker(&["inspect", "--format", "{{.State.Pid}}", container])?;
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let file = groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?.trim_start_matches('/'));
            if number == "0" && controllers.is_empty() {
                return Some(PathBuf::from(format!("/sys/fs/cgroup/{path}/cpu.stat"))).filter(|file| file.exists());
            }
            let is_cpu = controllers.split(',').any(|controller| controller == "cpuacct");
            is_cpu.then(|| PathBuf::from(format!("/sys/fs/cgroup/{controllers}/{path}/cpuacct.usage")))
        })?;
        Some(Group { file })
    }

    /// Seconds of processors since it was made; nothing once it is gone.
    pub fn seconds(&self) -> Option<f64> {
        let text = fs::read_to_string(&self.file).ok()?;
        match text.lines().find_map(|line| line.strip_prefix("usage_usec ")) {
            Some(micros) => micros.trim().parse::<f64>().ok().map(|micros| micros / 1e6),
            None => text.trim().parse::<f64>().ok().map(|nanos| nanos / 1e9),
        }
    }
}

/// Runs it to its end beside containers that work for it. What it says of its troubles is shown when it fails; what it writes
/// goes into `output`.
pub fn run(command: &mut Command, output: Option<File>, groups: &[Group]) -> Cost {
    let before: f64 = groups.iter().filter_map(Group::seconds).sum();
    let mut cost = alone(command, output, |_| {});
    cost.servers = groups.iter().filter_map(Group::seconds).sum::<f64>() - before;
    cost
}

/// Runs it to its end; `look` is called as often as the process is looked at.
pub fn alone(command: &mut Command, output: Option<File>, mut look: impl FnMut(&mut Cost)) -> Cost {
    let began = Instant::now();
    let words = tempfile::tempfile().expect("a temporary file");
    command.stdout(output.map_or_else(Stdio::null, Stdio::from));
    command.stderr(words.try_clone().expect("a second handle"));
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let mut cost = Cost::default();
    while !has_ended(&child, &mut cost) {
        look(&mut cost);
        thread::sleep(LOOK);
    }
    cost.wall = began.elapsed().as_secs_f64();
    let status = child.wait().expect("its end");
    assert!(status.success(), "{command:?} failed:\n{}", text_of(words));
    cost
}

/// Reads what it has used so far.
fn has_ended(child: &Child, cost: &mut Cost) -> bool {
    let read = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap_or_default();
    let status = read("status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    if let Some(kilobytes) = peak.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok()) {
        cost.peak_mb = cost.peak_mb.max(kilobytes / 1024.0);
    }
    let stat = read("stat");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // proc(5): utime, stime and those of children that it has waited for are the fields 14 to 17; the name is field 2.
    let ticks: f64 = fields.iter().skip(11).take(4).filter_map(|text| text.parse::<f64>().ok()).sum();
    cost.own = ticks / TICKS_A_SECOND;
    fields.first() == Some(&"Z")
}

fn text_of(mut file: File) -> String {
    use std::io::{Read, Seek};
    let mut text = String::new();
    let _ = file.rewind().and_then(|()| file.read_to_string(&mut text));
    text
}

/// What a command of the engine's client answers, when it answers well.
pub fn docker(args: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(args).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(1).collect()
}
