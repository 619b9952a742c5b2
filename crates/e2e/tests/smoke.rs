//! `mainstay smoke` as a person and as a pipeline use it, against services that really run.

use std::process::Command;
use std::time::Duration;

use mainstay_e2e::{Scene, docker_ok, eventually, require_engine};

/// Publishes the small web server on a port of its own, and gives that port.
fn tiny(scene: &Scene) -> String {
    let name = scene.name("tiny");
    docker_ok(&["run", "-d", "--name", &name, "-p", "127.0.0.1::8080", "mainstay-test/tiny:1"]);
    port(&name, "8080/tcp")
}

fn port(container: &str, inside: &str) -> String {
    let published = docker_ok(&["port", container, inside]);
    let line = published.lines().next().expect("a published port");
    line.rsplit(':').next().expect("a port").trim().to_owned()
}

fn stack(scene: &Scene, checks: &str) {
    scene.stack(
        "shop",
        &format!("services:\n  web: {{ image: 'mainstay-test/tiny:1' }}\nx-mainstay:\n  smoke:\n{checks}"),
    );
}

#[test]
fn checks_are_lines_and_the_exit_code_tells_whether_they_hold() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("smoke");
    let at = format!("http://127.0.0.1:{}", tiny(&scene));
    let good = format!(
        "    - {{ url: '{at}/', contains: tiny 1 }}
    - {{ name: health, url: '{at}/health', matches: '^ok' }}
    - {{ url: '{at}/nowhere', status: 404 }}\n"
    );
    stack(&scene, &good);
    let ran = scene.on("shop", &["smoke"]).ok().says("3 checks hold");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines.len() == 3 && lines.iter().all(|line| line.starts_with("ok ")), "{}", ran.stdout);
    assert!(lines[1].contains("health  http://") && lines[2].contains(" 404 "), "{}", ran.stdout);

    stack(&scene, &format!("{good}    - {{ url: '{at}/nowhere', within: 300ms }}\n"));
    let ran = scene.on("shop", &["smoke"]).code(1).says("1 of 4 checks does not hold");
    assert!(ran.stdout.contains("expected 200, answered 404 `Not Found`"), "{}", ran.stdout);
    scene.on("shop", &["smoke", "health"]).ok().prints("/health").says("1 check holds");
    let ran = scene.on("shop", &["--json", "smoke", "--once"]).code(1);
    let list = ran.json();
    assert_eq!(list.as_array().map(Vec::len), Some(4));
    let last = &list[3];
    assert_eq!((&last["holds"], &last["status"], &last["attempts"]), (&false.into(), &404.into(), &1.into()));
    assert_eq!(last["stack"], scene.name("shop").as_str());
}

#[test]
fn a_service_that_comes_up_late_is_waited_for() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("smokelate");
    let name = scene.name("late");
    let image = "mainstay-test/tiny:1";
    docker_ok(&["run", "-d", "--name", &name, "-e", "DELAY=2", "-p", "127.0.0.1::8080", image]);
    let at = format!("http://late.localhost:{}/health", port(&name, "8080/tcp"));
    stack(&scene, &format!("    - {{ url: '{at}', contains: ok, timeout: 2s }}\n"));
    scene.on("shop", &["smoke"]).ok().says("asking again").prints(" attempts in ");
}

#[test]
fn an_edge_is_asked_under_the_name_of_the_url_with_its_own_authority() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("smokeedge");
    let name = scene.name("caddy");
    let config = scene.folder().join("Caddyfile");
    let sites = "{\n admin off\n skip_install_trust\n}\nwww.shop.example {\n tls internal\n redir https://shop.example 302\n}\n";
    std::fs::write(&config, sites).expect("the Caddyfile");
    let mount = format!("{}:/Caddyfile:ro", config.display());
    let run = ["caddy", "run", "--adapter", "caddyfile", "--config", "/Caddyfile"];
    docker_ok(&[&["run", "-d", "--name", &name, "-p", "127.0.0.1::443", "-v", &mount, "caddy:2"][..], &run].concat());
    let root = scene.folder().join("root.crt");
    eventually("the edge has made its authority", Duration::from_secs(20), || {
        let path = format!("{name}:/data/caddy/pki/authorities/local/root.crt");
        let copied = Command::new("docker").args(["cp", &path, root.to_str().expect("text")]).output();
        copied.is_ok_and(|copied| copied.status.success()).then_some(())
    });
    stack(
        &scene,
        "    - { url: 'https://www.shop.example', status: 302, location: 'https://shop.example/', from: edge }\n",
    );
    let at = format!("127.0.0.1:{}", port(&name, "443/tcp"));
    let root = root.to_str().expect("text");
    scene.on("shop", &["smoke", "--edge", &at, "--edge-root", root]).ok().prints(" 302 ");
    let ran = scene.on("shop", &["smoke", "--edge", &at, "--once"]).code(1);
    assert!(ran.stdout.contains("it is signed by nobody who is trusted here"), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_asked() {
    let scene = Scene::new("smokeuse");
    stack(&scene, "    - { url: 'http://127.0.0.1:1/', status: 2xx }\n");
    scene.on("shop", &["smoke"]).code(3).says("a check says which status it is").says("compose.yaml:6:");
    stack(&scene, "    - { name: front, url: 'http://127.0.0.1:1/' }\n");
    scene.on("shop", &["smoke", "back"]).code(2).says("no check is named `back`").says("there is `front`");
    scene.on("shop", &["smoke", "--edge", "nonsense"]).code(2).says("is no address");
    stack(&scene, "    []\n");
    scene.on("shop", &["smoke"]).ok().says("declares no smoke checks");
    scene.on("shop", &["smoke", "back"]).code(2);
}
