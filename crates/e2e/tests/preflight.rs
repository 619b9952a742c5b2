//! What could make a release fail is found before anything is touched.

use std::net::TcpListener;

use mainstay_e2e::{Scene, SecondEngine, SmallDisk, docker_ok, require_engine, runs};

fn free_port() -> TcpListener {
    TcpListener::bind("0.0.0.0:0").expect("a free port")
}

fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("its address").port()
}

fn web_at(port: u16) -> String {
    format!(
        "services:\n  web:\n    image: mainstay-test/tiny:1\n    stop_grace_period: 1s\n    ports: ['{port}:8080']\n"
    )
}

#[test]
fn a_port_of_another_stack_is_named_before_anything_is_touched() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("portstack");
    let port = {
        let listener = free_port();
        port_of(&listener)
    };
    scene.stack("first", &web_at(port));
    scene.stack("second", &web_at(port));
    scene.on("first", &["up"]).ok();
    let taken = format!(
        "the port {port}/tcp of `web` is taken by the container `{}` of the stack `{}`",
        scene.container("first", "web"),
        scene.name("first")
    );
    scene.on("second", &["up"]).code(4).says(&taken);
    scene.on("second", &["plan"]).code(4).prints(&taken);
    assert_eq!(scene.containers("second"), [""; 0], "nothing was made");
    let network = docker_ok(&["network", "ls", "--quiet", "--filter", &format!("name={}", scene.network("second"))]);
    assert_eq!(network, "");

    // Its own port is no trouble: it is handed over from the container before.
    scene.stack("first", &web_at(port).replace("1s\n", "1s\n    environment: { WORD: second }\n"));
    scene.on("first", &["up", "--yes"]).ok();
    assert!(runs(&scene.container("first", "web")));
}

#[test]
fn a_port_of_a_process_is_named_before_anything_is_touched() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("portproc");
    let listener = free_port();
    let port = port_of(&listener);
    scene.stack("one", &web_at(port));
    let pid = std::process::id();
    let refused = scene.on("one", &["up"]).code(4).says(&format!("the port {port}/tcp of `web` is taken by"));
    assert!(refused.stderr.contains(&format!("(pid {pid})")), "{}", refused.stderr);
    assert_eq!(scene.containers("one"), [""; 0], "nothing was made");
    drop(listener);
    scene.on("one", &["up"]).ok();
}

#[test]
fn a_full_disk_of_the_state_folder_is_told_before_anything_is_touched() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("statefull");
    let Some(disk) = SmallDisk::at(&scene.state_dir(), 20) else { return };
    scene.stack("one", "services:\n  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }\n");
    disk.fill_but(700);
    scene.on("one", &["up"]).code(4).says("kB are free for the state folder").says("--skip-preflight disk");
    assert_eq!(scene.containers("one"), [""; 0], "nothing was made");
    scene.on("one", &["up", "--skip-preflight", "disk"]).ok();
    disk.clear();
    scene.on("one", &["down", "--yes"]).ok();
}

#[test]
fn a_release_without_a_way_back_is_warned_about_and_refused_where_asked() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("nowayback");
    let files = |word: &str| {
        let text = format!(
            "services:\n  web: {{ image: 'mainstay-test/tiny:1', stop_grace_period: 1s, environment: {{ WORD: {word} }} }}\n"
        );
        scene.stack("one", &text);
    };
    files("first");
    scene.on("one", &["up"]).ok();
    files("second");
    let plain = scene.on("one", &["plan", "up", "--require-way-back"]).ok();
    assert!(!plain.stdout.contains("way back"), "{}", plain.stdout);
    std::fs::remove_dir_all(scene.state_dir().join("releases")).expect("what is kept of releases");
    let gone = "no way back to release 1, which serves: what it declared is not kept";
    scene.on("one", &["up", "--yes", "--require-way-back"]).code(4).says(gone);
    scene.on("one", &["up", "--yes"]).ok().says(gone);
}

#[test]
fn a_stranger_under_a_name_of_the_stack_is_told_before_anything_is_touched() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("stranger");
    let files = |word: &str| {
        let text = format!(
            "services:\n  db: {{ image: 'mainstay-test/tiny:1', stop_grace_period: 1s, environment: {{ WORD: {word} }} }}\n"
        );
        scene.stack("one", &text);
    };
    files("first");
    scene.on("one", &["up"]).ok();
    let stranger = scene.name("by-hand");
    let network = scene.network("one");
    docker_ok(&[
        "run",
        "--detach",
        "--name",
        &stranger,
        "--network",
        &network,
        "--network-alias",
        "db",
        "mainstay-test/tiny:1",
    ]);
    // What has nothing to do looks no further.
    let quiet = scene.on("one", &["up"]).ok().says("nothing to do");
    assert!(!quiet.stderr.contains("is answered"), "{}", quiet.stderr);
    files("second");
    let clash = format!("`db` is answered on `{network}` by the service `db` and by the container `{stranger}`");
    scene.on("one", &["plan"]).ok().prints(&clash);
    scene.on("one", &["up", "--yes"]).ok().says(&clash);
    docker_ok(&["rm", "--force", &stranger]);
    files("third");
    let alone = scene.on("one", &["up", "--yes"]).ok();
    assert!(!alone.stderr.contains("is answered"), "{}", alone.stderr);
}

/// Of the second engine: an image of this name in which one variable differs.
fn make_image(engine: &SecondEngine, name: &str, word: &str) -> String {
    let container = engine.docker_ok(&["create", "mainstay-test/tiny:1"]);
    let id = engine.docker_ok(&["commit", "--change", &format!("ENV WORD={word}"), &container, name]);
    engine.docker_ok(&["rm", &container]);
    id
}

#[test]
fn images_of_releases_survive_a_prune_and_lead_back() {
    let Some(engine) = SecondEngine::start(false) else { return };
    let scene = Scene::new("prune").with_engine(&engine.host());
    scene.stack("one", "services:\n  web: { image: 'shop/web:live', stop_grace_period: 1s, restart: 'no' }\n");
    let word = || {
        let environment = engine.docker_ok(&["inspect", "--format", "{{.Config.Env}}", &scene.container("one", "web")]);
        environment.split("WORD=").nth(1).and_then(|rest| rest.split([' ', ']']).next()).unwrap_or_default().to_owned()
    };
    let mut ids = Vec::new();
    for release in ["first", "second", "third", "fourth"] {
        // The tag moves, so the image before it is left without a name of its own.
        ids.push(make_image(&engine, "shop/web:live", release));
        scene.on("one", &["up", "--yes"]).ok();
        assert_eq!(word(), release);
    }
    engine.docker_ok(&["image", "prune", "--force"]);
    let there = |id: &String| engine.docker(&["image", "inspect", id]).status.success();
    assert_eq!(ids.iter().map(there).collect::<Vec<_>>(), [false, true, true, true], "the newest three are kept");
    scene.on("one", &["rollback", "--yes"]).ok();
    assert_eq!(word(), "third");
    scene.on("one", &["rollback", "--yes", "--to", "1"]).code(2).says("the image of `web` is not there any more");
}
