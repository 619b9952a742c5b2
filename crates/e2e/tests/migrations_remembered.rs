//! What `db migrate` does stands in the history: by the server where one runs, else in the folder where one is kept.

use std::time::Duration;

use mainstay_e2e::{Ran, Scene, docker_ok, eventually, require_engine};
use serde_json::Value;

/// A stack with a database that is up, and a folder `sql`.
fn stack(name: &str) -> Scene {
    let scene = Scene::new(name);
    scene.stack(
        "one",
        "services:
  db:
    image: postgres:15
    command: [-c, fsync=off]
    environment: { POSTGRES_PASSWORD: it is a secret, POSTGRES_DB: crm }
    stop_grace_period: 2s
    healthcheck: { test: [CMD, pg_isready, -h, 127.0.0.1, -U, postgres], interval: 500ms, retries: 60 }
x-mainstay:
  databases:
    crm: { service: db, migrations: { dir: ./sql } }
",
    );
    scene.file("one", ".env.dev", "");
    scene.file("one", "sql/1.sql", "create table a (id int);");
    scene.on("one", &["up", "--yes"]).ok();
    scene
}

const APPLY: &[&str] = &["db", "migrate", "apply", "--env", "dev"];

/// The lines of history about migrations, oldest first.
fn told(scene: &Scene) -> Vec<Value> {
    let is_one = |entry: &Value| entry["summary"].as_str().is_some_and(|words| words.starts_with("`db migrate"));
    scene.history_of("operation").into_iter().filter(is_one).collect()
}

fn summaries(scene: &Scene) -> Vec<String> {
    told(scene).iter().map(|entry| entry["summary"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn who_applied_which_files_and_what_became_of_it_is_in_the_history() {
    if !require_engine() {
        return;
    }
    let scene = stack("remembered");
    scene.file("one", "sql/2.sql", "create table b (id int);");
    scene.on("one", &[APPLY, &["--dry-run"]].concat()).ok();
    assert_eq!(told(&scene), Vec::<Value>::new(), "nothing was done");
    scene.on("one", APPLY).ok();
    let entries = told(&scene);
    let words = summaries(&scene);
    assert_eq!(words[0], "`db migrate apply` of `crm` began: `1.sql`, `2.sql`");
    assert!(words[1].starts_with("`db migrate apply` of `crm`: applied `1.sql`, `2.sql` ("), "{words:?}");
    let last = &entries[1];
    assert_eq!((last["stack"].as_str(), last["subject"].as_str()), (Some(&*scene.name("one")), Some("crm")));
    let evidence = &last["evidence"];
    assert_eq!(evidence["verdict"], "done");
    assert_eq!(evidence["done"], serde_json::json!(["1.sql", "2.sql"]));
    assert!(evidence["took_ms"].is_u64() && evidence["actor"].as_str().is_some_and(|actor| actor.contains("by ")));
    assert!(!last.to_string().contains("it is a secret"));
    assert_eq!(entries[0]["operation"], last["operation"]);
    scene.on("one", &["history", "--service", "db"]).ok().prints("applied `1.sql`, `2.sql`");

    scene.file("one", "sql/3.sql", "create table c (id int);");
    scene.file("one", "sql/4.sql", "select oops;");
    scene.on("one", APPLY).code(1);
    let words = summaries(&scene).pop().expect("a line");
    assert!(words.contains("failed: 4.sql:1:8: column \"oops\" does not exist; applied `3.sql` ("), "{words}");

    scene.file("one", "sql/4.sql", "create table d (id int);");
    scene.on("one", &["db", "migrate", "adopt", "4.sql"]).ok();
    scene.file("one", "sql/1.sql", "create table a (id int); -- mended");
    scene.on("one", &["db", "migrate", "accept", "1.sql", "--reason", "a comment"]).ok();
    let words = summaries(&scene);
    assert!(words.iter().any(|one| one.contains("`db migrate adopt` of `crm`: adopted `4.sql`")), "{words:?}");
    assert!(words.iter().any(|one| one.contains("`db migrate accept` of `crm`: accepted `1.sql`")), "{words:?}");
    // What is there already is nothing to tell.
    scene.on("one", &["db", "migrate", "adopt", "4.sql"]).ok();
    assert_eq!(summaries(&scene).len(), words.len());
}

#[test]
fn a_server_that_holds_the_folder_writes_it_down() {
    if !require_engine() {
        return;
    }
    let scene = stack("rememberedserved");
    let server = scene.serve();
    let applied = scene.on("one", APPLY).ok();
    assert!(!applied.stderr.contains("history"), "{}", applied.stderr);
    assert_eq!(summaries(&scene).len(), 2);
    assert!(server.stop().success());
}

#[test]
fn a_run_that_is_killed_has_said_that_it_began() {
    if !require_engine() {
        return;
    }
    let scene = stack("rememberedkilled");
    scene.file("one", "sql/2.sql", "select pg_sleep(30);");
    let running = scene.start("one", APPLY);
    let sleeps = "select count(*) from pg_stat_activity where query = 'select pg_sleep(30);' and state = 'active'";
    let ask = || {
        let container = scene.container("one", "db");
        docker_ok(&["exec", &container, "psql", "-U", "postgres", "-d", "crm", "-X", "-A", "-t", "-c", sleeps])
    };
    eventually("the file runs", Duration::from_secs(30), || (ask() == "1").then_some(()));
    running.kill();
    assert_eq!(summaries(&scene), ["`db migrate apply` of `crm` began: `1.sql`, `2.sql`"]);
}

#[test]
fn a_database_of_no_stack_is_remembered_where_a_history_is_kept_and_nothing_is_made_for_it() {
    if !require_engine() {
        return;
    }
    let scene = stack("rememberedurl");
    let address = docker_ok(&[
        "inspect",
        "--format",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        &scene.container("one", "db"),
    ]);
    let dir = scene.dir("one").join("sql");
    let apply = |state_dir: &std::path::Path, ledger: &str| {
        let dir = dir.to_str().expect("text");
        let mut command = scene.command(&["db", "migrate", "adopt", "1.sql", "--dir", dir, "--ledger", ledger]);
        command.env("DATABASE_URL", format!("postgres://postgres:it%20is%20a%20secret@{address}/crm"));
        command.env("MAINSTAY_STATE_DIR", state_dir);
        Ran::of(command).ok()
    };
    let elsewhere = scene.folder().join("no-state");
    let quiet = apply(&elsewhere, "first");
    assert!(!quiet.stderr.contains("history"), "{}", quiet.stderr);
    assert!(!elsewhere.exists(), "a folder was made");
    apply(&scene.state_dir(), "second");
    let all = scene.history(&[]);
    let words = format!("`db migrate adopt` of `crm` at {address}:5432: adopted `1.sql`");
    let found = all.iter().find(|entry| entry["summary"].as_str().is_some_and(|one| one.starts_with(&words)));
    assert!(found.is_some_and(|entry| entry["stack"].is_null()), "{all:#?}");
}
