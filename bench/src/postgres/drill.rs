//! A drill with everything compared, beside `pg_restore` into a container of the same kind: the same image, the same place for
//! its rows, the same settings. Both count from the first moment of the container.

use std::fs::File;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::backup::{BARE, archive};
use super::gauge::{Cost, Group, alone, docker};
use super::scene::{DATABASE, Scene};
use super::table::Table;

/// A cluster as a drill makes it, and its server as a drill sets it.
const SERVE: &str = "d=/mainstay; [ -w $d ] || d=/tmp; LC_ALL=C initdb -D $d/c -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >&2 && \
    exec postgres -D $d/c -c listen_addresses= -c unix_socket_directories=/tmp -c wal_level=minimal -c max_wal_senders=0 \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off -c checkpoint_timeout=1h \
    -c shared_buffers=64MB -c maintenance_work_mem=128MB -c jit=off";
/// In looks of a process: how often the engine is asked for the drill's container.
const ASK_EVERY: u32 = 10;

pub fn measure(scene: &Scene, rounds: usize) -> Table {
    let mut table = Table::new("drill: from nothing to a verdict; bare: from nothing to restored");
    for round in 1..=rounds {
        eprintln!("drill, round {round} of {rounds}");
        scene.settle();
        let (cost, memory) = ours(scene);
        table.add("mainstay db drill", cost);
        let mut restoring = Vec::new();
        for (index, (name, _)) in BARE.iter().enumerate() {
            scene.settle();
            let (cost, restore) = bare(scene, index, memory.as_deref());
            restoring.push(restore);
            table.add(&format!("pg_restore of {name}"), cost);
        }
        let of = |restore: &f64| format!("{:.2}", cost.cpu() / restore);
        table.note(format!(
            "round {round}: {} of the processors that `pg_restore` and its server took while it ran",
            restoring.iter().map(of).collect::<Vec<_>>().join(" and ")
        ));
    }
    table
}

/// The drill, and what it put in memory.
fn ours(scene: &Scene) -> (Cost, Option<String>) {
    let (mut group, mut memory, mut looks) = (None, None, 0_u32);
    let cost = alone(&mut scene.mainstay(&["db", "drill"]), None, |cost| {
        if group.is_none() && looks.is_multiple_of(ASK_EVERY) {
            let id = throwaway(scene);
            group = id.as_deref().and_then(Group::of);
            memory =
                id.and_then(|id| docker(&["inspect", "--format", "{{index .HostConfig.Tmpfs \"/mainstay\"}}", &id]));
        }
        looks += 1;
        // The last look at it counts: it goes before the drill ends.
        if let Some(seconds) = group.as_ref().and_then(Group::seconds) {
            cost.servers = seconds;
        }
    });
    assert!(cost.servers > 0.0, "the drill's container was not seen");
    (cost, memory.filter(|options| !options.is_empty()))
}

fn throwaway(scene: &Scene) -> Option<String> {
    let format = "{{.ID}} {{.Label \"dev.mainstay.about\"}}";
    let all = docker(&["ps", "--no-trunc", "--filter", "name=mainstay-drill-", "--format", format])?;
    let (id, _) = all.lines().filter_map(|line| line.split_once(' ')).find(|(_, about)| about.contains(&scene.name))?;
    Some(id.to_owned())
}

/// All of it, and what `pg_restore` and its server took while it ran.
fn bare(scene: &Scene, index: usize, memory: Option<&str>) -> (Cost, f64) {
    let name = format!("{}-restore", scene.name);
    let began = Instant::now();
    let mut run =
        vec!["run", "--detach", "--name", &name, "--network", "none", "--user", "postgres", "--shm-size", "512m"];
    let tmpfs = memory.map(|options| format!("/mainstay:{options}"));
    if let Some(tmpfs) = &tmpfs {
        run.extend(["--tmpfs", tmpfs]);
    }
    run.extend(["--entrypoint", "sh", &scene.image, "-c", SERVE]);
    docker(&run).expect("a container of the same image");
    let inside = |command: &[&str]| docker(&[&["exec", &name], command].concat());
    while inside(&["pg_isready", "-q", "-h", "/tmp"]).is_none() {
        assert!(began.elapsed() < Duration::from_secs(60), "the server to restore into does not come up");
        thread::sleep(Duration::from_millis(100));
    }
    inside(&["createdb", "-h", "/tmp", "-U", "postgres", DATABASE]).expect("an empty database");
    let group = Group::of(&name).expect("its control group");
    let before = group.seconds().unwrap_or_default();
    let archive = File::open(archive(scene, index)).expect("what `pg_dump` wrote");
    let mut command = Command::new("docker");
    command.args([
        "exec",
        "-i",
        &name,
        "pg_restore",
        "--exit-on-error",
        "-h",
        "/tmp",
        "-U",
        "postgres",
        "-d",
        DATABASE,
    ]);
    let mut cost = alone(command.stdin(Stdio::from(archive)), None, |_| {});
    cost.servers = group.seconds().unwrap_or_default();
    cost.wall = began.elapsed().as_secs_f64();
    docker(&["rm", "--force", "--volumes", &name]).expect("it is taken away");
    (cost, cost.servers - before + cost.own)
}
