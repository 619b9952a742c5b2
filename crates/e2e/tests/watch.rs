//! `mainstay watch`: what is edited here is there, and nothing else is touched.

use std::fs;
use std::time::Duration;

use mainstay_e2e::{Running, Scene, docker, docker_ok, eventually, id_of, inside, require_engine, runs, started_at};

const PATIENCE: Duration = Duration::from_secs(60);

/// Starts to watch and waits until it does.
fn watching(scene: &Scene, args: &[&str]) -> Running {
    let mut running = scene.start("one", args);
    eventually("it watches", PATIENCE, || {
        let said = running.stderr();
        assert!(!running.ended(), "{said:#?}");
        said.iter().any(|line| line.starts_with("watching for")).then_some(())
    });
    running
}

/// Ends it with Ctrl-C.
#[track_caller]
fn ends(running: Running) -> String {
    running.interrupt();
    running.ends(Duration::from_secs(20)).code(130).says("no longer watching").stderr
}

fn has(container: &str, path: &str) -> bool {
    docker(&["exec", container, "test", "-e", path]).status.success()
}

#[track_caller]
fn awaits(container: &str, path: &str, content: &str) {
    eventually(&format!("`{path}` is {content:?}"), Duration::from_secs(20), || {
        let read = docker(&["exec", container, "cat", path]);
        (String::from_utf8_lossy(&read.stdout).trim() == content).then_some(())
    });
}

const SYNCED: &str = "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    develop:
      watch:
        - { action: sync, path: ./src, target: /app/src, ignore: ['skip/', '*.log'], initial_sync: true }
        - { action: sync, path: ./one.conf, target: /etc/one.conf }
";

#[test]
fn what_is_edited_is_brought_and_what_is_deleted_goes() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("watchsync");
    scene.stack("one", SYNCED);
    scene.file("one", "src/first.txt", "first");
    scene.file("one", "one.conf", "a");
    let watch = watching(&scene, &["watch"]);
    let web = scene.container("one", "web");
    awaits(&web, "/app/src/first.txt", "first");
    let before = started_at(&web);

    scene.file("one", "src/skip/never.txt", "x");
    scene.file("one", "src/debug.log", "x");
    scene.file("one", "src/.first.txt.swp", "x");
    scene.file("one", "src/deep/er/second.txt", "second");
    awaits(&web, "/app/src/deep/er/second.txt", "second");
    for ignored in ["skip/never.txt", "debug.log", ".first.txt.swp"] {
        assert!(!has(&web, &format!("/app/src/{ignored}")), "{ignored}");
    }

    // As editors write: another file takes the place of the one before.
    scene.file("one", "one.conf.new", "b");
    fs::rename(scene.dir("one").join("one.conf.new"), scene.dir("one").join("one.conf")).expect("a rename");
    awaits(&web, "/etc/one.conf", "b");

    fs::remove_dir_all(scene.dir("one").join("src/deep")).expect("the folder was there");
    eventually("what was deleted here is gone there", Duration::from_secs(20), || {
        (!has(&web, "/app/src/deep")).then_some(())
    });
    assert!(has(&web, "/app/src/first.txt"));

    let said = ends(watch);
    assert!(said.lines().any(|line| line.starts_with("sync") && line.contains("web")), "{said}");
    assert!(runs(&web), "the stack runs on");
    assert_eq!(started_at(&web), before, "nothing was restarted");
}

#[test]
fn a_restart_or_a_program_follows_what_was_synced() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("watchrun");
    scene.stack(
        "one",
        "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    develop:
      watch:
        - { action: sync+restart, path: ./conf, target: /conf }
        - { action: restart, path: ./trigger }
        - action: sync+exec
          path: ./pages
          target: /pages
          exec: { command: [sh, -c, 'cat /pages/a >/pages/all; echo said; echo $$WORD >>/pages/all'], environment: { WORD: extra } }
",
    );
    for path in ["conf/app.conf", "trigger", "pages/a"] {
        scene.file("one", path, "before");
    }
    scene.on("one", &["up"]).ok();
    let watch = watching(&scene, &["watch", "--no-up", "--json"]);
    let web = scene.container("one", "web");
    let before = started_at(&web);

    scene.file("one", "pages/a", "page");
    awaits(&web, "/pages/all", "pageextra");
    assert_eq!(started_at(&web), before);

    scene.file("one", "conf/app.conf", "after");
    eventually("it was restarted", PATIENCE, || (started_at(&web) != before).then_some(()));
    awaits(&web, "/conf/app.conf", "after");

    let before = started_at(&web);
    scene.file("one", "trigger", "now");
    eventually("it was restarted once more", PATIENCE, || (started_at(&web) != before).then_some(()));
    eventually("everything is told as JSON", PATIENCE, || {
        let told = watch.stdout().join("\n");
        ["\"action\":\"sync\"", "\"action\":\"exec\"", "\"action\":\"restart\""]
            .iter()
            .all(|part| told.contains(part))
            .then_some(())
    });
    ends(watch);
}

fn dockerfile(word: &str) -> String {
    format!("FROM mainstay-test/tiny:1\nENV WORD={word}\nCOPY src /app/src\n")
}

#[test]
fn a_rebuild_makes_a_new_container_and_a_broken_one_leaves_the_old() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("watchbuild");
    scene.stack(
        "one",
        "
services:
  web:
    build: .
    stop_grace_period: 1s
    develop:
      watch:
        - { action: rebuild, path: ./Dockerfile }
        - { action: sync, path: ./src, target: /app/src }
",
    );
    scene.file("one", "Dockerfile", &dockerfile("first"));
    scene.file("one", "src/a", "a");
    scene.file("one", ".dockerignore", "**/private\n");
    let watch = watching(&scene, &["up", "--watch"]);
    let web = scene.container("one", "web");
    let first = id_of(&web);

    scene.file("one", "src/private", "x");
    scene.file("one", "src/b", "b");
    awaits(&web, "/app/src/b", "b");
    assert!(!has(&web, "/app/src/private"), "what `.dockerignore` names is not synced");

    scene.file("one", "Dockerfile", "FROM mainstay-test/tiny:1\nRUN false\n");
    eventually("the failure is told", PATIENCE, || {
        watch.stderr().iter().any(|line| line.starts_with("failed:")).then_some(())
    });
    assert_eq!(id_of(&web), first, "the container before it serves on");

    scene.file("one", "Dockerfile", &dockerfile("second"));
    eventually("the new image runs", PATIENCE, || {
        let word = docker(&["exec", &web, "sh", "-c", "echo $WORD"]);
        (String::from_utf8_lossy(&word.stdout).trim() == "second").then_some(())
    });
    assert_eq!(inside(&web, "cat /app/src/b"), "b", "the image has what was synced before");
    eventually("it is told", PATIENCE, || {
        watch.stderr().iter().any(|line| line.contains("runs the new image")).then_some(())
    });

    // Ctrl-C in the middle of a build ends both, and what ran runs.
    let second = id_of(&web);
    scene.file("one", "Dockerfile", "FROM mainstay-test/tiny:1\nRUN sleep 300\n");
    eventually("the third build has begun", PATIENCE, || {
        (watch.stderr().iter().filter(|line| line.starts_with("rebuild")).count() == 3).then_some(())
    });
    ends(watch);
    assert_eq!(id_of(&web), second);
    assert!(runs(&web));
    let image = format!("{}-web", scene.name("one"));
    scene.on("one", &["down", "--yes"]).ok();
    docker_ok(&["rmi", "--force", &image]);
}

#[test]
fn a_rule_that_cannot_be_followed_is_told_with_its_place() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("watchbad");
    scene.stack(
        "one",
        "
services:
  web:
    image: mainstay-test/tiny:1
    develop:
      watch:
        - { action: sync, path: ./src, target: app }
        - { action: rebuild, path: ./Dockerfile }
",
    );
    let plan = scene.on("one", &["plan"]).ok();
    assert!(plan.stderr.contains("compose.yaml:8:"), "{}", plan.stderr);
    assert!(plan.stderr.contains("`services.web.develop.watch[0].target` is not absolute"), "{}", plan.stderr);
    assert!(plan.stderr.contains("has no `build`"), "{}", plan.stderr);
    scene.on("one", &["watch", "--no-up"]).code(3).says("has a rule under `develop.watch` to follow");
    scene.on("one", &["watch", "--no-up", "nobody"]).code(2).says("has no service `nobody`");
}
