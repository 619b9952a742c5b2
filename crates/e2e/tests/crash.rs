//! Ctrl-C and `kill -9` at any step leave a state from which the next `up` converges.
//!
//! Each test walks through its moments one after the other: it begins an `up`, ends it at that moment, and brings the
//! stack up again. What must be true afterwards is said once, in [`World::stands`].

use std::thread;
use std::time::{Duration, Instant};

use mainstay_e2e::{Ran, Running, Scene, docker_json, docker_ok, eventually, inside, require_engine, runs};
use serde_json::Value;

/// How a run is ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    CtrlC,
    Kill,
}

/// When: after this many lines about steps, or after this share of the time that a whole run takes.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Lines(usize),
    Share(f64),
}

struct World {
    scene: Scene,
    /// What a whole run took, as a measure for the shares.
    whole: Duration,
}

fn compose(word: &str) -> String {
    format!(
        "
x-it: &it
  image: mainstay-test/tiny:1
  stop_grace_period: 1s
  environment: {{ WORD: '{word}' }}
services:
  db:
    <<: *it
    networks: {{ back: {{ aliases: [stable-db] }} }}
    volumes: ['data:/data']
    healthcheck: {{ test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/health'], interval: 200ms, retries: 50 }}
  migrate:
    <<: *it
    command: sh -c 'test -e /data/row || echo 1 >/data/row'
    networks: [back]
    volumes: ['data:/data']
    depends_on: {{ db: {{ condition: service_healthy }} }}
  api:
    <<: *it
    networks: [front, back]
    depends_on: {{ migrate: {{ condition: service_completed_successfully }} }}
  web:
    <<: *it
    networks: [front]
    depends_on: [api]
networks: {{ front: {{}}, back: {{}} }}
volumes: {{ data: {{}} }}
"
    )
}

impl World {
    fn new(name: &str) -> World {
        let scene = Scene::new(name);
        scene.stack("one", &compose("0"));
        let from = Instant::now();
        scene.on("one", &["up"]).ok();
        let world = World { scene, whole: from.elapsed() };
        world.stands("0", "a first whole run");
        world
    }

    fn db(&self) -> String {
        self.scene.container("one", "db")
    }

    /// One container a service, made from what is declared now, on its networks; nothing else; data as it was.
    #[track_caller]
    fn stands(&self, word: &str, when: &str) {
        let scene = &self.scene;
        let expected: Vec<_> = ["api", "db", "migrate", "web"].map(|name| scene.container("one", name)).into();
        assert_eq!(scene.containers("one"), expected, "{when}");
        let mut inspect = vec!["inspect"];
        inspect.extend(expected.iter().map(String::as_str));
        let all: Value = serde_json::from_str(&docker_ok(&inspect)).expect("docker inspect prints JSON");
        for (index, networks) in [(0, &["back", "front"][..]), (1, &["back"]), (3, &["front"])] {
            let (name, container) = (&expected[index], &all[index]);
            assert_eq!(container["State"]["Running"], true, "{when}: {name} runs");
            let environment = container["Config"]["Env"].as_array().expect("a list");
            let declared = format!("WORD={word}");
            assert!(environment.iter().any(|entry| *entry == declared), "{when}: {name} is of the newest declaration");
            let networks: Vec<_> = networks.iter().map(|name| format!("{}_{name}", scene.name("one"))).collect();
            let attached = container["NetworkSettings"]["Networks"].as_object().expect("networks");
            let mut attached: Vec<_> = attached.keys().cloned().collect();
            attached.sort();
            assert_eq!(attached, networks, "{when}: {name}");
        }
        assert_eq!(all[2]["State"]["ExitCode"], 0, "{when}: the one-shot completed");
        assert_eq!(inside(&self.db(), "cat /data/row"), "1", "{when}: the data is as it was");
        assert!(mainstay_e2e::resolves(&scene.container("one", "api"), "stable-db"), "{when}");
        // Nothing of any other name is left either: no temporary container, no second network.
        let prefix = format!("name={}", scene.name("one"));
        let count = |args: &[&str]| docker_ok(args).lines().count();
        assert_eq!(count(&["ps", "--all", "--quiet", "--filter", &prefix]), 4, "{when}: containers");
        assert_eq!(count(&["network", "ls", "--quiet", "--filter", &prefix]), 2, "{when}: networks");
        assert_eq!(count(&["volume", "ls", "--quiet", "--filter", &prefix]), 1, "{when}: volumes");
        let check = scene.on("one", &["plan", "--check"]);
        assert_eq!(check.code, Some(0), "{when}: a second plan is empty: {check:?}");
    }

    /// Runs `up` and ends it at the moment; whether it came to that, and what it said.
    fn cut(&self, moment: Moment, end: End) -> Ran {
        let mut up = self.scene.start("one", &["up", "--yes"]);
        wait_for(&mut up, moment, self.whole);
        match end {
            End::CtrlC => up.interrupt(),
            End::Kill => return up.kill(),
        }
        let ran = up.ends(Duration::from_secs(20));
        // In its very first moment, before it listens to signals and has said or done anything, the signal itself ends it.
        let at_once = ran.code.is_none() && ran.stderr.is_empty();
        assert!(
            at_once || [Some(130), Some(0)].contains(&ran.code),
            "Ctrl-C ends with 130, unless it was done: {ran:?}"
        );
        assert!(!ran.stderr.contains("panicked"), "{ran:?}");
        ran
    }

    /// Brings the stack up after the cut and looks at everything.
    #[track_caller]
    fn converges(&self, word: &str, when: &str) {
        let up = self.scene.on("one", &["up", "--yes"]);
        assert_eq!(up.code, Some(0), "{when}: {up:?}");
        self.stands(word, when);
    }
}

fn wait_for(up: &mut Running, moment: Moment, whole: Duration) {
    match moment {
        Moment::Share(share) => thread::sleep(whole.mul_f64(share)),
        Moment::Lines(count) => {
            let deadline = Instant::now() + Duration::from_secs(30);
            let done = |up: &Running| up.stderr().iter().filter(|line| line.starts_with('✔')).count();
            while done(up) < count && !up.ended() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// The cold `up`, ended at each of the moments.
fn cold(name: &str, end: End, moments: impl Iterator<Item = Moment>) {
    let world = World::new(name);
    for moment in moments {
        world.scene.on("one", &["down"]).ok();
        let cut = world.cut(moment, end);
        world.converges("0", &format!("after {end:?} at {moment:?} of a cold up, which said\n{}", cut.stderr));
    }
}

/// An `up` that replaces every container, ended at each of the moments.
fn replacing(name: &str, end: End, moments: impl Iterator<Item = Moment>) {
    let world = World::new(name);
    for (round, moment) in moments.enumerate() {
        let word = (round + 1).to_string();
        world.scene.stack("one", &compose(&word));
        let cut = world.cut(moment, end);
        world.converges(&word, &format!("after {end:?} at {moment:?} of a replacement, which said\n{}", cut.stderr));
    }
}

/// Different shares in every run of the tests, so that over time every moment is met.
fn shares(count: usize) -> impl Iterator<Item = Moment> {
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").subsec_nanos();
    (0..count).map(move |number| {
        let offset = f64::from(seed.wrapping_mul(number as u32 + 1) % 1000) / 1000.0;
        Moment::Share((number as f64 + offset) / count as f64)
    })
}

#[test]
fn kill_9_after_each_early_step_of_a_cold_up() {
    if require_engine() {
        cold("coldkilla", End::Kill, (0..7).map(Moment::Lines));
    }
}

#[test]
fn kill_9_after_each_late_step_of_a_cold_up() {
    if require_engine() {
        cold("coldkillb", End::Kill, (7..14).map(Moment::Lines));
    }
}

#[test]
fn kill_9_at_random_moments_of_a_cold_up() {
    if require_engine() {
        cold("coldkillr", End::Kill, shares(3));
    }
}

#[test]
fn ctrl_c_after_steps_of_a_cold_up() {
    if require_engine() {
        cold("coldint", End::CtrlC, (0..14).step_by(3).map(Moment::Lines));
    }
}

#[test]
fn ctrl_c_at_random_moments_of_a_cold_up() {
    if require_engine() {
        cold("coldintr", End::CtrlC, shares(3));
    }
}

#[test]
fn kill_9_after_each_early_step_of_a_replacement() {
    if require_engine() {
        replacing("replkilla", End::Kill, (0..8).map(Moment::Lines));
    }
}

#[test]
fn kill_9_after_each_late_step_of_a_replacement() {
    if require_engine() {
        replacing("replkillb", End::Kill, (8..16).map(Moment::Lines));
    }
}

#[test]
fn kill_9_at_random_moments_of_a_replacement() {
    if require_engine() {
        replacing("replkillr", End::Kill, shares(3));
    }
}

#[test]
fn ctrl_c_at_random_moments_of_a_replacement() {
    if require_engine() {
        replacing("replintr", End::CtrlC, shares(3));
    }
}

#[test]
fn kill_9_of_the_server_in_the_middle_of_an_up() {
    if !require_engine() {
        return;
    }
    let world = World::new("serverkill");
    for (round, moment) in (1..14).step_by(3).map(Moment::Lines).chain(shares(2)).enumerate() {
        let word = (round + 1).to_string();
        world.scene.stack("one", &compose(&word));
        let server = world.scene.serve();
        let mut up = world.scene.start("one", &["up", "--yes"]);
        wait_for(&mut up, moment, world.whole);
        server.kill();
        let cut = up.ends(Duration::from_secs(10));
        assert!([Some(4), Some(0)].contains(&cut.code), "the command says that its server went: {cut:?}");
        let server = world.scene.serve();
        world.converges(
            &word,
            &format!("after kill -9 of the server at {moment:?}, when the command said\n{}", cut.stderr),
        );
        assert!(server.stop().success());
    }
}

#[test]
fn ctrl_c_of_a_command_that_uses_the_server() {
    if !require_engine() {
        return;
    }
    let world = World::new("serverint");
    let _server = world.scene.serve();
    for (round, moment) in (0..12).step_by(4).map(Moment::Lines).chain(shares(2)).enumerate() {
        let word = (round + 1).to_string();
        world.scene.stack("one", &compose(&word));
        let cut = world.cut(moment, End::CtrlC);
        world.converges(&word, &format!("after Ctrl-C at {moment:?}, when the command said\n{}", cut.stderr));
    }
}

#[test]
fn kill_9_in_the_middle_of_a_down() {
    if !require_engine() {
        return;
    }
    let world = World::new("downkill");
    for count in [1, 3, 5, 7] {
        let mut down = world.scene.start("one", &["down"]);
        wait_for(&mut down, Moment::Lines(count), world.whole);
        let cut = down.kill();
        world.converges("0", &format!("after kill -9 at line {count} of a down, which said\n{}", cut.stderr));
    }
}

#[test]
fn an_interrupted_operation_is_in_the_history_as_interrupted() {
    if !require_engine() {
        return;
    }
    let world = World::new("history");
    world.scene.on("one", &["down"]).ok();
    world.cut(Moment::Lines(4), End::Kill);
    world.scene.on("one", &["up", "--yes"]).ok();
    let operations = world.scene.history_of("operation");
    let said = serde_json::to_string(&operations).expect("JSON");
    assert!(said.contains("interrupted") || said.contains("cancelled"), "{said}");
    // And one that was ended by Ctrl-C knows it.
    world.scene.on("one", &["down"]).ok();
    let cut = world.cut(Moment::Lines(3), End::CtrlC).code(130);
    assert!(cut.stderr.contains("mainstay up") || cut.stderr.contains("again"), "how to go on is said: {}", cut.stderr);
    let operations = world.scene.history_of("operation");
    assert!(serde_json::to_string(&operations).expect("JSON").contains("cancelled"), "{operations:#?}");
}

#[test]
fn ctrl_c_while_waiting_for_health_ends_at_once() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("waiting");
    scene.stack(
        "one",
        "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment: { BAD: '1' }
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/health'], interval: 1s, retries: 1000 }
",
    );
    let up = scene.start("one", &["up"]);
    let web = scene.container("one", "web");
    eventually("the container runs", Duration::from_secs(10), || runs(&web).then_some(()));
    let from = Instant::now();
    up.interrupt();
    up.ends(Duration::from_secs(5)).code(130);
    assert!(from.elapsed() < Duration::from_secs(3), "{:?}", from.elapsed());
}

#[test]
fn two_networks_of_one_name_left_by_a_killed_up_are_one_again_after_the_next() {
    if !require_engine() {
        return;
    }
    // A request to make a network may be carried out after its sender was killed, and after the next `up` looked and
    // made the same network itself: engines of this age allow two of one name.
    let scene = Scene::new("ambiguous");
    scene.stack("one", "services:\n  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }\n");
    scene.on("one", &["up"]).ok();
    let labels = docker_json(&scene.network("one"))["Labels"].clone();
    let web = scene.container("one", "web");
    scene.on("one", &["stop"]).ok();
    mainstay_e2e::make_network_unchecked(&scene.network("one"), &labels);
    scene.on("one", &["up", "--yes"]).ok();
    assert!(runs(&web));
    scene.on("one", &["down"]).ok();
    for _ in 0..2 {
        mainstay_e2e::make_network_unchecked(&scene.network("one"), &labels);
    }
    scene.on("one", &["up", "--yes"]).ok();
    assert!(runs(&web));
    let filter = format!("name={}", scene.network("one"));
    assert_eq!(docker_ok(&["network", "ls", "--quiet", "--filter", &filter]).lines().count(), 1);
    scene.on("one", &["down"]).ok();
    assert_eq!(docker_ok(&["network", "ls", "--quiet", "--filter", &filter]), "", "nothing is left");
}

/// `web` is made at once and starts when `db` is healthy, which takes so long that the test comes in between.
const PATIENT: &str = "
services:
  db:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment: { DELAY: '6' }
    networks: [front]
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/health'], interval: 300ms, retries: 200 }
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    networks: [back]
    depends_on: { db: { condition: service_healthy } }
networks: { front: {}, back: {} }
";

/// Brings [`PATIENT`] up, and does something to the world while `web` is made and not started: what a request of a
/// killed process does that lands late, or somebody else's hand.
fn meanwhile(name: &str, happens: impl FnOnce(&Scene, &str)) -> (Scene, Ran) {
    let scene = Scene::new(name);
    scene.stack("one", PATIENT);
    let up = scene.start("one", &["up"]);
    let (db, web) = (scene.container("one", "db"), scene.container("one", "web"));
    eventually("the container is made and not started", Duration::from_secs(60), || {
        (mainstay_e2e::exists("container", &web) && runs(&db) && !runs(&web)).then_some(())
    });
    happens(&scene, &web);
    let ran = up.ends(Duration::from_secs(120));
    (scene, ran)
}

#[track_caller]
fn decided_once_more(scene: &Scene, up: &Ran) {
    assert_eq!(up.code, Some(0), "{up:?}");
    assert!(up.stderr.contains("decided once more"), "{up:?}");
    assert!(runs(&scene.container("one", "web")));
    scene.on("one", &["plan", "--check"]).ok();
    let told = serde_json::to_string(&scene.history_of("operation")).expect("JSON");
    assert!(told.contains("looked and decided once more"), "{told}");
}

#[test]
fn a_container_removed_in_the_middle_of_an_up_is_made_again() {
    if !require_engine() {
        return;
    }
    let (scene, up) = meanwhile("removed", |_, web| drop(docker_ok(&["rm", web])));
    decided_once_more(&scene, &up);
}

#[test]
fn a_network_removed_in_the_middle_of_an_up_is_made_again() {
    if !require_engine() {
        return;
    }
    let (scene, up) = meanwhile("netremoved", |scene, _| {
        docker_ok(&["network", "rm", &format!("{}_back", scene.name("one"))]);
    });
    decided_once_more(&scene, &up);
}

#[test]
fn a_name_that_somebody_else_takes_in_the_middle_of_an_up_is_left_to_them() {
    if !require_engine() {
        return;
    }
    let (scene, up) = meanwhile("nametaken", |scene, web| {
        docker_ok(&["rm", web]);
        docker_ok(&["run", "--detach", "--name", web, "--label", &scene.name("theirs"), "mainstay-test/tiny:1"]);
    });
    let web = scene.container("one", "web");
    assert_eq!(up.code, Some(1), "{up:?}");
    assert!(up.stderr.contains(&format!("needs the container name `{web}`")), "{up:?}");
    assert!(runs(&web), "what is not ours is not touched");
    docker_ok(&["rm", "--force", &web]);
    scene.on("one", &["up"]).ok();
    assert!(runs(&web));
}
