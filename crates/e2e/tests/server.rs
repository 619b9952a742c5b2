//! The server: one writer, a socket for its owner, a graceful end, and commands that use it when it is there.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::time::{Duration, Instant};

use mainstay_e2e::{Ran, Scene, docker, docker_json, docker_ok, eventually, networks_of, require_engine, runs};

const ONE: &str =
    "services:\n  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, environment: { A: '1' } }\n";

/// Takes three seconds to be healthy.
const SLOW: &str = "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment: { DELAY: '3' }
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/health'], interval: 300ms, retries: 30 }
";

fn socket(scene: &Scene) -> std::path::PathBuf {
    scene.state_dir().join("mainstay.sock")
}

fn healthy(container: &str) -> bool {
    docker(&["inspect", container]).status.success() && docker_json(container)["State"]["Health"]["Status"] == "healthy"
}

#[test]
fn a_second_server_is_refused_and_told_the_pid_of_the_first() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("second");
    let server = scene.serve();
    let refused = scene.mainstay(&["serve"]).code(4);
    assert!(refused.stderr.contains(&server.pid().to_string()), "{}", refused.stderr);
    scene.mainstay(&["version"]).ok();
    assert!(server.stop().success());
    let _next = scene.serve();
}

#[test]
fn of_many_servers_started_at_once_one_serves() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("race");
    let mut servers: Vec<_> = (0..6).map(|_| Some(scene.launch())).collect();
    let mut refused = 0;
    let deadline = Instant::now() + Duration::from_secs(20);
    while refused < 5 && Instant::now() < deadline {
        for server in &mut servers {
            if let Some(status) = server.as_mut().and_then(|server| server.ended()) {
                assert_eq!(status.code(), Some(4));
                refused += 1;
                *server = None;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(refused, 5, "all but one are refused");
    let mut last = servers.into_iter().flatten().next().expect("one is left");
    last.answers(&scene);
    assert!(last.stop().success());
}

#[test]
fn the_socket_and_the_state_are_for_their_owner() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("socket");
    let _server = scene.serve();
    let metadata = std::fs::metadata(socket(&scene)).expect("the socket");
    assert!(metadata.file_type().is_socket());
    let folder = std::fs::metadata(scene.state_dir()).expect("the state folder").permissions().mode() & 0o777;
    let mode = metadata.permissions().mode() & 0o777;
    assert_eq!(mode & 0o007, 0, "others can do nothing with the socket: {mode:o}");
    assert_eq!(folder & 0o077 & 0o022, 0, "nobody else writes into the state folder: {folder:o}");
    scene.stack("one", "services:\n  web: { image: 'mainstay-test/tiny:1', environment: { PASSWORD: s3cret-w0rd }, stop_grace_period: 1s }\n");
    scene.on("one", &["up"]).ok();
    for file in std::fs::read_dir(scene.state_dir()).expect("the state folder") {
        let file = file.expect("a file").path();
        let mode = std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode & 0o007, 0, "{} is readable by anyone: {mode:o}", file.display());
        if !file.ends_with("mainstay.sock") && file.is_file() {
            let bytes = std::fs::read(&file).expect("a file of the state");
            assert!(!bytes.windows(11).any(|window| window == b"s3cret-w0rd"), "{} holds a value", file.display());
        }
    }
}

#[test]
fn on_sigterm_a_running_up_is_finished_first() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("graceful");
    let server = scene.serve();
    scene.stack("one", SLOW);
    let up = scene.start("one", &["up"]);
    let web = scene.container("one", "web");
    eventually("the container runs", Duration::from_secs(10), || runs(&web).then_some(()));
    server.terminate();
    let up = up.ends(Duration::from_secs(20));
    let status = server.ends(Duration::from_secs(20));
    assert!(status.success(), "{status}");
    assert!(!socket(&scene).exists(), "the socket is gone");
    if up.code == Some(0) {
        assert!(healthy(&web), "`up` said done: {up:?}");
    } else {
        // Ending early is allowed where it is said; the next `up` goes on.
        assert!(up.stderr.contains("stop"), "{up:?}");
        scene.on("one", &["up"]).ok();
    }
    let operations = scene.history_of("operation");
    assert!(!operations.is_empty());
    assert_eq!(scene.containers("one"), [web]);
}

#[test]
fn an_idle_server_stops_at_once_and_leaves_the_stacks_running() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("stop");
    let server = scene.serve();
    scene.stack("one", ONE);
    scene.on("one", &["up"]).ok();
    let from = Instant::now();
    assert!(server.stop().success());
    assert!(from.elapsed() < Duration::from_secs(3), "{:?}", from.elapsed());
    assert!(runs(&scene.container("one", "web")));
}

#[test]
fn a_socket_left_by_kill_9_is_in_nobodys_way() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("stale");
    let server = scene.serve();
    server.kill();
    assert!(socket(&scene).exists(), "it had no time to take the socket away");
    scene.stack("one", ONE);
    scene.on("one", &["up"]).ok();
    assert!(runs(&scene.container("one", "web")));
    let server = scene.serve();
    scene.on("one", &["ps"]).ok();
    assert!(server.stop().success());
}

#[test]
fn commands_use_the_server_when_it_is_there() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("uses");
    let server = scene.serve();
    scene.stack("one", SLOW);
    let up = scene.start("one", &["up"]);
    // While it runs it is in the history already, and the server talks about it.
    eventually("the operation is in the history while it runs", Duration::from_secs(10), || {
        let operations = scene.history_of("operation");
        operations.iter().any(|entry| entry.to_string().contains(&scene.name("one"))).then_some(())
    });
    eventually("the server does it", Duration::from_secs(5), || {
        server.log().contains(&scene.name("one")).then_some(())
    });
    let up = up.ends(Duration::from_secs(20)).ok();
    assert!(!up.stderr.contains("no server"), "{}", up.stderr);
    let version = scene.mainstay(&["version"]).ok();
    assert!(version.stdout.contains("server"), "{}", version.stdout);
}

#[test]
fn commands_host_the_engine_themselves_where_no_server_is_and_say_that_nothing_holds() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("hosted");
    scene.stack("one", ONE);
    let up = scene.on("one", &["up"]).ok();
    assert!(up.stderr.contains("hold"), "{}", up.stderr);
    assert!(!socket(&scene).exists());
    assert!(!scene.history_of("operation").is_empty(), "it is remembered all the same");
}

/// Two runs of one stack at once: whoever is told that the other is busy is told so clearly, and the end is one world.
fn at_once(scene: &Scene) {
    scene.stack("one", SLOW);
    let (first, second) = (scene.start("one", &["up"]), scene.start("one", &["up"]));
    let ends: Vec<Ran> = [first, second].into_iter().map(|up| up.ends(Duration::from_secs(60))).collect();
    assert!(ends.iter().any(|up| up.code == Some(0)), "one of the two did it: {ends:#?}");
    for up in ends.iter().filter(|up| up.code != Some(0)) {
        let said = up.stderr.to_lowercase();
        let names_it = ["busy", "running", "another", "already", "in progress", "changed"];
        assert!(names_it.iter().any(|word| said.contains(word)), "{up:?}");
        assert!(!said.contains("panicked"), "{up:?}");
    }
    assert_eq!(scene.containers("one"), [scene.container("one", "web")]);
    assert!(healthy(&scene.container("one", "web")));
    scene.on("one", &["plan", "--check"]).ok();
}

#[test]
fn two_ups_of_one_stack_at_once_with_a_server() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("twice");
    let _server = scene.serve();
    at_once(&scene);
}

#[test]
fn two_ups_of_one_stack_at_once_hosted() {
    if !require_engine() {
        return;
    }
    at_once(&Scene::new("twicehosted"));
}

fn two_stacks_at_once(scene: &Scene) {
    scene.stack("one", SLOW);
    scene.stack("two", SLOW);
    let (first, second) = (scene.start("one", &["up"]), scene.start("two", &["up"]));
    first.ends(Duration::from_secs(60)).ok();
    second.ends(Duration::from_secs(60)).ok();
    assert!(healthy(&scene.container("one", "web")) && healthy(&scene.container("two", "web")));
}

#[test]
fn two_stacks_at_once_both_come_up_with_a_server() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("two");
    let _server = scene.serve();
    two_stacks_at_once(&scene);
}

#[test]
fn two_stacks_at_once_both_come_up_hosted() {
    if !require_engine() {
        return;
    }
    two_stacks_at_once(&Scene::new("twohosted"));
}

#[test]
fn reading_commands_answer_while_an_up_runs() {
    if !require_engine() {
        return;
    }
    for served in [true, false] {
        let scene = Scene::new("reading");
        let _server = served.then(|| scene.serve());
        scene.stack("one", SLOW);
        let up = scene.start("one", &["up"]);
        let web = scene.container("one", "web");
        eventually("the container runs", Duration::from_secs(10), || runs(&web).then_some(()));
        scene.on("one", &["ps"]).ok().prints("web");
        scene.on("one", &["logs"]).ok();
        scene.mainstay(&["history"]).ok();
        scene.on("one", &["config"]).ok();
        up.ends(Duration::from_secs(30)).ok();
    }
}

#[test]
fn an_engine_that_does_not_answer_is_named_with_exit_code_4() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("noengine").with_engine("unix:///nonexistent/docker.sock");
    scene.stack("one", ONE);
    for args in [&["up"][..], &["plan"], &["ps"], &["down"], &["logs"], &["stop"]] {
        let from = Instant::now();
        let ran = scene.on("one", args).code(4).says("/nonexistent/docker.sock");
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        assert!(from.elapsed() < Duration::from_secs(10), "{:?}", from.elapsed());
    }
    // What needs no engine works without one.
    scene.on("one", &["config"]).ok();
    scene.mainstay(&["history"]).ok();
    scene.mainstay(&["completions", "bash"]).ok();
    let json = scene.on("one", &["--json", "up"]).code(4);
    let problem: serde_json::Value = serde_json::from_str(json.stderr.trim()).expect("a problem as JSON on stderr");
    assert!(problem.to_string().contains("/nonexistent/docker.sock"), "{problem}");
}

#[test]
fn a_state_folder_that_cannot_be_made_is_named_with_exit_code_4() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("nostate");
    scene.stack("one", ONE);
    let file = scene.file("one", "a-file", "");
    let state = file.join("state");
    scene.on("one", &["--state-dir", state.to_str().expect("text"), "up"]).code(4).says("a-file");
    assert!(scene.containers("one").is_empty());
}

#[test]
fn a_journal_that_is_garbage_is_named_and_not_overwritten() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("garbage");
    scene.stack("one", ONE);
    scene.on("one", &["up"]).ok();
    let journal = std::fs::read_dir(scene.state_dir())
        .expect("the state folder")
        .map(|file| file.expect("a file").path())
        .find(|path| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3")))
        .expect("the journal is an SQLite file");
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", journal.display()));
    }
    let garbage = vec![b'x'; 8192];
    std::fs::write(&journal, &garbage).expect("the journal");
    let up = scene.on("one", &["up"]);
    assert_eq!(up.code, Some(4), "{up:?}");
    assert!(up.stderr.contains(journal.file_name().and_then(|name| name.to_str()).expect("text")), "{}", up.stderr);
    assert_eq!(std::fs::read(&journal).expect("the journal"), garbage);
}

#[test]
fn a_client_that_is_killed_leaves_a_server_that_goes_on() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("client");
    let server = scene.serve();
    scene.stack("one", SLOW);
    let up = scene.start("one", &["up"]);
    let web = scene.container("one", "web");
    eventually("the container runs", Duration::from_secs(10), || runs(&web).then_some(()));
    up.kill();
    eventually("the stack can be brought up, whatever became of the first order", Duration::from_secs(20), || {
        (scene.on("one", &["up"]).code == Some(0)).then_some(())
    });
    assert_eq!(scene.containers("one"), [web]);
    assert!(server.stop().success());
}

#[test]
fn a_server_that_dies_under_a_command_is_reported() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("dies");
    let server = scene.serve();
    scene.stack("one", SLOW);
    let up = scene.start("one", &["up"]);
    let web = scene.container("one", "web");
    eventually("the container runs", Duration::from_secs(10), || runs(&web).then_some(()));
    server.kill();
    let up = up.ends(Duration::from_secs(10)).code(4);
    assert!(up.stderr.contains("server"), "{}", up.stderr);
    // The next one writes down that the operation was interrupted, and converges.
    let _server = scene.serve();
    scene.on("one", &["up"]).ok();
    assert!(healthy(&web));
    let operations = serde_json::to_string(&scene.history_of("operation")).expect("JSON");
    assert!(operations.contains("interrupted") || operations.contains("cancelled"), "{operations}");
    assert_eq!(networks_of(&web), [scene.network("one")].into());
    docker_ok(&["version"]);
}
