//! What was released is remembered, with what became of it.

use mainstay_e2e::{Scene, require_engine};

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
    let table = scene.on("one", &["releases"]).ok();
    assert!(table.stdout.contains("taken back") && table.stdout.contains("serves"), "{}", table.stdout);
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
