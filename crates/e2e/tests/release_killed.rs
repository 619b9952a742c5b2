//! `kill -9` at every step boundary of a release: the next start finishes it or takes it back, and nobody who visits
//! the site meanwhile notices any of it.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use mainstay_e2e::{Edge, Running, Scene, Visitors, docker_json, docker_ok, inside, require_engine, runs};

const HOST: &str = "shop.localhost";

/// What is replaced beside the old one, and what is stopped first: both say which release they are of. It is asked before
/// its commit, and after it as a visitor would at the edge's own port.
fn compose(release: usize, https: u16) -> String {
    format!(
        "
services:
  db:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment: {{ RELEASE: 'r{release}' }}
    volumes: ['data:/data']
    healthcheck: {{ test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/health'], interval: 200ms, retries: 50 }}
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment: {{ RELEASE: 'r{release}' }}
    command: [sh, -c, 'echo release r$$RELEASE >/www/index.html; exec /bin/serve']
    depends_on: {{ db: {{ condition: service_healthy }} }}
    x-mainstay:
      routes: [{{ host: shop.localhost, port: 8080 }}]
      rollout: {{ stable: 100ms, drain: 1s }}
volumes: {{ data: {{}} }}
x-mainstay:
  smoke:
    - {{ url: 'https://shop.localhost', contains: release rr{release} }}
    - {{ url: 'http://db:8080/health' }}
    - {{ url: 'https://shop.localhost:{https}', contains: release rr{release} }}
"
    )
}

/// Who comes next.
#[derive(Clone, Copy)]
enum Starts {
    Server,
    Command,
}

struct Shop {
    scene: Scene,
    edge: Edge,
}

impl Shop {
    fn new(name: &str) -> Shop {
        let scene = Scene::new(name);
        let edge = scene.edge();
        scene.stack("shop", &compose(0, edge.https));
        scene.owns_volume(&format!("{}_data", scene.name("shop")));
        scene.on("shop", &["up", "--yes"]).ok();
        inside(&scene.container("shop", "db"), "echo kept >/data/row");
        Shop { scene, edge }
    }

    /// How many steps the release has that is declared now.
    fn steps(&self) -> usize {
        let plan = self.scene.on("shop", &["plan", "--json"]).json();
        let plan = if plan.is_array() { plan[0].clone() } else { plan };
        let steps = plan["steps"].as_array().or_else(|| plan["plans"][0]["steps"].as_array());
        steps.unwrap_or_else(|| panic!("a plan with steps: {plan}")).len()
    }

    /// One whole release serves, and nothing of another one is left; gives which.
    #[track_caller]
    fn is_whole(&self, when: &str) -> usize {
        let (db, web) = (self.scene.container("shop", "db"), self.scene.container("shop", "web"));
        assert_eq!(self.scene.containers("shop"), [db.clone(), web.clone()], "{when}: containers");
        let filter = format!("name={}", self.scene.name("shop"));
        let networks = docker_ok(&["network", "ls", "--filter", &filter, "--format", "{{.Name}}"]);
        assert_eq!(networks, self.scene.network("shop"), "{when}: networks");
        assert!(runs(&db) && runs(&web), "{when}: both run");
        let release_of = |container: &str| {
            let environment = docker_json(container)["Config"]["Env"].to_string();
            let (_, release) = environment.split_once("RELEASE=r").expect("it says its release");
            release.split('"').next().and_then(|number| number.parse::<usize>().ok()).expect("a number")
        };
        let release = release_of(&web);
        assert_eq!(release_of(&db), release, "{when}: both are of one release");
        let answer = self.edge.get(HOST, "/");
        assert_eq!((answer.status, answer.body.trim()), (200, &*format!("release rr{release}")), "{when}: {answer:?}");
        assert_eq!(inside(&db, "cat /data/row"), "kept", "{when}: the data is as it was");
        release
    }

    /// Begins a release, kills it when so many of its steps are done, and starts again.
    fn cut_after(&self, steps: usize, release: usize, before: usize, starts: Starts) -> usize {
        self.scene.stack("shop", &compose(release, self.edge.https));
        let mut up = self.scene.start("shop", &["up", "--yes"]);
        wait_for(&mut up, steps);
        let cut = up.kill();
        // Killed or done: it never failed by itself.
        assert!([None, Some(0)].contains(&cut.code), "{cut:?}");
        let told = match starts {
            Starts::Server => {
                let server = self.scene.serve();
                let told = server.log();
                assert!(server.stop().success());
                std::fs::remove_file(self.scene.folder().join("serve.log")).expect("the log of that one start");
                told
            }
            Starts::Command => self.scene.on("shop", &["start"]).ok().stderr,
        };
        let when = format!("after kill -9 with {steps} steps done; it said\n{}\nthe start said\n{told}", cut.stderr);
        let now = self.is_whole(&when);
        if now == release && cut.code.is_none() && told.contains("was cut off") {
            assert!(told.contains("had been committed and was finished"), "{when}");
            let is_asked = cut.stderr.lines().any(|line| line.starts_with('✔') && line.contains("after the commit"));
            assert!(!is_asked || !told.contains("not asked"), "{when}");
        }
        if now != release {
            assert_eq!(now, before, "{when}");
            let is_told = told.contains("was taken back: what ran before it runs");
            assert!(is_told || !cut.stderr.contains('✔'), "{when}");
        }
        now
    }
}

fn wait_for(up: &mut Running, steps: usize) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let done = |up: &Running| up.stderr().iter().filter(|line| line.starts_with('✔')).count();
    while done(up) < steps && !up.ended() {
        assert!(Instant::now() < deadline, "step {steps} never ends: {:#?}", up.stderr());
        thread::sleep(Duration::from_millis(1));
    }
}

/// Every second boundary, from the first or from the second.
fn killed_at_every_second_boundary(name: &str, first: usize, starts: Starts) {
    if !require_engine() {
        return;
    }
    let shop = Shop::new(name);
    let mut serving = shop.is_whole("a first whole release");
    shop.scene.stack("shop", &compose(1, shop.edge.https));
    let steps = shop.steps();
    assert!(steps > 12, "a release of two services has more steps than {steps}");
    let plan = shop.scene.on("shop", &["plan"]).ok();
    let asked = ["ask 2 smoke checks before the commit", "ask smoke check https://shop.localhost:"];
    assert!(asked.iter().all(|asked| plan.stdout.contains(asked)), "{}", plan.stdout);
    let visitors = Visitors::come(&shop.edge, HOST, "/", "release");
    let mut ends = BTreeSet::new();
    for (round, boundary) in (first..=steps).step_by(2).enumerate() {
        let release = round + 1;
        let now = shop.cut_after(boundary, release, serving, starts);
        ends.insert(now == release);
        serving = now;
    }
    visitors.leave().all_answered();
    assert_eq!(ends.len(), 2, "some were taken back and some were finished");
}

#[test]
fn kill_9_at_every_odd_step_boundary_of_a_release_and_a_command_comes_next() {
    killed_at_every_second_boundary("killodd", 1, Starts::Command);
}

#[test]
fn kill_9_at_every_even_step_boundary_of_a_release_and_the_server_comes_next() {
    killed_at_every_second_boundary("killeven", 2, Starts::Server);
}
