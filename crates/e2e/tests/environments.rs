//! Environments by convention: `compose.<env>.yaml` and `.env.<env>` beside the stack's own files.

use std::time::Duration;

use mainstay_e2e::{Scene, docker_json, eventually, inside, require_engine};

/// A site with a page of its own, whatever the environment.
fn site(scene: &Scene) {
    scene.stack(
        "one",
        "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment: { MODE: '${MODE}' }
",
    );
    scene.file("one", ".env", "MODE=plain\n");
    scene.file(
        "one",
        "compose.dev.yaml",
        "
services:
  web:
    volumes: ['./pages:/pages']
    develop:
      watch:
        - { action: sync, path: ./conf, target: /conf, initial_sync: true }
",
    );
    scene.file("one", ".env.dev", "MODE=dev\n");
    scene.file(
        "one",
        "compose.prod-sim.yaml",
        "
services:
  web:
    x-mainstay:
      routes: [{ host: one.localhost, port: 8080 }]
      rollout: { stable: 100ms, drain: 0s }
",
    );
    scene.file("one", ".env.prod-sim", "MODE=sim\n");
    scene.file("one", "pages/page", "first");
    scene.file("one", "conf/app", "first");
}

fn mode(scene: &Scene) -> String {
    inside(&scene.container("one", "web"), "echo $MODE")
}

#[test]
fn dev_binds_the_sources_and_follows_the_rest() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("envdev");
    site(&scene);
    let web = scene.container("one", "web");
    let watch = scene.start("one", &["watch", "--env", "dev"]);
    eventually("it watches", Duration::from_secs(60), || {
        watch.stderr().iter().any(|line| line.starts_with("watching for")).then_some(())
    });
    assert_eq!(mode(&scene), "dev");
    assert_eq!(inside(&web, "cat /pages/page /conf/app"), "firstfirst");
    scene.file("one", "pages/page", "second");
    assert_eq!(inside(&web, "cat /pages/page"), "second", "bound: there at once");
    scene.file("one", "conf/app", "second");
    eventually("the rule brings it", Duration::from_secs(20), || {
        (inside(&web, "cat /conf/app") == "second").then_some(())
    });
    watch.interrupt();
    watch.ends(Duration::from_secs(20)).code(130);
}

#[test]
fn prod_sim_is_whole_on_one_machine_and_knows_nothing_of_dev() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("envsim");
    let edge = scene.edge();
    site(&scene);
    scene.on("one", &["up", "--env", "dev", "--yes"]).ok();
    scene.on("one", &["up", "--env", "prod-sim", "--yes"]).ok();
    assert_eq!(mode(&scene), "sim");
    let container = docker_json(&scene.container("one", "web"));
    assert_eq!(container["Mounts"].as_array().map(Vec::len), Some(0), "no sources are bound");
    let answer = edge.get("one.localhost", "/");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(edge.get_plain("one.localhost", "/").location.starts_with("https://one.localhost"));
    // A command that names none means the one that it is up with; its route would be gone else.
    scene.on("one", &["promote", "--tag", "2", "--yes"]).ok().says("with `--env prod-sim`");
    assert_eq!((mode(&scene).as_str(), edge.get("one.localhost", "/").status), ("sim", 200));
    scene.on("one", &["up"]).ok().says("with `--env prod-sim`").says("nothing to do");
    let without = scene.on("one", &["up", "--env", "none"]).code(5).says("`one.localhost` is not served any more");
    assert!(!without.stderr.contains("with `--env"), "{}", without.stderr);
    assert_eq!(edge.get("one.localhost", "/").status, 200, "nothing was changed");
    let by_name = scene.mainstay(&["--stack", &scene.name("one"), "plan", "--env", "none"]);
    assert!(by_name.stdout.contains("one.localhost is not served any more"), "{by_name:?}");
    // Of several, one environment for all would be wrong for some.
    scene.stack("two", "services: { web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s } }\n");
    scene.on("two", &["up"]).ok();
    let [one, two] = ["one", "two"].map(|name| scene.dir(name).display().to_string());
    let both = ["--stack", &one, "--stack", &two, "up", "--yes"];
    scene.mainstay(&both).code(2).says("was brought up with `--env prod-sim`").says("without one");
    assert_eq!(edge.get("one.localhost", "/").status, 200, "the first keeps what it was up with");
    // An environment without files of its own is most likely mistyped.
    let mistyped = scene.on("one", &["plan", "--env", "prodsim"]);
    assert_ne!(mistyped.code, Some(0), "{mistyped:?}");
}
