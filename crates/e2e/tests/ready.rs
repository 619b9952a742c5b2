//! `up` is done when what it started was seen to stay: without a health check that takes a moment of looking.

use mainstay_e2e::{Scene, docker_json, id_of, inside, require_engine, runs};

/// A service that does not last.
fn ends(command: &str, restart: &str) -> String {
    format!(
        "services:\n  web: {{ image: 'mainstay-test/tiny:1', stop_grace_period: 1s, command: [sh, -c, '{command}'], restart: '{restart}' }}\n"
    )
}

const CRASHES: &str = "sleep 0.3; echo it went astray >&2; exit 7";

#[test]
fn a_crash_shortly_after_the_start_fails_the_up() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("crash300");
    scene.stack("one", &ends(CRASHES, "no"));
    let up = scene.on("one", &["up"]).code(1).says("it went astray").says("exit code 7");
    assert!(up.stderr.contains(&scene.container("one", "web")), "{}", up.stderr);
    let _ = up.says(&format!("see more of it: `mainstay logs --stack {} web`", scene.name("one")));
}

#[test]
fn a_crash_that_the_engine_hides_by_starting_again_fails_the_up() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("crashalways");
    scene.stack("one", &ends(CRASHES, "always"));
    scene.on("one", &["up"]).code(1).says("it went astray").says("crash");
}

#[test]
fn one_that_runs_at_its_second_attempt_is_up() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("second");
    scene.stack(
        "one",
        "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    restart: always
    volumes: ['data:/data']
    command: [sh, -c, 'test -e /data/tried && exec /bin/serve; touch /data/tried; sleep 0.2; exit 1']
volumes: { data: {} }
",
    );
    scene.on("one", &["up"]).ok();
    let web = docker_json(&scene.container("one", "web"));
    assert_eq!((&web["State"]["Running"], &web["RestartCount"]), (&true.into(), &1.into()));
    scene.on("one", &["plan", "--check"]).ok();
}

#[test]
fn a_good_end_is_no_crash_where_the_file_allows_an_end() {
    if !require_engine() {
        return;
    }
    for (name, restart) in [("endno", "no"), ("endfailure", "on-failure")] {
        let scene = Scene::new(name);
        scene.stack("one", &ends("sleep 0.2; echo did it", restart));
        scene.on("one", &["up"]).ok();
        scene.on("one", &["restart"]).ok();
        assert_eq!(docker_json(&scene.container("one", "web"))["State"]["ExitCode"], 0);
    }
}

#[test]
fn a_crash_before_the_end_of_the_operation_is_told_though_its_own_wait_was_over() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("later");
    scene.stack(
        "one",
        "
services:
  web: { image: 'mainstay-test/tiny:1', command: [sh, -c, 'sleep 2; exit 7'] }
  slow:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment: { DELAY: '4' }
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/health'], interval: 300ms, retries: 100 }
",
    );
    scene.on("one", &["up"]).code(1).says(&scene.container("one", "web")).says("exit code 7");
    assert!(runs(&scene.container("one", "slow")));
}

#[test]
fn a_replacement_that_crashes_leaves_the_way_back() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("wayback");
    let compose = |word: &str, crash: &str| {
        format!(
            "services:\n  web: {{ image: 'mainstay-test/tiny:1', stop_grace_period: 1s, restart: always, environment: {{ WORD: '{word}', CRASH: '{crash}' }} }}\n"
        )
    };
    scene.stack("one", &compose("old", ""));
    scene.on("one", &["up"]).ok();
    let web = scene.container("one", "web");
    let old = id_of(&web);
    scene.stack("one", &compose("new", "1"));
    scene.on("one", &["up", "--yes"]).code(1).says("crashing, as CRASH says");
    assert_eq!(id_of(&web), old, "the old container is there under its name");
    scene.stack("one", &compose("old", ""));
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!((id_of(&web), inside(&web, "echo $WORD")), (old, "old".to_owned()));
    assert_eq!(scene.containers("one"), [web]);
}
