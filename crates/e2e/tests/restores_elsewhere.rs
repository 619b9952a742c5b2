//! Restores of a server that is no service of the stack, and restores that are killed in the moment of the swap.

use std::time::Duration;

use mainstay_e2e::{Ran, Scene, docker_ok, eventually, require_engine};

const DB: &str = "services:
  db:
    image: postgres:15
    environment: { POSTGRES_PASSWORD: it is a secret, POSTGRES_DB: crm }
    network_mode: bridge
    stop_grace_period: 2s
    healthcheck:
      test: [CMD, pg_isready, -h, 127.0.0.1, -U, postgres]
      interval: 500ms
      retries: 60
";

const ROWS: &str = "create table guests (id int primary key, name text); create table more (id int references guests);
    insert into guests select n, 'guest ' || n from generate_series(1, 100) n; insert into more select 7";

/// In the database container of the stack.
fn of(scene: &Scene, stack: &str, database: &str, query: &str) -> String {
    let container = scene.container(stack, "db");
    let psql = ["exec", &container, "psql", "-U", "postgres", "-d", database, "-XAtq", "-v", "ON_ERROR_STOP=1"];
    docker_ok(&[psql.as_slice(), &["-c", query]].concat())
}

fn db(scene: &Scene, args: &[&str]) -> Ran {
    scene.on("one", &[&["db"], args, &["--env", "dev", "--yes"]].concat())
}

fn kit(scene: &Scene) {
    scene.file("one", ".env.dev", "");
    scene.mainstay(&["secret", "recovery-key", scene.folder().join("recovery.txt").to_str().expect("text")]).ok();
}

#[test]
fn a_database_by_its_url_is_drilled_restored_and_swapped() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("byurl");
    scene.stack("two", DB);
    scene.on("two", &["up", "--yes"]).ok();
    let address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let address = docker_ok(&["inspect", "--format", address, &scene.container("two", "db")]);
    scene.stack(
        "one",
        &format!(
            "services:
  web: {{ image: 'mainstay-test/tiny:1' }}
x-mainstay:
  databases:
    crm: {{ url: 'postgres://postgres:it%20is%20a%20secret@{address}:5432/crm', backup: {{ to: ./backups }} }}
"
        ),
    );
    kit(&scene);
    let crm = |query: &str| of(&scene, "two", "crm", query);
    crm(ROWS);
    db(&scene, &["backup"]).ok();
    db(&scene, &["drill"]).ok().says("is proven");

    crm("delete from more; delete from guests where id > 50");
    db(&scene, &["restore", "--table", "guests"]).ok().says("restored from backup");
    assert_eq!(crm("select count(*), (select count(*) from more) from guests"), "100|0");
    crm("drop table guests cascade");
    let done = db(&scene, &["restore"]).ok().says("is kept as `crm_before_restore_");
    assert!(!done.stderr.contains("it is a secret"));
    assert_eq!(crm("select count(*), (select count(*) from more) from guests"), "100|1");
    // In place, with a table that the backup has not.
    crm("create table extra (id int); delete from more");
    db(&scene, &["restore", "--in-place", "--in-place"])
        .code(1)
        .says("the database is overwritten with the backup, and is not what was backed up")
        .says("extra");
    assert_eq!(crm("select count(*) from more"), "1", "it is");
    db(&scene, &["restore", "--back"]).ok().says("is `crm` again");
    assert_eq!(crm("select to_regclass('guests')"), "");
    let lent = docker_ok(&[
        "ps",
        "--all",
        "--quiet",
        "--filter",
        &format!("label=dev.mainstay.tools=backup crm of {} (dev)", scene.name("one")),
    ]);
    assert_eq!(lent, "", "what was lent is given back");
}

#[test]
fn a_restore_killed_at_the_swap_is_done_or_not_done_and_the_next_one_goes_on() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("killedswap");
    let declared = "x-mainstay:\n  databases:\n    crm: { service: db, backup: { to: ./backups } }\n";
    scene.stack("one", &format!("{DB}{declared}"));
    kit(&scene);
    scene.on("one", &["up", "--yes"]).ok();
    let (container, crm) = (scene.container("one", "db"), |query: &str| of(&scene, "one", "crm", query));
    let server = |query: &str| of(&scene, "one", "postgres", query);
    let aside = |database: &str, query: &str| {
        docker_ok(&["exec", "--detach", &container, "psql", "-U", "postgres", "-d", database, "-c", query]);
    };
    let restoring = || {
        let args = ["db", "restore", "--env", "dev", "--yes", "--no-backup", "--wait", "5m"];
        scene.start("one", &args)
    };
    let until = |what: &str, query: &str| {
        eventually(what, Duration::from_secs(90), || (server(query) == "t").then_some(()));
    };
    let names = "select string_agg(datname, ' ' order by datname) from pg_database where datname like 'crm%'";
    let of_ours = "from pg_stat_activity where application_name = 'mainstay db restore' and query like";
    let end_of = "select count(pg_terminate_backend(pid)) from pg_stat_activity where query like";
    crm(ROWS);
    db(&scene, &["backup"]).ok();
    crm("delete from guests where id > 50");

    // Before it: a transaction is waited for.
    aside("crm", "begin; select pg_sleep(600)");
    let running = restoring();
    until("it waits", &format!("select count(*) > 0 {of_ours} 'SELECT count(*) FROM pg_stat_activity%'"));
    running.kill();
    assert_eq!(crm("select count(*) from guests"), "50");
    let swapped = server(names);
    assert!(swapped.starts_with("crm crm_restored_"), "{swapped}");
    server(&format!("{end_of} 'begin; select pg_sleep(600)'"));

    // Between the two renames: the second one has to wait.
    let running = restoring();
    let new = "select datname from pg_database where datname like 'crm_restored%' and shobj_description(oid, 'pg_database') is not null";
    let new = eventually("the new one is there", Duration::from_secs(90), || {
        let name = server(new);
        // What the killed one left goes first.
        (!name.is_empty() && !swapped.ends_with(&name)).then_some(name)
    });
    aside("postgres", &format!("begin; comment on database {new} is 'held'; select pg_sleep(601)"));
    until(
        "it renames",
        &format!("select count(*) > 0 {of_ours} 'BEGIN; ALTER DATABASE%' and wait_event_type = 'Lock'"),
    );
    running.kill();
    assert_eq!(server(names), format!("crm {new}"), "neither of them is seen");
    server(&format!("{end_of} 'begin; comment%'"));
    // What the server was told, it does to its end, or not at all: both or none.
    let both = "select count(*) = 1 from pg_database where datname like 'crm_before_restore_%'";
    until("it is done", both);
    assert_eq!(crm("select count(*) from guests"), "100");
    assert_eq!(
        server("select shobj_description(oid, 'pg_database') is null from pg_database where datname = 'crm'"),
        "t"
    );
    let told =
        scene.history_of("operation").iter().any(|entry| entry["summary"].as_str().is_some_and(|s| s.contains(&new)));
    assert!(told, "the history has what was about to happen");

    // After it: what the next one finds is a database as any other.
    crm("delete from guests where id > 60");
    db(&scene, &["restore", "--no-backup"]).ok();
    assert_eq!(crm("select count(*) from guests"), "100");
    db(&scene, &["restore", "--back"]).ok();
    assert_eq!(crm("select count(*) from guests"), "60");
    assert!(!server(names).contains("crm_restored_"), "{}", server(names));
}
