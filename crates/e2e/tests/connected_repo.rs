//! `examples/connected-repo` as its README tells: a back end out of a monorepo, three replicas behind the edge.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mainstay_e2e::{Edge, Ran, Scene, Visitors, docker, docker_json, docker_ok, eventually, logs_of, require_engine};
use serde_json::{Value, json};

const HOST: &str = "api.connected-repo.localhost";
const REPLICAS: usize = 3;

/// The example as `--env prod-sim` runs it, under the scene's names, with what is built of it.
struct Example {
    scene: Scene,
    edge: Edge,
}

impl Example {
    fn new(name: &str) -> Example {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/connected-repo");
        let packages = from.join("node_modules/pg");
        assert!(packages.is_dir(), "`npm ci` in {} comes first, as in scripts/test.sh", from.display());
        let scene = Scene::new(name);
        let to = scene.stack("repo", "services: {}");
        let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(&to).status().expect("cp runs");
        assert!(copied.success());
        for (file, name) in [("compose.yaml", "connected-repo"), ("compose.prod-sim.yaml", "connected-repo-prod-sim")] {
            let file = to.join(file);
            let text = std::fs::read_to_string(&file).expect("a file of the example");
            let named = text.replace(&format!("name: {name}\n"), &format!("name: {}\n", scene.name("repo")));
            assert_ne!(text, named, "{} has a name of its own", file.display());
            std::fs::write(file, named).expect("the same under the scene's name");
        }
        Example { edge: scene.edge(), scene }
    }

    fn folder(&self) -> PathBuf {
        self.scene.dir("repo")
    }

    /// A release with another tag; `more` are lines for the environment's variables.
    fn release(&self, tag: &str, more: &str) -> Ran {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/connected-repo/.env.prod-sim");
        let variables = std::fs::read_to_string(example).expect("the variables of the example");
        let image = self.scene.name("backend");
        std::fs::write(self.folder().join(".env.prod-sim"), format!("{variables}IMAGE={image}\nTAG={tag}\n{more}"))
            .expect("the variables");
        self.scene.on("repo", &["--env", "prod-sim", "up", "--yes"])
    }

    fn replicas(&self) -> Vec<String> {
        (1..=REPLICAS).map(|number| format!("{}-backend-{number}", self.scene.name("repo"))).collect()
    }

    fn curl(&self, args: &[&str], path: &str) -> String {
        let url = format!("https://{HOST}:{}{path}", self.edge.https);
        let output = Edge::curl(HOST, self.edge.https).args(args).arg(url).output().expect("curl runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until only this release answers.
    #[track_caller]
    fn serves_release(&self, release: &str) {
        eventually(&format!("release {release} serves"), Duration::from_secs(20), || {
            self.curl(&[], "/version").contains(&format!(r#""release":"{release}""#)).then_some(())
        });
    }

    fn psql(&self, query: &str) -> String {
        let db = self.scene.container("repo", "db");
        docker_ok(&["exec", &db, "psql", "-U", "backend", "-d", "backend", "-tAc", query]).trim().to_owned()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // The images go with what was made of them.
        for container in self.scene.containers("repo") {
            docker(&["rm", "--force", "--volumes", &container]);
        }
        let images = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", &self.scene.name("backend")];
        for image in docker_ok(&images).lines() {
            docker(&["image", "rm", image]);
        }
    }
}

/// How many of these containers said it.
fn said(containers: &[String], text: &str) -> usize {
    containers.iter().filter(|container| logs_of(container).contains(text)).count()
}

#[test]
fn replicas_roll_one_at_a_time_without_a_lost_request() {
    if !require_engine() {
        return;
    }
    let example = Example::new("rolling");
    example.release("1", "RATE_LIMIT=1000000\n").ok();
    example.serves_release("1");
    let visitors = Visitors::come(&example.edge, HOST, "/", "Backend is live.");
    let up = example.release("2", "RATE_LIMIT=1000000\n").ok();
    example.serves_release("2");
    visitors.leave().all_answered();
    let names = example.replicas();
    let told = names.iter().flat_map(|name| ["start container", "probe"].map(|word| format!("✔ {word} `{name}.next`")));
    let places: Vec<Option<usize>> = told.map(|line| up.stderr.find(&line)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "one after the other: {places:?}\n{}", up.stderr);
    assert_eq!(said(&example.replicas(), "Release 2 listens"), REPLICAS);
}

#[test]
fn one_replica_migrates_and_a_session_is_known_to_all() {
    if !require_engine() {
        return;
    }
    let example = Example::new("sessions");
    example.release("1", "").ok();
    let replicas = example.replicas();
    assert_eq!(said(&replicas, "Applied 2 migration(s): 0001_sessions.sql, 0002_notes.sql"), 1, "one applies");
    assert_eq!(said(&replicas, "Database is up to date"), REPLICAS - 1, "and the others find nothing to do");

    let jar = example.scene.folder().join("cookies");
    let jar = jar.to_str().expect("a temporary path is text");
    let browser = ["--cookie", jar, "--cookie-jar", jar];
    let posts = ["--cookie", jar, "--cookie-jar", jar, "--request", "POST", "--data"];
    example.curl(&[&posts[..], &[""]].concat(), "/session");
    example.curl(&[&posts[..], &[r#"{"text":"kept by one, read by all"}"#]].concat(), "/notes");
    let mut seen = BTreeSet::new();
    eventually("each replica has answered for the session", Duration::from_secs(20), || {
        let answer: Value = serde_json::from_str(&example.curl(&browser, "/session")).expect("JSON");
        seen.insert(answer["replica"].as_str().unwrap_or_else(|| panic!("a session: {answer}")).to_owned());
        assert!(example.curl(&browser, "/notes").contains("kept by one, read by all"));
        (seen.len() == REPLICAS).then_some(())
    });
}

#[test]
fn the_containers_are_as_the_scenario_wants_them() {
    if !require_engine() {
        return;
    }
    let example = Example::new("asasked");
    example.release("1", "").ok();
    for replica in example.replicas() {
        let inspected = docker_json(&replica);
        let host = &inspected["HostConfig"];
        assert_eq!(inspected["Config"]["User"], "node");
        assert_eq!((&host["NanoCpus"], &host["Memory"]), (&json!(1_000_000_000), &json!(1 << 30)));
    }
    let ports = docker_ok(&["port", &example.scene.container("repo", "db")]);
    assert_eq!(ports, "", "the database is published nowhere");

    let head = example.curl(&["--head"], "/health").to_lowercase();
    for header in ["content-security-policy", "strict-transport-security", "x-content-type-options", "x-frame-options"]
    {
        assert!(head.contains(header), "{head}");
    }
    let health: Value = serde_json::from_str(&example.curl(&[], "/health")).expect("JSON");
    assert!(health["status"] == "ok" && health["timestamp"].is_string(), "{health}");
    assert_eq!(example.curl(&[], "/").trim(), r#"{"message":"Backend is live."}"#);
    assert!(example.curl(&["--head"], "/").contains("ratelimit-limit: 200"));
}

#[test]
fn each_replica_answers_one_address_so_often_a_minute() {
    if !require_engine() {
        return;
    }
    let (limit, count) = (20, 200);
    let example = Example::new("limit");
    example.release("1", &format!("RATE_LIMIT={limit}\n")).ok();
    let statuses = example.curl(&["--output", "/dev/null", "--write-out", "%{http_code}\n"], &format!("/?[1-{count}]"));
    let of = |status: &str| statuses.lines().filter(|line| *line == status).count();
    assert_eq!(of("200") + of("429"), count, "{statuses}");
    // The checks of the release have asked a few times already.
    assert!((limit..=REPLICAS * limit).contains(&of("200")), "{statuses}");
}

#[test]
fn a_migration_that_cannot_work_leaves_the_site_up_and_says_why() {
    if !require_engine() {
        return;
    }
    let example = Example::new("migration");
    example.release("1", "RATE_LIMIT=1000000\n").ok();
    example.serves_release("1");
    example.psql("CREATE TABLE tags (name text)");
    example.scene.file("repo", "apps/backend/migrations/0003_tags.sql", "CREATE TABLE tags (name text PRIMARY KEY);\n");
    let visitors = Visitors::come(&example.edge, HOST, "/", "Backend is live.");
    let up = example.release("2", "RATE_LIMIT=1000000\n").code(1);
    visitors.leave().all_answered();
    let up = up.says("0003_tags.sql makes something that is there already").says("was taken back");
    assert!(!up.stderr.contains("mainstay logs"), "the container that said it is gone:\n{}", up.stderr);
    let report = up.stderr.lines().skip_while(|line| !line.starts_with('✘'));
    assert!(report.count() < 24, "it fits one screen:\n{}", up.stderr);
    example.serves_release("1");
    assert_eq!(example.psql("SELECT count(*) FROM schema_migrations"), "2", "the failed one is not recorded");

    example.psql("DROP TABLE tags");
    example.release("2", "RATE_LIMIT=1000000\n").ok();
    example.serves_release("2");
    assert_eq!(example.psql("SELECT count(*) FROM schema_migrations"), "3");
}

#[test]
fn what_production_lacks_is_told_before_anything_is_made() {
    if !require_engine() {
        return;
    }
    let example = Example::new("lacking");
    let variables = std::fs::read_to_string(example.folder().join(".env.example")).expect("the template");
    example.scene.file("repo", ".env", &variables);
    let up = example.scene.on("repo", &["up", "--yes"]).code(3);
    up.says("GOOGLE_CLIENT_ID").says("GOOGLE_CLIENT_SECRET").says("mainstay secret set");
    assert_eq!(example.scene.containers("repo"), [""; 0]);
}
