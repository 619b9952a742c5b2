//! A shop that is released again and again, while a test breaks something.

use std::thread;
use std::time::{Duration, Instant};

use crate::edge::Edge;
use crate::engine::{docker_json, docker_ok};
use crate::look::{inside, runs};
use crate::running::Running;
use crate::scene::Scene;

pub const HOST: &str = "shop.localhost";

/// What is replaced beside the old one, and what is stopped first: both say which release they are of.
pub fn compose(release: usize) -> String {
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
"
    )
}

/// The same, asked before its commit, and after it as a visitor would at the edge's own port.
pub fn compose_checked(release: usize, https: u16) -> String {
    compose(release)
        + &format!(
            "x-mainstay:
  smoke:
    - {{ url: 'https://shop.localhost', contains: release rr{release} }}
    - {{ url: 'http://db:8080/health' }}
    - {{ url: 'https://shop.localhost:{https}', contains: release rr{release} }}
"
        )
}

/// A shop behind an edge, whose releases can be told apart.
pub struct Shop {
    pub scene: Scene,
    pub edge: Edge,
}

impl Shop {
    /// With release 0 up and data in it.
    pub fn open(scene: Scene) -> Shop {
        let edge = scene.edge();
        scene.stack("shop", &compose(0));
        scene.owns_volume(&format!("{}_data", scene.name("shop")));
        scene.on("shop", &["up", "--yes"]).ok();
        inside(&scene.container("shop", "db"), "echo kept >/data/row");
        Shop { scene, edge }
    }

    /// How many steps the release has that is declared now.
    pub fn steps(&self) -> usize {
        let plan = self.scene.on("shop", &["plan", "--json"]).json();
        let plan = if plan.is_array() { plan[0].clone() } else { plan };
        let steps = plan["steps"].as_array().or_else(|| plan["plans"][0]["steps"].as_array());
        steps.unwrap_or_else(|| panic!("a plan with steps: {plan}")).len()
    }

    /// One whole release serves, and nothing of another one is left; gives which.
    #[track_caller]
    pub fn is_whole(&self, when: &str) -> usize {
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
}

/// Waits until a release has done so many steps, or has ended.
pub fn wait_for_steps(up: &mut Running, steps: usize) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let done = |up: &Running| up.stderr().iter().filter(|line| line.starts_with('✔')).count();
    while done(up) < steps && !up.ended() {
        assert!(Instant::now() < deadline, "step {steps} never ends: {:#?}", up.stderr());
        thread::sleep(Duration::from_millis(1));
    }
}
