//! `mainstay init` as a newcomer meets it; the Dockerfiles are built and run on the real engine.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use mainstay_e2e::{Scene, docker, docker_ok, eventually, require_engine};

/// A folder of the scene with these files.
fn app(scene: &Scene, files: &[(&str, &str)]) -> PathBuf {
    let folder = scene.folder().join("shop");
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        fs::write(path, text).expect("a file of the app");
    }
    folder
}

/// Builds the folder's image, runs it as it is, and gives what it answers at a path.
fn built_and_asked(scene: &Scene, folder: &std::path::Path, port: u16, path: &str) -> String {
    let name = scene.name("app");
    let built = Command::new("docker").args(["build", "--quiet", "--tag", &name]).arg(folder).output().expect("docker");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    docker_ok(&[
        "run",
        "-d",
        "--name",
        &name,
        "--read-only",
        "--tmpfs",
        "/tmp",
        "-p",
        &format!("127.0.0.1::{port}"),
        &name,
    ]);
    let published = docker_ok(&["port", &name, &format!("{port}/tcp")]);
    let url = format!("http://{}{path}", published.lines().next().expect("a port").trim());
    let answer = eventually("the app answers", Duration::from_secs(20), || {
        let asked = Command::new("curl").args(["-sf", "--max-time", "5", &url]).output().expect("curl");
        asked.status.success().then(|| String::from_utf8_lossy(&asked.stdout).into_owned())
    });
    let leaks = docker_ok(&["exec", &name, "sh", "-c", "ls -a /srv /app 2>/dev/null; id -u"]);
    assert!(!leaks.contains(".env") && !leaks.contains(".git"), "{leaks}");
    assert_ne!(leaks.lines().last().map(str::trim), Some("0"), "it runs as root");
    docker(&["rm", "-f", &name]);
    docker(&["rmi", "-f", &name]);
    answer
}

#[test]
fn a_node_app_becomes_a_stack_whose_image_runs() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("initnode");
    let server = "require('http').createServer((q, r) => r.end(q.url === '/healthz' ? 'ok' : 'hello'))
        .listen(process.env.PORT || 4500);";
    let files =
        [("package.json", r#"{"name": "shop", "main": "server.js"}"#), ("server.js", server), (".env", "KEY=secret")];
    let folder = app(&scene, &files);
    let ran =
        scene.mainstay(&["init", "./shop"]).ok().says("this is a Node.js app").says("write").says("mainstay plan");
    assert_eq!(ran.stdout, "");
    let read = scene.mainstay(&["--stack", "./shop", "config", "--quiet"]).ok();
    assert_eq!(read.stderr, "");
    assert_eq!(built_and_asked(&scene, &folder, 4500, "/healthz"), "ok");
}

#[test]
fn a_static_site_becomes_a_stack_whose_image_runs() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("initsite");
    let folder = app(&scene, &[("index.html", "<h1>hello</h1>"), (".env", "KEY=secret"), (".git/config", "")]);
    scene.mainstay(&["init", "./shop", "--no-workflows"]).ok();
    assert!(!folder.join(".github").exists());
    assert_eq!(built_and_asked(&scene, &folder, 8080, "/"), "<h1>hello</h1>");
}

#[test]
fn what_is_there_is_kept_unless_told_otherwise_and_a_dry_run_writes_nothing() {
    let scene = Scene::new("initkeep");
    let folder =
        app(&scene, &[("index.html", "<h1>hello</h1>"), (".dockerignore", "mine\n"), ("compose.yml", "mine\n")]);
    let dry = scene.mainstay(&["init", "./shop", "--dry-run"]).ok().says("`compose.yml` is there");
    assert!(
        dry.stdout.contains("--- Dockerfile\nFROM caddy:2\n") && !dry.stdout.contains("--- compose.yaml"),
        "{dry:?}"
    );
    assert!(!folder.join("Dockerfile").exists());
    scene.mainstay(&["init", "./shop"]).ok();
    let text = |name: &str| fs::read_to_string(folder.join(name)).expect("a file");
    assert_eq!(text(".dockerignore"), "mine\n");
    assert!(!folder.join("compose.yaml").exists(), "it would hide compose.yml");
    assert!(text(".github/workflows/promote.yaml").contains("mainstay promote --stack"));
    scene.mainstay(&["init", "./shop"]).ok().says("everything is there already");
    scene.mainstay(&["init", "./shop", "--force"]).ok();
    assert!(text(".dockerignore").contains(".env"));
    let json = scene.mainstay(&["--json", "init", "./shop"]).ok().json();
    // A Dockerfile that is there, also one of ours, says how the image is built.
    assert_eq!((&json["kind"], &json["files"][0]["fate"]), (&"dockerfile".into(), &"keep".into()));
    scene.mainstay(&["init", "./shop", "--kind", "static", "--force"]).ok().says("over   Dockerfile");
}

#[test]
fn a_folder_in_which_nothing_is_known_is_told_what_would_be() {
    let scene = Scene::new("initnone");
    app(&scene, &[("README.md", "")]);
    scene.mainstay(&["init", "./shop"]).code(3).says("nothing here is known").says("needs a Dockerfile");
    scene.mainstay(&["init", "./nowhere"]).code(2).says("there is no such folder");
    scene.mainstay(&["init", "./shop", "--kind", "cobol"]).code(2);
}
