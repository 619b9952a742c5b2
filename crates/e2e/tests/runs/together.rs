//! Both programs on one stack: what Mainstay made, `docker compose` works with, and leaves alone.

use mainstay_e2e::{Scene, compose_v2, exists, id_of, inside, require_engine, started_at};

use crate::side_by_side::is_reference;

const STACK: &str = r#"
services:
  web:
    image: mainstay-test/tiny:1
    command: sh -c 'echo "it says hello"; exec /bin/serve'
    environment: { A: "<x> & y", N: 1.20, VERSION: "7" }
    ports: ["8080"]
    volumes: ["data:/data", "./files:/files:ro"]
    healthcheck: { test: "true", interval: 1s }
    depends_on: { db: { condition: service_started, restart: true } }
    networks: { default: , back: { aliases: [www] } }
    secrets: [token]
    deploy: { replicas: 2, resources: { limits: { memory: 64M } } }
    logging: { driver: json-file, options: { max-size: 1m } }
  db: { image: "mainstay-test/tiny:1", stop_grace_period: 1s, networks: [back], restart: unless-stopped }
volumes: { data: { labels: { a: b } } }
networks: { back: { internal: true } }
secrets: { token: { environment: TOKEN } }
"#;

#[test]
fn docker_compose_works_on_what_mainstay_made_and_makes_nothing_anew() {
    if !require_engine() || !is_reference() {
        return;
    }
    let scene = Scene::new("together");
    let folder = scene.stack("one", STACK);
    scene.file("one", ".env", "TOKEN=t0ken\n");
    scene.on("one", &["up"]).ok();
    let containers = scene.containers("one");
    let state = || containers.iter().map(|name| (id_of(name), started_at(name))).collect::<Vec<_>>();
    let before = state();

    let listed = compose_v2(&folder, &["ps", "--format", "{{.Name}}"]).ok();
    assert!(containers.iter().all(|name| listed.stdout.contains(name.as_str())), "{}", listed.stdout);
    compose_v2(&folder, &["logs", "--no-color", "web"]).ok().prints("it says hello");
    compose_v2(&folder, &["exec", "-T", "web", "cat", "/run/secrets/token"]).ok().prints("t0ken");
    compose_v2(&folder, &["port", "web", "8080"]).ok();

    compose_v2(&folder, &["up", "--detach"]).ok();
    assert_eq!(state(), before, "`docker compose up` of the same file leaves every container alone");
    scene.on("one", &["up"]).ok();
    assert_eq!(state(), before, "and so does `mainstay up` after it");

    compose_v2(&folder, &["restart", "db"]).ok();
    assert_ne!(state(), before, "a restart by Compose is one");
    compose_v2(&folder, &["down", "--volumes"]).ok();
    assert!(scene.containers("one").is_empty());
    assert!(!exists("volume", &format!("{}_data", scene.name("one"))));
    assert!(!exists("network", &scene.network("one")));
}

#[test]
fn a_changed_file_is_seen_by_docker_compose() {
    if !require_engine() || !is_reference() {
        return;
    }
    let scene = Scene::new("changed");
    let folder =
        scene.stack("one", "services: { web: { image: \"mainstay-test/tiny:1\", environment: { A: \"1\" } } }\n");
    scene.on("one", &["up"]).ok();
    let container = scene.container("one", "web");
    let before = id_of(&container);
    scene.stack("one", "services: { web: { image: \"mainstay-test/tiny:1\", environment: { A: \"2\" } } }\n");
    compose_v2(&folder, &["up", "--detach"]).ok();
    assert_ne!(id_of(&container), before, "the hash is of what the file says");
    assert_eq!(inside(&container, "echo $A"), "2");
}
