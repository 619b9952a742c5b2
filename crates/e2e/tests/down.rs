//! `down` takes away what the stack made, and nothing else.

use mainstay_e2e::{Scene, docker_ok, exists, inside, require_engine, resolves, runs, started_at};

const STACK: &str = "
services:
  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, volumes: ['data:/data', 'other:/other'] }
volumes: { data: {}, other: {} }
";

#[test]
fn volumes_stay_unless_they_are_named() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("volumes");
    scene.stack("one", STACK);
    scene.on("one", &["up"]).ok();
    let (data, other) = (format!("{}_data", scene.name("one")), format!("{}_other", scene.name("one")));
    inside(&scene.container("one", "web"), "echo kept >/data/row");
    scene.on("one", &["down"]).ok();
    assert!(scene.containers("one").is_empty());
    assert!(!exists("network", &scene.network("one")));
    assert!(exists("volume", &data) && exists("volume", &other));
    scene.on("one", &["up"]).ok();
    assert_eq!(inside(&scene.container("one", "web"), "cat /data/row"), "kept");
    // Destroying data needs a yes besides the name.
    let refused = scene.on("one", &["down", "--volume", &data]).code(5);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    assert!(exists("volume", &data));
    scene.on("one", &["down", "--volume", &data, "--yes"]).ok();
    assert!(!exists("volume", &data), "the named one is gone");
    assert!(exists("volume", &other), "the other stays");
}

#[test]
fn a_volume_that_the_stack_does_not_have_is_refused_before_anything_is_touched() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("novolume");
    scene.stack("one", STACK);
    scene.on("one", &["up"]).ok();
    let foreign = scene.name("foreign");
    docker_ok(&["volume", "create", &foreign]);
    let refused = scene.on("one", &["down", "--volume", &foreign, "--yes"]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    refused.says(&foreign);
    assert!(exists("volume", &foreign));
    assert!(runs(&scene.container("one", "web")));
}

#[test]
fn a_volume_that_nobody_has_is_a_name_mistyped() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("typo");
    scene.stack("one", STACK);
    scene.on("one", &["up"]).ok();
    let data = format!("{}_data", scene.name("one"));
    let started = started_at(&scene.container("one", "web"));
    for (typo, meant) in [("dta", "`data`"), (&*format!("{data}s"), &*format!("`{data}`"))] {
        let refused = scene.on("one", &["down", "--volume", typo, "--yes"]).code(2);
        refused.says("no volume").says(&format!("did you mean {meant}?"));
    }
    // The same by the stack's name alone, from anywhere.
    let stack = scene.name("one");
    scene.mainstay(&["down", "--stack", &stack, "--volume", "dta", "--yes"]).code(2).says("did you mean `data`?");
    assert_eq!(started_at(&scene.container("one", "web")), started, "nothing was touched");
    // One that was removed before is no mistake: the files still have it.
    scene.on("one", &["down", "--volume", "data", "--yes"]).ok();
    assert!(!exists("volume", &data));
    scene.on("one", &["down", "--volume", "data", "--yes"]).ok().says("is not there");
}

#[test]
fn an_external_volume_is_never_removed_even_when_named() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("extvolume");
    let foreign = scene.name("foreign");
    docker_ok(&["volume", "create", &foreign]);
    scene.stack(
        "one",
        "services:\n  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, volumes: ['data:/data'] }\nvolumes: { data: { external: true, name: '{stack:foreign}' } }\n",
    );
    scene.on("one", &["up"]).ok();
    scene.on("one", &["down", "--volume", &foreign, "--yes"]);
    assert!(exists("volume", &foreign));
}

#[test]
fn a_network_that_another_stack_uses_is_left_with_a_note_and_still_works() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("shared");
    scene.stack("data", "services:\n  db: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }\n");
    scene.stack(
        "web",
        "
services:
  app: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, networks: [data] }
  peer: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, networks: [data] }
networks: { data: { external: true, name: '{stack:data}_default' } }
x-mainstay: { requires: ['{stack:data}'] }
",
    );
    scene.on("data", &["up"]).ok();
    scene.on("web", &["up"]).ok();
    let app = scene.container("web", "app");
    let before = started_at(&app);
    let down = scene.on("data", &["down", "--yes"]).ok();
    assert!((down.stdout + &down.stderr).contains(&scene.network("data")), "the network that is left is named");
    assert!(scene.containers("data").is_empty());
    assert!(exists("network", &scene.network("data")));
    assert!(resolves(&app, "peer"), "the attachment of the other stack works on");
    assert_eq!(started_at(&app), before);
    // Once nobody uses it, it goes.
    scene.on("web", &["down"]).ok();
    scene.on("data", &["down"]).ok();
    assert!(!exists("network", &scene.network("data")));
}

#[test]
fn foreign_things_are_untouched() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("foreign");
    scene.stack(
        "one",
        "
services:
  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, networks: [default, out] }
networks: { out: { external: true, name: '{stack:out}' } }
",
    );
    let out = scene.foreign_network("out");
    let bystander = scene.name("bystander");
    docker_ok(&["run", "--detach", "--name", &bystander, "--network", &out, "mainstay-test/tiny:1"]);
    scene.on("one", &["up"]).ok();
    docker_ok(&["network", "connect", &scene.network("one"), &bystander]);
    let before = started_at(&bystander);
    scene.on("one", &["down"]).ok();
    assert!(scene.containers("one").is_empty());
    assert!(exists("network", &out));
    assert!(exists("network", &scene.network("one")), "somebody else's container is on it");
    assert_eq!(started_at(&bystander), before);
}

#[test]
fn down_takes_orphans_and_replicas_and_stopped_containers_too() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("all");
    scene.stack(
        "one",
        "
services:
  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, deploy: { replicas: 2 } }
  once: { image: 'mainstay-test/tiny:1', command: 'true' }
",
    );
    scene.on("one", &["up"]).ok();
    docker_ok(&["stop", &scene.container("one", "web")]);
    scene.on("one", &["down"]).ok();
    assert!(scene.containers("one").is_empty());
    assert!(!exists("network", &scene.network("one")));
}

#[test]
fn down_twice_is_down() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("twice");
    scene.stack("one", STACK);
    scene.on("one", &["up"]).ok();
    scene.on("one", &["down"]).ok();
    scene.on("one", &["down"]).ok();
}

#[test]
fn dependents_stop_before_what_they_depend_on() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("order");
    scene.stack(
        "one",
        "
services:
  web:
    image: mainstay-test/tiny:1
    depends_on: [db]
    volumes: ['./:/out']
    command: [sh, -c, \"trap 'sleep 1; echo web >>/out/order; exit 0' TERM; while :; do sleep 0.1; done\"]
  db:
    image: mainstay-test/tiny:1
    volumes: ['./:/out']
    command: [sh, -c, \"trap 'echo db >>/out/order; exit 0' TERM; while :; do sleep 0.1; done\"]
",
    );
    scene.on("one", &["up"]).ok();
    scene.on("one", &["down"]).ok();
    let order = std::fs::read_to_string(scene.dir("one").join("order")).expect("both wrote");
    assert_eq!(order, "web\ndb\n");
}
