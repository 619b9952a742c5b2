//! The incident of a lost attachment, replayed from outside: whatever happens to either side, the consumer resolves
//! its database again, and a healthy container is never restarted for it.

use std::time::Duration;

use mainstay_e2e::{Scene, docker, docker_json, docker_ok, eventually, require_engine};

const DATABASE: &str = "
services:
  db:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    networks: { default: { aliases: [stable-db] } }
";

const CONSUMER: &str = "
services:
  app:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    networks: [default, data]
networks:
  data: { external: true, name: '{stack:data}_default' }
x-mainstay:
  requires: ['{stack:data}']
";

fn resolves(container: &str, name: &str) -> bool {
    docker(&["exec", container, "nslookup", name]).status.success()
}

fn started_at(container: &str) -> String {
    docker_json(container)["State"]["StartedAt"].as_str().expect("StartedAt").to_owned()
}

#[test]
fn a_disconnected_network_is_back_within_moments_and_nothing_restarts() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("disconnect");
    scene.stack("data", DATABASE);
    scene.stack("web", CONSUMER);
    let _server = scene.serve();
    scene.on("data", &["up"]).ok();
    scene.on("web", &["up"]).ok();
    let app = scene.container("web", "app");
    let before = started_at(&app);
    assert!(resolves(&app, "stable-db"), "the consumer resolves the stable alias after `up`");

    docker_ok(&["network", "disconnect", &format!("{}_default", scene.name("data")), &app]);

    eventually("the consumer resolves the database again", Duration::from_secs(5), || {
        resolves(&app, "stable-db").then_some(())
    });
    assert_eq!(started_at(&app), before, "the container was not restarted");
    let network = format!("{}_default", scene.name("data"));
    let history = eventually("the repair is in the history", Duration::from_secs(5), || {
        let ran = scene.mainstay(&["history", "--json"]).ok();
        ran.stdout.contains("\"repair\"").then_some(ran.stdout)
    });
    assert!(history.contains(&app) && history.contains(&network), "the repair names both sides:\n{history}");
}
