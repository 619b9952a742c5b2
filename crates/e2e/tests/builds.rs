//! Builds: secrets that leave no trace, repositories as contexts, a Ctrl-C that ends everything, and failures that say
//! what to change.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mainstay_e2e::{Ran, Scene, docker, docker_ok, eventually, inside, require_engine};
use serde_json::Value;

/// Removes the images that a test built, also those that lost their name to the next build.
struct Images {
    stack: String,
    /// What `web` is built to.
    made: String,
}

impl Images {
    fn of(scene: &Scene) -> Images {
        Images { stack: scene.name("one"), made: format!("{}:1", scene.name("made")) }
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        let label = format!("label=com.docker.compose.project={}", self.stack);
        for image in docker_ok(&["image", "ls", "--all", "--quiet", "--filter", &label]).split_whitespace() {
            docker(&["rmi", "--force", image]);
        }
    }
}

/// A scene whose one service `web` is built to `<scene>-made:1`.
fn scene_of(name: &str, build: &str) -> (Images, Scene) {
    let scene = Scene::new(name);
    let compose = format!(
        "services:\n  web:\n    image: '{{stack:made}}:1'\n    stop_grace_period: 1s\n    build:\n{}",
        build.lines().map(|line| format!("      {line}\n")).collect::<String>()
    );
    scene.stack("one", &compose);
    with_images(scene)
}

/// The images go after the scene, whose containers hold them.
fn with_images(scene: Scene) -> (Images, Scene) {
    (Images::of(&scene), scene)
}

fn web_says(scene: &Scene, script: &str) -> String {
    inside(&scene.container("one", "web"), script)
}

fn git(folder: &Path, args: &[&str]) -> String {
    let identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"];
    let ran = Command::new("git").arg("-C").arg(folder).args(identity).args(args).output().expect("git");
    assert!(ran.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).trim().to_owned()
}

/// A repository with two branches: `main`, and `next` with an application in a subfolder.
fn repository(scene: &Scene) -> PathBuf {
    let folder = scene.folder().join("served/shop.git");
    let work = scene.folder().join("work");
    std::fs::create_dir_all(work.join("apps/web")).expect("a folder");
    std::fs::create_dir_all(&folder).expect("a folder");
    git(&folder, &["init", "--quiet", "--bare"]);
    git(&work, &["init", "--quiet"]);
    std::fs::write(work.join("Dockerfile"), "FROM mainstay-test/tiny:1\nCOPY word /word\n").expect("a file");
    std::fs::write(work.join("word"), "main").expect("a file");
    git(&work, &["add", "."]);
    git(&work, &["commit", "--quiet", "-m", "one"]);
    git(&work, &["checkout", "--quiet", "-b", "next"]);
    std::fs::write(work.join("apps/web/Dockerfile"), "FROM mainstay-test/tiny:1\nCOPY . /app\n").expect("a file");
    std::fs::write(work.join("apps/web/word"), "next").expect("a file");
    git(&work, &["add", "."]);
    git(&work, &["commit", "--quiet", "-m", "two"]);
    let into = folder.to_str().expect("a path");
    git(&work, &["push", "--quiet", into, "main", "next"]);
    folder
}

/// `git daemon` over a folder, until it is dropped.
struct Daemon {
    child: Child,
    port: u16,
}

impl Daemon {
    fn over(folder: &Path) -> Daemon {
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let child = Command::new("git")
            .args(["daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1", &format!("--port={port}")])
            .arg(format!("--base-path={}", folder.display()))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("git daemon");
        eventually("git daemon listens", Duration::from_secs(10), || TcpStream::connect(("127.0.0.1", port)).ok());
        Daemon { child, port }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It serves by a child of its own, which ends when its parent's port is closed.
        let _ = Command::new("pkill").args(["-P", &self.child.id().to_string()]).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Git over HTTP for who knows the login; gives the port.
fn private_server(folder: PathBuf, authorization: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            std::thread::spawn(move || serve_git(stream, &folder, authorization));
        }
    });
    port
}

/// One request by way of `git http-backend`.
fn serve_git(mut stream: TcpStream, folder: &Path, authorization: &str) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let (mut length, mut kind, mut allowed, mut protocol) = (0, String::new(), false, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "content-type" => kind = value.to_owned(),
            "git-protocol" => protocol = value.to_owned(),
            "authorization" => allowed = value == authorization,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if !allowed {
        let refusal = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return stream.write_all(refusal.as_bytes()).ok();
    }
    let mut words = first.split_whitespace();
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut backend = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", kind)
        .env("CONTENT_LENGTH", length.to_string())
        .env("GIT_PROTOCOL", protocol)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    backend.stdin.take()?.write_all(&body).ok()?;
    let answer = backend.wait_with_output().ok()?.stdout;
    stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n").ok()?;
    stream.write_all(&answer).ok()
}

/// The processes of this machine whose command line holds a text: what a build runs is among them.
fn processes_with(text: &str) -> Vec<String> {
    let ran = Command::new("pgrep").args(["-f", "-a", text]).output().expect("pgrep");
    String::from_utf8_lossy(&ran.stdout).lines().map(str::to_owned).collect()
}

fn everything_said(scene: &Scene, ran: &Ran) -> String {
    let history = scene.mainstay(&["history", "--json", "--steps"]);
    format!("{}{}{}", ran.stdout, ran.stderr, history.stdout)
}

#[test]
fn a_secret_is_there_for_its_instruction_and_nowhere_else() {
    if !require_engine() {
        return;
    }
    let (images, scene) = scene_of(
        "bsecret",
        "context: .
no_cache: true
secrets: [token, { source: key, target: signing }]
dockerfile_inline: |
  FROM mainstay-test/tiny:1
  RUN --mount=type=secret,id=token --mount=type=secret,id=signing \\
      cat /run/secrets/token /run/secrets/signing | wc -c > /length && echo \"with $$(cat /run/secrets/token)\"
",
    );
    let (token, key) = ("t0ken-of-the-test-8841", "k3y-of-the-test-5512\nsecond-line-of-the-key\n");
    let compose = scene.dir("one").join("compose.yaml");
    let text = std::fs::read_to_string(&compose).expect("the file");
    let secrets = "secrets:\n  token: { environment: BUILD_TOKEN }\n  key: { file: ./signing.key }\n";
    std::fs::write(&compose, text + secrets).expect("the file");
    scene.file("one", "signing.key", key);
    scene.file("one", ".env", &format!("BUILD_TOKEN={token}\n"));
    let up = scene.on("one", &["up", "--json"]).ok();
    assert_eq!(web_says(&scene, "cat /length"), (token.len() + key.len()).to_string());
    assert_eq!(
        web_says(&scene, "ls -A /run/secrets 2>/dev/null || true"),
        "",
        "the mount leaves at most an empty place"
    );
    assert!(up.stdout.contains("part_said") && up.stdout.contains("with [redacted]"), "{}", up.stdout);
    let history = docker_ok(&["image", "history", "--no-trunc", &images.made]);
    let archive = scene.folder().join("image.tar");
    docker_ok(&["image", "save", "--output", archive.to_str().expect("a path"), &images.made]);
    let archive = std::fs::read(archive).expect("the image");
    let said = everything_said(&scene, &up);
    for secret in [token, "k3y-of-the-test-5512", "second-line-of-the-key"] {
        assert!(!said.contains(secret) && !history.contains(secret), "{secret} is told: {said}");
        assert!(!archive.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret} is in the image");
    }
    scene.on("one", &["down"]).ok();
}

#[test]
fn a_cache_mount_keeps_what_the_last_build_left() {
    if !require_engine() {
        return;
    }
    let (_images, scene) = scene_of(
        "bcache",
        "context: .
args: { ROUND: '1' }
dockerfile_inline: |
  FROM mainstay-test/tiny:1
  ARG ROUND
  RUN --mount=type=cache,id={stack:cache},target=/cache echo $$ROUND >> /cache/rounds && cp /cache/rounds /rounds
",
    );
    scene.on("one", &["up"]).ok();
    let compose = scene.dir("one").join("compose.yaml");
    let text = std::fs::read_to_string(&compose).expect("the file");
    std::fs::write(&compose, text.replace("ROUND: '1'", "ROUND: '2'")).expect("the file");
    scene.on("one", &["up", "--build", "--yes"]).ok();
    assert_eq!(web_says(&scene, "cat /rounds"), "1\n2");
    scene.on("one", &["down"]).ok();
}

#[test]
fn a_branch_and_a_subfolder_of_a_repository_are_a_context() {
    if !require_engine() {
        return;
    }
    let (_images, scene) = scene_of("bgit", "context: git://127.0.0.1:PORT/shop.git#next:apps/web\n");
    repository(&scene);
    let daemon = Daemon::over(&scene.folder().join("served"));
    let compose = scene.dir("one").join("compose.yaml");
    let text = std::fs::read_to_string(&compose).expect("the file").replace("PORT", &daemon.port.to_string());
    std::fs::write(&compose, &text).expect("the file");
    let commit = git(&scene.folder().join("work"), &["rev-parse", "next"]);
    scene.on("one", &["up"]).ok().says(&format!("of commit {}", &commit[..12]));
    assert_eq!(
        web_says(&scene, "cat /app/word; ls -A /app"),
        "nextDockerfile\nword",
        "the branch's own, without its history"
    );

    // The same with the Dockerfile in the Compose file, and a commit in place of a branch.
    let first = git(&scene.folder().join("work"), &["rev-parse", "main"]);
    let inline =
        format!("#{first}\n      dockerfile_inline: |\n        FROM mainstay-test/tiny:1\n        COPY word /inline\n");
    std::fs::write(&compose, text.replace("#next:apps/web\n", &inline)).expect("the file");
    scene.on("one", &["up", "--build", "--yes"]).ok();
    assert_eq!(web_says(&scene, "cat /inline"), "main");

    std::fs::write(&compose, text.replace("#next:apps/web", "#nowhere")).expect("the file");
    let failed = scene.on("one", &["up", "--build", "--yes"]).code(1);
    failed.says("shop.git#nowhere` could not be fetched").says("there is no such branch, tag or commit");
    scene.on("one", &["down"]).ok();
}

#[test]
fn the_login_in_a_repositorys_url_opens_it_and_is_never_told() {
    if !require_engine() {
        return;
    }
    let (_images, scene) = scene_of("blogin", "context: ${REPOSITORY}\n");
    repository(&scene);
    // deploy:pa55-of-the-test
    let port = private_server(scene.folder().join("served"), "Basic ZGVwbG95OnBhNTUtb2YtdGhlLXRlc3Q=");
    scene.file("one", ".env", &format!("REPOSITORY=http://deploy:pa55-of-the-test@127.0.0.1:{port}/shop.git#main\n"));
    let up = scene.on("one", &["up", "--json"]).ok();
    assert_eq!(web_says(&scene, "cat /word"), "main");
    scene.file("one", ".env", &format!("REPOSITORY=http://deploy:wr0ng-of-the-test@127.0.0.1:{port}/shop.git#main\n"));
    let refused = scene.on("one", &["up", "--build", "--yes", "--json"]).code(1);
    let said = everything_said(&scene, &up) + &refused.stdout + &refused.stderr;
    assert!(said.contains("may not read it"), "{said}");
    for secret in ["pa55-of-the-test", "wr0ng-of-the-test", "ZGVwbG95OnBhNTUtb2YtdGhlLXRlc3Q"] {
        assert!(!said.contains(secret), "{secret} is told: {said}");
    }
    scene.on("one", &["down"]).ok();
}

#[test]
fn ctrl_c_ends_what_the_build_runs() {
    if !require_engine() {
        return;
    }
    for (builder, more) in [("buildkit", ""), ("classic", "shm_size: 64m\n")] {
        let seconds = format!("97{}", std::process::id());
        let build =
            format!("context: .\n{more}dockerfile_inline: |\n  FROM mainstay-test/tiny:1\n  RUN sleep {seconds}\n");
        let (images, scene) = scene_of("bcancel", &build);
        let up = scene.start("one", &["up"]);
        eventually("the build sleeps", Duration::from_secs(30), || {
            processes_with(&format!("sleep {seconds}")).iter().any(|line| line.contains("sleep")).then_some(())
        });
        up.interrupt();
        up.ends(Duration::from_secs(20)).code(130).says("was cancelled");
        eventually(&format!("{builder}: nothing runs any more"), Duration::from_secs(10), || {
            processes_with(&format!("sleep {seconds}")).is_empty().then_some(())
        });
        eventually(&format!("{builder}: no container is left"), Duration::from_secs(10), || {
            let all = docker_ok(&["ps", "--all", "--no-trunc", "--format", "{{.Command}}"]);
            (!all.contains(&seconds)).then_some(())
        });
        assert_eq!(docker_ok(&["image", "ls", "--quiet", &images.made]), "", "{builder}: no image has the name");
        assert_eq!(scene.containers("one"), Vec::<String>::new(), "{builder}");
    }
}

#[test]
fn a_context_that_is_too_small_is_told_with_the_one_that_fits() {
    if !require_engine() {
        return;
    }
    let (_images, scene) = with_images(Scene::new("bcontext"));
    let compose =
        "services:\n  backend:\n    build: apps/backend\n    image: '{stack:made}:1'\n    stop_grace_period: 1s\n";
    let folder = scene.stack("one", compose);
    git(&folder, &["init", "--quiet"]);
    scene.file("one", "packages/shared/index.js", "shared");
    scene.file("one", "apps/backend/package.json", "{}");
    scene.file(
        "one",
        "apps/backend/Dockerfile",
        "FROM mainstay-test/tiny:1\nCOPY package.json /app/\nCOPY ../packages /packages\n",
    );
    let failed = scene.on("one", &["up"]).code(1);
    let hint = "the context is `apps/backend`, and the Dockerfile copies `../packages` (line 3): it exists in the \
                repository's root: set `context: .` and `dockerfile: apps/backend/Dockerfile`, and copy `packages`";
    assert!(one_line(&failed.stderr).contains(hint), "{}", failed.stderr);
    assert!(one_line(&failed.stderr).contains("line 3 of `Dockerfile`"), "{}", failed.stderr);

    // What was said is what works.
    let right = compose.replace("build: apps/backend", "build: { context: ., dockerfile: apps/backend/Dockerfile }");
    scene.stack("one", &right);
    scene.file(
        "one",
        "apps/backend/Dockerfile",
        "FROM mainstay-test/tiny:1\nCOPY apps/backend/package.json /app/\nCOPY packages /packages\n",
    );
    scene.file("one", ".dockerignore", "# not for images\n**/node_modules\npackages/shared\n");
    scene.on("one", &["up"]).ok();
    assert_eq!(inside(&scene.container("one", "backend"), "ls -A /packages"), "");

    scene.file("one", "apps/backend/Dockerfile", "FROM mainstay-test/tiny:1\nCOPY packages/shared /packages/shared\n");
    let failed = scene.on("one", &["up", "--build", "--yes"]).code(1);
    let hint = "it is there, and excluded by line 3 of .dockerignore (`packages/shared`)";
    assert!(one_line(&failed.stderr).contains(hint), "{}", failed.stderr);
    scene.on("one", &["down"]).ok();
}

/// What was wrapped for a terminal, as it was said.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_failed_instruction_is_told_with_its_line_and_its_last_words() {
    if !require_engine() {
        return;
    }
    let (_images, scene) = scene_of("bfails", "context: .\ndockerfile: docker/web.Dockerfile\n");
    scene.file(
        "one",
        "docker/web.Dockerfile",
        "FROM mainstay-test/tiny:1 AS build\nENV A=1\n\n# the tests\nRUN for i in $(seq 1 30); do echo \"test $i\"; done; \\\n    echo 'one is wrong' >&2; exit 3\nFROM build\n",
    );
    let failed = scene.on("one", &["up"]).code(1);
    let said = one_line(&failed.stderr);
    assert!(said.contains("line 5 of `docker/web.Dockerfile`"), "{}", failed.stderr);
    assert!(said.contains("exit code: 3") && said.contains("one is wrong"), "{}", failed.stderr);
    let report = failed.stderr.rsplit_once("last lines").expect("the last lines").1;
    assert!(report.contains("test 30") && report.contains("one is wrong"), "{report}");
    assert!(!report.contains("test 9\n"), "the last lines alone: {report}");
    assert_eq!(scene.containers("one"), Vec::<String>::new());
}

#[test]
fn an_instruction_reaches_the_ssh_agent_that_it_mounts() {
    if !require_engine() {
        return;
    }
    let (_images, scene) = scene_of(
        "bssh",
        "context: .
no_cache: true
ssh: [ 'deploy={folder}/agent.sock' ]
dockerfile_inline: |
  FROM mainstay-test/tiny:1
  RUN --mount=type=ssh,id=deploy,target=/agent test -S /agent && echo an agent is there > /said
  RUN test ! -e /agent
",
    );
    let compose = scene.dir("one").join("compose.yaml");
    let text = std::fs::read_to_string(&compose).expect("the file");
    std::fs::write(&compose, text.replace("{folder}", &scene.dir("one").display().to_string())).expect("the file");
    let refused = scene.on("one", &["up"]).code(1);
    refused.says("agent.sock` is not there").says("ssh-agent -a");
    let _agent = std::os::unix::net::UnixListener::bind(scene.dir("one").join("agent.sock")).expect("a socket");
    scene.on("one", &["up"]).ok();
    assert_eq!(web_says(&scene, "cat /said"), "an agent is there");
    scene.on("one", &["down"]).ok();
}

#[test]
fn a_language_that_cannot_be_fetched_does_not_keep_from_building() {
    if !require_engine() {
        return;
    }
    let (_images, scene) = scene_of("bsyntax", "context: .\n");
    // No registry has this release, and none is asked where there is no way to one.
    scene.file(
        "one",
        "Dockerfile",
        "# syntax=docker/dockerfile:1.999.0-none\nFROM mainstay-test/tiny:1\nRUN --mount=type=cache,target=/c echo hello > /said\n",
    );
    let up = scene.on("one", &["up"]).ok().says("the engine's own Dockerfile language is taken");
    assert!(!up.stderr.contains("failed"), "{}", up.stderr);
    assert_eq!(web_says(&scene, "cat /said"), "hello");

    // What fails then is told as itself.
    let text = "# syntax=docker/dockerfile:1.999.0-none\nFROM mainstay-test/tiny:1\nRUN exit 4\n";
    scene.file("one", "Dockerfile", text);
    let failed = scene.on("one", &["up", "--build", "--yes"]).code(1);
    failed.says("line 3 of `Dockerfile`: `RUN exit 4`").says("exit code: 4");
    scene.on("one", &["down"]).ok();
}

#[test]
fn a_build_is_told_in_events_by_its_parts() {
    if !require_engine() {
        return;
    }
    let (_images, scene) = scene_of("bevents", "context: .\n");
    scene.file("one", "Dockerfile", "FROM mainstay-test/tiny:1\nCOPY compose.yaml /c\nRUN echo hello\n");
    let up = scene.on("one", &["up", "--json"]).ok();
    let again = scene.on("one", &["up", "--build", "--yes", "--json"]).ok();
    let news = |ran: &Ran| -> Vec<Value> {
        let events = ran.stdout.lines().map(|line| serde_json::from_str(line).expect("an event a line"));
        events.filter(|event: &Value| event["event"] == "build_progress").collect()
    };
    let ended = |news: &[Value], name: &str| -> Value {
        let found = news.iter().find(|it| it["news"] == "part_ended" && it["name"] == name);
        found.unwrap_or_else(|| panic!("{name} did not end: {news:?}")).clone()
    };
    let first = news(&up);
    let run = ended(&first, "[3/3] RUN echo hello");
    assert_eq!((run["cached"].as_bool(), run["aside"].as_bool()), (Some(false), Some(false)));
    let said = first.iter().find(|it| it["news"] == "part_said").expect("a line");
    assert_eq!((said["line"].as_str(), &said["part"]), (Some("hello"), &run["part"]));
    assert_eq!(ended(&news(&again), "[3/3] RUN echo hello")["cached"], true);
    scene.on("one", &["down"]).ok();
}

#[test]
fn a_build_on_a_network_goes_by_the_classic_builder() {
    if !require_engine() {
        return;
    }
    let (_images, scene) = scene_of(
        "bnetwork",
        "context: .
network: {stack:net}
dockerfile_inline: |
  FROM mainstay-test/tiny:1
  RUN wget -q -O /answer http://neighbour:8080/health
",
    );
    let network = scene.foreign_network("net");
    let neighbour = scene.name("neighbour");
    let run = ["run", "--detach", "--name", &neighbour, "--network", &network, "--network-alias", "neighbour"];
    docker_ok(&[&run[..], &["mainstay-test/tiny:1"]].concat());
    scene.on("one", &["up"]).ok();
    assert_eq!(web_says(&scene, "cat /answer"), "ok");
    scene.on("one", &["down"]).ok();
}
