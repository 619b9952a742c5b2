//! The engine goes away, or the disk is full, at every step boundary of a release: it is finished or taken back, at the
//! next start at the latest, and something serves all the time that it can.

use std::collections::BTreeSet;
use std::time::Duration;

use mainstay_e2e::shop::{HOST, Shop, compose, wait_for_steps};
use mainstay_e2e::{Scene, SecondEngine, SmallDisk, Visitors, eventually, require_engine};

/// The state folder's disk is full from a step on. What served serves without waiting for room.
fn disk_full_at_every_second_boundary(name: &str, first: usize) {
    if !require_engine() {
        return;
    }
    let scene = Scene::new(name);
    let Some(disk) = SmallDisk::at(&scene.state_dir(), 24) else { return };
    let shop = Shop::open(scene);
    let mut serving = shop.is_whole("a first whole release");
    shop.scene.stack("shop", &compose(1));
    let steps = shop.steps();
    let visitors = Visitors::come(&shop.edge, HOST, "/", "release");
    let mut ends = BTreeSet::new();
    for (round, boundary) in (first..=steps).step_by(2).enumerate() {
        let release = round + 1;
        shop.scene.stack("shop", &compose(release));
        let mut up = shop.scene.start("shop", &["up", "--yes"]);
        wait_for_steps(&mut up, boundary);
        disk.fill();
        let ended = up.ends(Duration::from_secs(60));
        let when = format!("the disk was full after {boundary} steps; it said\n{}", ended.stderr);
        assert_eq!(shop.edge.get(HOST, "/").status, 200, "{when}");
        disk.clear();
        let told = shop.scene.on("shop", &["start"]).ok().stderr;
        let now = shop.is_whole(&format!("{when}\nthe next start said\n{told}"));
        assert!(now == release || now == serving, "{when}");
        assert!(open_releases(&shop.scene).is_empty(), "{when}");
        ends.insert(now == release);
        serving = now;
    }
    visitors.leave().all_answered();
    assert_eq!(ends.len(), 2, "some were taken back and some were finished");
}

fn open_releases(scene: &Scene) -> Vec<String> {
    let log = scene.on("shop", &["releases", "--json"]).ok();
    log.stdout.lines().filter(|line| line.contains("\"begun\"")).map(str::to_owned).collect()
}

#[test]
fn a_disk_that_is_full_at_every_odd_step_boundary_of_a_release() {
    disk_full_at_every_second_boundary("fullodd", 1);
}

#[test]
fn a_disk_that_is_full_at_every_even_step_boundary_of_a_release() {
    disk_full_at_every_second_boundary("fulleven", 2);
}

/// What is stopped first, and what is replaced beside the old one, without an edge: there is none on that engine.
fn plain(release: usize) -> String {
    format!(
        "
services:
  db:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    restart: unless-stopped
    environment: {{ RELEASE: 'r{release}' }}
    volumes: ['data:/data']
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    restart: unless-stopped
    environment: {{ RELEASE: 'r{release}' }}
    depends_on: [db]
    x-mainstay: {{ rollout: {{ strategy: rolling }} }}
volumes: {{ data: {{}} }}
"
    )
}

struct Torn {
    engine: SecondEngine,
    scene: Scene,
}

impl Torn {
    /// The release of which one container of each service runs, and of which nothing else is left.
    #[track_caller]
    fn is_whole(&self, when: &str) -> usize {
        let services = ["db", "web"];
        let names = services.map(|service| self.scene.container("shop", service));
        let mut there: Vec<String> =
            self.engine.docker_ok(&["ps", "--all", "--format", "{{.Names}}"]).lines().map(str::to_owned).collect();
        there.sort();
        assert_eq!(there, names, "{when}: containers");
        let release = |name: &String| {
            eventually(&format!("`{name}` runs; {when}"), Duration::from_secs(10), || {
                let state = self.engine.docker_ok(&["inspect", "--format", "{{.State.Running}}", name]);
                (state == "true").then_some(())
            });
            let environment = self.engine.docker_ok(&["inspect", "--format", "{{.Config.Env}}", name]);
            let (_, release) = environment.split_once("RELEASE=r").expect("it says its release");
            release.split([' ', ']']).next().and_then(|number| number.parse::<usize>().ok()).expect("a number")
        };
        let releases: BTreeSet<usize> = names.iter().map(release).collect();
        assert_eq!(releases.len(), 1, "{when}: both are of one release");
        releases.into_iter().next().expect("one")
    }
}

/// What befalls the engine in the middle of a release.
#[derive(Clone, Copy, PartialEq)]
enum Befalls {
    /// It restarts; whether a server of ours runs all the time.
    Restart { served: bool },
    /// Its disk is full until the release has ended.
    FullDisk,
}

fn torn_at_every_second_boundary(name: &str, first: usize, befalls: Befalls) {
    let engine = match befalls {
        Befalls::Restart { .. } => SecondEngine::start(false),
        Befalls::FullDisk => SecondEngine::start_small(96),
    };
    let Some(engine) = engine else { return };
    let scene = Scene::new(name).with_engine(&engine.host());
    let server = (befalls == Befalls::Restart { served: true }).then(|| scene.serve());
    scene.stack("shop", &plain(0));
    scene.on("shop", &["up", "--yes"]).ok();
    let mut torn = Torn { engine, scene };
    let mut serving = torn.is_whole("a first whole release");
    torn.scene.stack("shop", &plain(1));
    let plan = torn.scene.on("shop", &["plan", "--json"]).json();
    let steps = plan["steps"].as_array().expect("steps").len();
    assert!(steps > 8, "a release of two services has more steps than {steps}");
    let (mut ends, mut failed) = (BTreeSet::new(), 0);
    for (round, boundary) in (first..=steps).step_by(2).enumerate() {
        let release = round + 1;
        torn.scene.stack("shop", &plain(release));
        let mut up = torn.scene.start("shop", &["up", "--yes"]);
        wait_for_steps(&mut up, boundary);
        match befalls {
            Befalls::Restart { .. } => {
                torn.engine.pause();
                torn.engine.resume();
            }
            Befalls::FullDisk => torn.engine.disk().fill(),
        }
        let ended = up.ends(Duration::from_secs(120));
        failed += usize::from(ended.code != Some(0));
        if befalls == Befalls::FullDisk {
            torn.engine.disk().clear();
        }
        let when = format!("after {boundary} steps; it said\n{}", ended.stderr);
        let told = torn.scene.on("shop", &["start"]).ok().stderr;
        let now = torn.is_whole(&format!("{when}\nthe next start said\n{told}"));
        assert!(now == release || now == serving, "{when}");
        assert!(open_releases(&torn.scene).is_empty(), "{when}");
        ends.insert(now == release);
        serving = now;
    }
    assert!(failed > 0 && ends.contains(&true), "{failed} releases were torn, and those nearly done were finished");
    drop(server);
}

#[test]
fn the_engine_restarts_at_every_odd_step_boundary_of_a_release() {
    torn_at_every_second_boundary("tornodd", 1, Befalls::Restart { served: false });
}

#[test]
fn the_engine_restarts_at_every_even_step_boundary_of_a_release_and_a_server_runs_on() {
    torn_at_every_second_boundary("torneven", 2, Befalls::Restart { served: true });
}

#[test]
fn the_disk_of_the_engine_is_full_at_every_odd_step_boundary_of_a_release() {
    torn_at_every_second_boundary("tornfull", 1, Befalls::FullDisk);
}
