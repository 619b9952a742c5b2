//! A newer Caddy takes the edge over: what that costs is said before, and everything is served as before after.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mainstay_e2e::{Registry, Scene, docker, docker_json, docker_ok, eventually, id_of, require_engine};

const HOST: &str = "one.localhost";

/// An image that differs from the edge's in nothing but a label.
fn newer(scene: &Scene) -> String {
    let name = scene.name("newer:1");
    let container = docker_ok(&["create", "caddy:2"]);
    docker_ok(&["commit", "--change", "LABEL newer=yes", &container, &name]);
    docker_ok(&["rm", "--volumes", &container]);
    name
}

#[test]
fn a_newer_image_is_pulled_and_takes_the_ports_over_in_seconds() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("edgeupdate");
    let registry = Registry::start(&scene);
    registry.holds("caddy:live", "caddy:2");
    let image = registry.repository("caddy:live");
    let edge = scene.edge();
    scene.stack(
        "one",
        &format!(
            "services:\n  web:\n    image: mainstay-test/tiny:1\n    stop_grace_period: 1s\n    x-mainstay: {{ routes: [{{ host: {HOST}, port: 8080 }}] }}\n"
        ),
    );
    scene.on("one", &["up", "--yes"]).ok();
    docker_ok(&["pull", "--quiet", &image]);
    // Its ports and whatever else it was told stay as they were told.
    scene.mainstay(&["edge", "up", "--image", &image, "--yes"]).ok();
    edge.serves(HOST, "tiny");
    let root = scene.mainstay(&["edge", "certificate"]).ok().stdout;
    let before = id_of(&edge.container());
    scene.mainstay(&["edge", "up", "--pull", "--yes"]).ok().says("nothing to do");
    assert_eq!(id_of(&edge.container()), before, "nothing newer, nothing replaced");

    let local = newer(&scene);
    registry.holds("caddy:live", &local);
    docker(&["rmi", &local]);
    // Here the name stands for the older one until it is pulled.
    docker_ok(&["tag", "caddy:2", &image]);
    // Somebody who only opened a connection must not keep the ports closed for long.
    let address = format!("127.0.0.1:{}", edge.https);
    let mut idle = Command::new("openssl");
    idle.args(["s_client", "-quiet", "-connect", &address, "-servername", HOST]);
    let mut idle =
        idle.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("openssl runs");
    eventually("the connection is open", Duration::from_secs(10), || {
        let open =
            Command::new("sh").args(["-c", &format!("ss -Htn state established | grep -q '{address}'")]).status();
        open.is_ok_and(|status| status.success()).then_some(())
    });

    let mut update = scene.command(&["edge", "up", "--pull", "--yes"]);
    let mut update = update.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
    let (mut last_good, mut longest, mut lost) = (Instant::now(), Duration::ZERO, 0);
    while update.try_wait().expect("its state").is_none() {
        if edge.get(HOST, "/").status == 200 {
            longest = longest.max(last_good.elapsed());
            last_good = Instant::now();
        } else {
            lost += 1;
        }
    }
    let ended = update.wait_with_output().expect("it ended");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    let _ = idle.kill();
    let _ = idle.wait();
    eprintln!("nobody was answered for {longest:?}; {lost} requests were lost");
    // Nothing here is quicker than the three seconds that it is given at most, on a machine that does other things.
    assert!(longest < Duration::from_secs(15), "{longest:?}");
    let closed =
        format!("ports `{}/tcp`, `{}/tcp` and `{}/udp` are closed from the stop of", edge.http, edge.https, edge.https);
    let closed_too =
        format!("ports `{}/tcp`, `{}/udp` and `{}/tcp` are closed from the stop of", edge.https, edge.https, edge.http);
    assert!(said.contains(&closed) || said.contains(&closed_too), "{said}");
    edge.serves(HOST, "tiny");
    assert_ne!(id_of(&edge.container()), before);
    assert_eq!(docker_json(&edge.container())["Config"]["Labels"]["newer"], "yes");
    assert_eq!(scene.mainstay(&["edge", "certificate"]).ok().stdout, root, "its authority stays");
    // What needs no other container closes nothing.
    let after = id_of(&edge.container());
    let live = scene.mainstay(&["edge", "up", "--certificates", "internal", "--yes"]).ok();
    assert!(!live.stderr.contains("closed"), "{}", live.stderr);
    assert_eq!(id_of(&edge.container()), after);
}
