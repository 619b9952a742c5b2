//! What was released is remembered, with what became of it.

use mainstay_e2e::{Scene, docker, docker_json, docker_ok, require_engine};
use serde_json::Value;

fn stack(scene: &Scene, command: &str) {
    scene.stack(
        "one",
        &format!("services:\n  web:\n    image: mainstay-test/tiny:1\n    restart: \"no\"\n    command: {command}\n"),
    );
}

#[test]
fn releases_are_listed_with_what_became_of_them() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("releases");
    stack(&scene, "[sh, -c, 'sleep 1000']");
    scene.on("one", &["up", "--yes"]).ok();
    stack(&scene, "[sh, -c, 'sleep 2000']");
    scene.on("one", &["up", "--yes"]).ok();
    stack(&scene, "[sh, -c, 'echo broken; exit 3']");
    scene.on("one", &["up", "--yes"]).code(1).says("broken").says("was taken back");
    scene.on("one", &["up", "--dry-run"]).ok();

    let told = scene.on("one", &["releases", "--json"]).ok();
    let releases: Vec<serde_json::Value> =
        told.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let seen: Vec<(u64, &str, bool)> = releases
        .iter()
        .map(|one| {
            let serves = one["serves"].as_bool().expect("a flag");
            (one["number"].as_u64().expect("a number"), one["state"].as_str().expect("a state"), serves)
        })
        .collect();
    assert_eq!(seen, [(3, "undone", false), (2, "committed", true), (1, "committed", false)]);
    assert_eq!(releases[1]["changes"][0], "web: `command` differs");
    assert_eq!(releases[0]["image_ids"], serde_json::json!({}), "nothing of it runs");
    assert_eq!(releases[1]["image_ids"]["web"], id_of("mainstay-test/tiny:1"));
    let table = scene.on("one", &["releases"]).ok();
    assert!(table.stdout.contains("taken back") && table.stdout.contains("serves"), "{}", table.stdout);
    // Nothing serves any more after the whole stack is taken down, and it can be brought back.
    scene.on("one", &["down", "--yes"]).ok();
    let table = scene.on("one", &["releases"]).ok();
    assert!(!table.stdout.contains("serves"), "{}", table.stdout);
    scene.on("one", &["rollback", "--to", "2", "--yes"]).ok();
    let table = scene.on("one", &["releases"]).ok();
    assert!(table.stdout.contains("serves"), "{}", table.stdout);
    let logs = std::fs::read_dir(scene.state_dir().join("logs").join(scene.name("one"))).expect("kept logs");
    let kept = logs.flatten().next().expect("one file").path();
    assert!(std::fs::read_to_string(kept).expect("text").contains("broken"));
}

#[test]
fn what_a_release_that_was_taken_back_has_said_is_kept_without_its_secrets() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("keptlog");
    let files = |command: &str| {
        let text = format!(
            "services:
  web:
    image: mainstay-test/tiny:1
    restart: \"no\"
    environment: [TOKEN]
    command: [sh, -c, '{command}']
x-mainstay:
  secrets: {{ TOKEN: {{}} }}
"
        );
        scene.stack("one", &text);
    };
    files("sleep 1000");
    let value = "correct-horse-battery";
    let file = scene.dir("one").join("token");
    std::fs::write(&file, value).expect("a file");
    scene.on("one", &["secret", "set", "TOKEN", "--from-file", file.to_str().expect("text")]).ok();
    std::fs::remove_file(&file).expect("it was there");
    scene.on("one", &["up", "--yes"]).ok();
    files("echo said $$TOKEN; exit 3");
    let failed = scene.on("one", &["up", "--yes"]).code(1).says("was taken back");
    assert!(!failed.stderr.contains(value), "{}", failed.stderr);
    let logs = std::fs::read_dir(scene.state_dir().join("logs").join(scene.name("one"))).expect("kept logs");
    let kept: Vec<String> = logs.flatten().map(|file| std::fs::read_to_string(file.path()).expect("text")).collect();
    assert_eq!(kept, ["said [redacted]\n"]);
}

/// Two services of one image.
fn tagged(scene: &Scene, image: &str, word: &str) {
    let service = |name: &str| {
        format!("  {name}:\n    image: {image}\n    environment: {{ WORD: {word} }}\n    restart: \"no\"\n")
    };
    scene.stack("one", &format!("services:\n{}{}", service("web"), service("worker")));
}

/// The release log, newest first.
fn log(scene: &Scene) -> Vec<Value> {
    let told = scene.on("one", &["releases", "--json"]).ok();
    told.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn image_of(scene: &Scene, service: &str) -> String {
    docker_json(&scene.container("one", service))["Image"].as_str().expect("an image").to_owned()
}

fn word_of(scene: &Scene, service: &str) -> String {
    let container = docker_json(&scene.container("one", service));
    let env = container["Config"]["Env"].as_array().expect("variables");
    let word = env.iter().filter_map(Value::as_str).find_map(|one| one.strip_prefix("WORD="));
    word.expect("the variable").to_owned()
}

fn id_of(image: &str) -> String {
    docker_ok(&["image", "inspect", "--format", "{{.Id}}", image]).trim().to_owned()
}

#[test]
fn a_rollback_brings_back_what_was_declared_and_is_a_release_of_its_own() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("rollback");
    tagged(&scene, "mainstay-test/tiny:1", "first");
    scene.on("one", &["up", "--yes"]).ok();
    scene.on("one", &["rollback"]).code(2).says("no committed release before");
    tagged(&scene, "mainstay-test/tiny:2", "second");
    scene.on("one", &["up", "--yes"]).ok();

    scene.on("one", &["rollback", "--dry-run"]).ok().prints("web");
    assert_eq!(word_of(&scene, "web"), "second");
    // Neither the files nor their values are needed.
    std::fs::remove_dir_all(scene.dir("one")).expect("the files go");
    scene.mainstay(&["--stack", &scene.name("one"), "rollback", "--yes"]).ok().says("rollback of");
    assert_eq!(word_of(&scene, "web"), "first");
    assert_eq!(image_of(&scene, "worker"), id_of("mainstay-test/tiny:1"));

    tagged(&scene, "mainstay-test/tiny:2", "second");
    let newest = log(&scene).remove(0);
    assert_eq!((newest["number"].as_u64(), newest["back_to"].as_u64()), (Some(3), Some(1)));
    assert_eq!((newest["serves"].as_bool(), newest["changes"][0].as_str()), (Some(true), Some("rollback to 1")));
    for phase in ["materials", "start", "proof", "clear_away"] {
        assert!(newest["phases_ms"][phase].is_u64(), "{phase}: {newest}");
    }
    let full = scene.on("one", &["releases", "2"]).ok();
    assert!(full.stdout.contains(&format!("rollback --stack {} --to 2", scene.name("one"))), "{}", full.stdout);

    // The files lead forward again.
    scene.on("one", &["up", "--yes"]).ok().says("release 3 of").says("is a rollback to 1");
    assert_eq!(word_of(&scene, "web"), "second");
    scene.on("one", &["up", "--yes"]).ok().says("nothing to do");
}

#[test]
fn a_failed_release_is_no_place_to_go_back_to() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("noback");
    stack(&scene, "[sh, -c, 'sleep 1000']");
    scene.on("one", &["up", "--yes"]).ok();
    stack(&scene, "[sh, -c, 'exit 3']");
    scene.on("one", &["up", "--yes"]).code(1);
    stack(&scene, "[sh, -c, 'sleep 2000']");
    scene.on("one", &["up", "--yes"]).ok();
    let can: Vec<bool> = log(&scene).iter().map(|one| one["can_go_back"].as_bool().expect("a flag")).collect();
    assert_eq!(can, [false, false, true]);
    scene.on("one", &["rollback", "--to", "2"]).code(2).says("it was taken back");
    scene.on("one", &["rollback", "--to", "3"]).code(2).says("it serves");
    scene.on("one", &["rollback", "--to", "9"]).code(2).says("has no release 9");
    // The one before it is the one before the failed one, and what failed keeps nothing.
    scene.on("one", &["rollback", "--yes"]).ok();
    assert_eq!(log(&scene)[0]["back_to"].as_u64(), Some(1));
    let kept = std::fs::read_dir(scene.state_dir().join("releases").join(scene.name("one"))).expect("a folder");
    assert_eq!(kept.count(), 3);
}

#[test]
fn what_a_release_declares_is_kept_sealed() {
    use std::os::unix::fs::PermissionsExt as _;
    if !require_engine() {
        return;
    }
    let scene = Scene::new("sealed");
    tagged(&scene, "mainstay-test/tiny:1", "kept-from-view-4711");
    scene.on("one", &["up", "--yes"]).ok();
    let folder = scene.state_dir().join("releases").join(scene.name("one"));
    let file = std::fs::read_dir(folder).expect("a folder").flatten().next().expect("a file").path();
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let content = std::fs::read(&file).expect("content");
    assert!(content.starts_with(b"age-encryption.org/"));
    let plain = b"kept-from-view-4711";
    for entry in walkdir(&scene.state_dir()) {
        let content = std::fs::read(&entry).unwrap_or_default();
        assert!(!content.windows(plain.len()).any(|part| part == plain), "plain in {}", entry.display());
    }
    // Without the key nothing is released that could not be gone back to.
    std::fs::remove_file(scene.state_dir().join("host.key")).expect("the key");
    tagged(&scene, "mainstay-test/tiny:1", "other");
    scene.on("one", &["up", "--yes"]).code(4).says("the key of this host is missing").says("restore-kit");
    assert_eq!(word_of(&scene, "web"), "kept-from-view-4711");
}

fn walkdir(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let each = entries.map(|entry| entry.path());
    each.flat_map(|path| if path.is_dir() { walkdir(&path) } else { vec![path] }).collect()
}

#[test]
fn a_promoted_tag_stays_until_it_is_cleared_and_goes_with_a_rollback() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("promote");
    tagged(&scene, "mainstay-test/tiny:1", "same");
    scene.on("one", &["up", "--yes"]).ok();
    scene.on("one", &["promote"]).code(2);
    scene.on("one", &["promote", "--tag", "a:b"]).code(2).says("cannot be the tag");
    scene.on("one", &["promote", "--tag", "2", "--image", "acme/web"]).code(2).says("mainstay-test/tiny:1");
    scene.on("one", &["promote", "--tag", "2", "--service", "nobody"]).code(2).says("nobody");

    scene.on("one", &["promote", "--tag", "2", "--yes"]).ok();
    let (first, second) = (id_of("mainstay-test/tiny:1"), id_of("mainstay-test/tiny:2"));
    assert_eq!((image_of(&scene, "web"), image_of(&scene, "worker")), (second.clone(), second.clone()));
    let newest = log(&scene).remove(0);
    assert_eq!(newest["promoted"]["web"], "mainstay-test/tiny:2");
    assert!(newest["changes"][0].as_str().expect("words").starts_with("promoted"), "{newest}");

    // Later orders go by it, and say so.
    scene.on("one", &["up", "--yes"]).ok().says("promoted in the place").says("nothing to do");
    scene.on("one", &["plan"]).ok().says("promoted in the place");
    tagged(&scene, "mainstay-test/tiny:1", "other");
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!((word_of(&scene, "web"), image_of(&scene, "web")), ("other".to_owned(), second.clone()));

    scene.on("one", &["rollback", "--to", "1", "--yes"]).ok();
    assert_eq!(image_of(&scene, "web"), first);
    scene.on("one", &["promote", "--tag", "2", "--service", "web", "--yes"]).ok();
    assert_eq!((image_of(&scene, "web"), image_of(&scene, "worker")), (second.clone(), first.clone()));
    scene.on("one", &["promote", "--clear", "--yes"]).ok();
    assert_eq!((image_of(&scene, "web"), image_of(&scene, "worker")), (first.clone(), first));

    // Also where it changes nothing that runs: else it would come back with the next change of the files.
    tagged(&scene, "mainstay-test/tiny:2", "other");
    scene.on("one", &["up", "--yes"]).ok();
    scene.on("one", &["promote", "--tag", "2", "--yes"]).ok();
    scene.on("one", &["promote", "--clear", "--yes"]).ok();
    assert_eq!(log(&scene)[0]["promoted"], serde_json::json!({}));
}

#[test]
fn a_tag_is_promoted_over_an_image_that_the_files_can_build() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("promotebuilt");
    let image = scene.name("app");
    let built = |number: u8| {
        scene.stack(
            "one",
            &format!(
                "
services:
  web:
    image: {image}:1
    stop_grace_period: 1s
    build: {{ context: ., dockerfile_inline: \"FROM mainstay-test/tiny:{number}\" }}
"
            ),
        )
    };
    built(1);
    scene.on("one", &["up", "--yes"]).ok();
    docker_ok(&["tag", "mainstay-test/tiny:2", &format!("{image}:2")]);
    let promoted = scene.on("one", &["promote", "--tag", "2", "--yes"]);
    let ran = image_of(&scene, "web");
    // What was promoted is not built over from what lies here.
    let up = scene.on("one", &["up", "--build", "--yes"]);
    let ran_after = image_of(&scene, "web");
    let back = scene.on("one", &["rollback", "--yes"]);
    let first = id_of(&format!("{image}:1"));
    let ran_at_last = image_of(&scene, "web");
    scene.on("one", &["down", "--yes"]).ok();
    docker(&["image", "rm", &format!("{image}:1"), &format!("{image}:2")]);
    let wanted = id_of("mainstay-test/tiny:2");
    promoted.ok();
    up.ok().says("promoted in the place");
    back.ok();
    assert_eq!((ran, ran_after, ran_at_last), (wanted.clone(), wanted, first));
}

#[test]
fn a_tag_that_was_moved_does_not_matter_to_a_rollback() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("moved");
    let tag = format!("{}:live", scene.name("moved"));
    let moves = |to: &str| docker_ok(&["tag", to, &tag]);
    moves("mainstay-test/tiny:1");
    tagged(&scene, &tag, "same");
    scene.on("one", &["up", "--yes"]).ok();
    moves("mainstay-test/tiny:2");
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(image_of(&scene, "web"), id_of("mainstay-test/tiny:2"));
    let back = scene.on("one", &["rollback", "--yes"]);
    let seen = image_of(&scene, "web");
    docker(&["image", "rm", &tag]);
    back.ok().says("gets the one that ran then");
    assert_eq!(seen, id_of("mainstay-test/tiny:1"));
}

#[test]
fn an_image_that_is_gone_is_told_before_anything_is_touched() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("gone");
    let tag = format!("{}:live", scene.name("gone"));
    // An image of its own, that can go.
    let made = scene.file("one", "Dockerfile", "FROM mainstay-test/tiny:1\nLABEL only=here\n");
    let folder = made.parent().expect("a folder").to_str().expect("text").to_owned();
    docker_ok(&["build", "--quiet", "--label", &format!("of={tag}"), "--tag", &tag, &folder]);
    tagged(&scene, &tag, "first");
    scene.on("one", &["up", "--yes"]).ok();
    tagged(&scene, "mainstay-test/tiny:2", "second");
    scene.on("one", &["up", "--yes"]).ok();
    // As `docker image prune --all` does: whatever no container uses goes, under every name.
    docker_ok(&["image", "rm", &tag]);
    for service in ["web", "worker"] {
        docker_ok(&["image", "rm", &format!("mainstay/{}/{service}:release-1", scene.name("one"))]);
    }
    scene.on("one", &["rollback", "--yes"]).code(2).says("is not there any more");
    assert_eq!(word_of(&scene, "web"), "second");
    assert_eq!(log(&scene)[1]["can_go_back"].as_bool(), Some(false));
}

#[test]
fn a_server_tells_releases_and_takes_rollbacks() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("served");
    let server = scene.serve();
    tagged(&scene, "mainstay-test/tiny:1", "first");
    scene.on("one", &["deploy", "--yes"]).ok();
    tagged(&scene, "mainstay-test/tiny:1", "second");
    scene.on("one", &["deploy", "--yes"]).ok();
    scene.on("one", &["rollback", "--yes"]).ok();
    assert_eq!(word_of(&scene, "web"), "first");
    assert_eq!(log(&scene)[0]["back_to"].as_u64(), Some(1));
    scene.on("one", &["up", "--yes"]).ok().says("is a rollback to 1");
    assert!(server.stop().success());
}
