//! Migrations on a real Postgres: what is applied, what is refused, and what many runners and sudden ends leave behind.

use std::time::Duration;

use mainstay_e2e::{Scene, docker_ok, eventually, require_engine};
use serde_json::Value;

const CONFIRMED: &[&str] = &["--env", "dev"];

/// A stack with a database that is up, and a folder `sql`.
fn stack(name: &str) -> Scene {
    let scene = Scene::new(name);
    scene.stack(
        "one",
        "services:
  db:
    image: postgres:15
    environment: { POSTGRES_PASSWORD: it is a secret, POSTGRES_DB: crm }
    stop_grace_period: 2s
    healthcheck:
      test: [CMD, pg_isready, -h, 127.0.0.1, -U, postgres]
      interval: 500ms
      retries: 60
x-mainstay:
  databases:
    crm: { service: db, migrations: { dir: ./sql, table: public.pms_schema_migrations } }
",
    );
    scene.file("one", "sql/.keep", "");
    // There is an environment of this name.
    scene.file("one", ".env.dev", "");
    scene.on("one", &["up", "--yes"]).ok();
    scene
}

fn migration(scene: &Scene, name: &str, text: &str) {
    scene.file("one", &format!("sql/{name}"), text);
}

fn migrate<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["db", "migrate"], args].concat()
}

fn apply<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["db", "migrate", "apply"], CONFIRMED, args].concat()
}

/// What a query answers, a line a row.
fn sql(scene: &Scene, query: &str) -> String {
    let container = scene.container("one", "db");
    docker_ok(&[
        "exec",
        &container,
        "psql",
        "-U",
        "postgres",
        "-d",
        "crm",
        "-X",
        "-A",
        "-t",
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        query,
    ])
}

fn status(scene: &Scene) -> Value {
    let told = scene.on("one", &migrate(&["status", "--json"])).ok();
    serde_json::from_str(&told.stdout).expect("JSON")
}

fn states(scene: &Scene) -> Vec<String> {
    let told = status(scene);
    let files = told["files"].as_array().expect("files");
    files
        .iter()
        .map(|file| {
            format!("{} {}", file["file"].as_str().unwrap_or_default(), file["state"].as_str().unwrap_or_default())
        })
        .collect()
}

#[test]
fn files_are_applied_once_each_with_the_consent_that_production_needs() {
    if !require_engine() {
        return;
    }
    let scene = stack("migrate");
    migration(
        &scene,
        "20251227000000_create_channel_sync_logs.sql",
        "create table channel_sync_logs (id bigint primary key, details jsonb);\r\n",
    );
    migration(
        &scene,
        "20260103120000_ensure_guests.sql",
        "\u{feff}create table guests (id int);\nalter table guests add total_bookings int default 0;",
    );
    scene.on("one", &migrate(&["status", "--check"])).code(6).prints("pending");
    let planned = scene.on("one", &migrate(&["plan", "--json"])).ok();
    let plan: Value = serde_json::from_str(&planned.stdout).expect("JSON");
    let digest = plan["digest"].as_str().expect("a digest");
    assert_eq!(sql(&scene, "select to_regclass('public.pms_schema_migrations')"), "", "looking changes nothing");

    scene.on("one", &migrate(&["apply"])).code(5).says("counts as production").says(&digest[..12]);
    scene.on("one", &migrate(&["apply", "--confirm", "0123456789ab"])).code(5).says("not 0123456789ab");
    assert_eq!(sql(&scene, "select to_regclass('public.guests')"), "");
    let applied = scene.on("one", &migrate(&["apply", "--confirm", &digest[..12]])).ok().says("applied 2 migrations");
    assert!(!applied.stderr.contains("it is a secret"));

    scene.on("one", &apply(&[])).ok().says("up to date");
    scene.on("one", &migrate(&["status", "--check"])).ok();
    assert_eq!(
        sql(
            &scene,
            "select filename, length(sha256), notes like 'mainstay by=%' from pms_schema_migrations order by 1"
        ),
        "20251227000000_create_channel_sync_logs.sql|64|t\n20260103120000_ensure_guests.sql|64|t"
    );
    // Another checkout has other line ends.
    migration(
        &scene,
        "20251227000000_create_channel_sync_logs.sql",
        "create table channel_sync_logs (id bigint primary key, details jsonb);\n",
    );
    scene.on("one", &migrate(&["status", "--check"])).ok();
}

#[test]
fn a_failing_statement_is_shown_with_its_place_and_keeps_nothing_of_its_file() {
    if !require_engine() {
        return;
    }
    let scene = stack("failing");
    migration(&scene, "1_good.sql", "create table a (id int);");
    migration(
        &scene,
        "2_bad.sql",
        "create table b (id int);\ninsert into b values (1);\n-- é\nselect 'äöü',\n       oops from b;\n",
    );
    migration(&scene, "3_never.sql", "create table c (id int);");
    let failed = scene.on("one", &apply(&[])).code(1);
    failed
        .says("2_bad.sql:5:8: column \"oops\" does not exist")
        .says("SQLSTATE 42703")
        .says("    5 |        oops from b;");
    assert_eq!(sql(&scene, "select count(*) from pms_schema_migrations"), "1");
    assert_eq!(sql(&scene, "select to_regclass('b'), to_regclass('c')"), "|");

    migration(&scene, "2_bad.sql", "create table b (id int);");
    scene.on("one", &apply(&[])).ok().says("applied 2 migrations");
    assert_eq!(states(&scene), ["1_good.sql applied", "2_bad.sql applied", "3_never.sql applied"]);
}

#[test]
fn what_is_wrong_with_files_is_found_before_the_first_one_runs() {
    if !require_engine() {
        return;
    }
    let scene = stack("refused");
    migration(&scene, "1_good.sql", "create table a (id int);");
    migration(&scene, "2_own.sql", "begin;\ncreate table b (id int);\ncommit;");
    migration(&scene, "3_index.sql", "create index concurrently i on a (id);");
    let refused = scene.on("one", &apply(&[])).code(3);
    refused.says("2_own.sql:1:1").says("2_own.sql:3:1").says("3_index.sql:1:1").says("-- mainstay: no-transaction");
    assert_eq!(sql(&scene, "select to_regclass('a')"), "");

    migration(&scene, "2_own.sql", "create table b (id int);");
    migration(&scene, "3_index.sql", "-- mainstay: no-transaction\ncreate index concurrently i on a (id);");
    scene.on("one", &apply(&[])).ok();
    // A change of what ran, a file that comes late, and one that is gone.
    migration(&scene, "1_good.sql", "create table a (id bigint);");
    migration(&scene, "0_late.sql", "create table late (id int);");
    std::fs::remove_file(scene.dir("one").join("sql/2_own.sql")).expect("it was there");
    assert_eq!(
        states(&scene),
        ["0_late.sql out-of-order", "1_good.sql changed", "2_own.sql unknown", "3_index.sql applied"]
    );
    scene.on("one", &apply(&[])).code(3).says("in its statements").says("--out-of-order 0_late.sql");
    scene.on("one", &migrate(&["accept", "1_good.sql", "--reason", "a bigint was made by hand"])).ok();
    scene.on("one", &apply(&["--out-of-order", "0_late.sql"])).ok().says("applied 1 migration");
    assert!(
        sql(&scene, "select notes from pms_schema_migrations where filename = '1_good.sql'").contains("made by hand")
    );
}

#[test]
fn thirty_runners_at_once_apply_each_file_once() {
    if !require_engine() {
        return;
    }
    let scene = stack("thirty");
    for number in 1..=3 {
        // Would fail, and count, when it ran twice.
        migration(&scene, &format!("{number}.sql"), &format!("create table t{number} (id int); select pg_sleep(0.3);"));
    }
    let runners: Vec<_> = (0..30).map(|_| scene.start("one", &apply(&[]))).collect();
    let ended: Vec<_> = runners.into_iter().map(|runner| runner.ends(Duration::from_secs(120))).collect();
    for ran in &ended {
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    assert_eq!(
        sql(&scene, "select string_agg(filename, ',' order by filename) from pms_schema_migrations"),
        "1.sql,2.sql,3.sql"
    );
}

#[test]
fn a_runner_that_is_killed_leaves_nothing_half_done() {
    if !require_engine() {
        return;
    }
    let scene = stack("killed");
    migration(&scene, "1.sql", "create table a (id int); insert into a values (1); select pg_sleep(60);");
    let runner = scene.start("one", &apply(&[]));
    let sleeps = "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid()";
    eventually("the file runs", Duration::from_secs(30), || (sql(&scene, sleeps) == "1").then_some(()));
    runner.kill();
    // It looks once a second whether its client is there, and does not sleep to the end.
    eventually("the server has given up", Duration::from_secs(20), || (sql(&scene, sleeps) == "0").then_some(()));
    assert_eq!(sql(&scene, "select to_regclass('a'), (select count(*) from pms_schema_migrations)"), "|0");
    migration(&scene, "1.sql", "create table a (id int); insert into a values (1);");
    scene.on("one", &apply(&[])).ok().says("applied 1 migration");
    assert_eq!(sql(&scene, "select count(*) from a"), "1");
}

#[test]
fn ctrl_c_cancels_the_statement_that_runs() {
    if !require_engine() {
        return;
    }
    let scene = stack("cancelled");
    migration(&scene, "1.sql", "create table a (id int); select pg_sleep(60);");
    let runner = scene.start("one", &apply(&[]));
    let sleeps = "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid()";
    eventually("the file runs", Duration::from_secs(30), || (sql(&scene, sleeps) == "1").then_some(()));
    runner.interrupt();
    let ran = runner.ends(Duration::from_secs(120));
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(ran.stderr.contains("nothing of 1.sql was kept"), "{ran:?}");
    assert_eq!(sql(&scene, sleeps), "0");
    assert_eq!(sql(&scene, "select to_regclass('a')"), "");
}

#[test]
fn a_file_without_a_transaction_goes_on_after_the_statement_that_failed() {
    if !require_engine() {
        return;
    }
    let scene = stack("resumed");
    migration(&scene, "1.sql", "create table a (id int, other int); insert into a values (1, 1), (1, 2);");
    let text = "-- mainstay: no-transaction\ncreate index concurrently first on a (other);\ncreate unique index concurrently second on a (id);\n";
    migration(&scene, "2.sql", text);
    let failed = scene.on("one", &apply(&[])).code(1);
    failed.says("2.sql:3:1: could not create unique index").says("1 statements before it ran and stay");
    assert_eq!(sql(&scene, "select count(*) from pms_schema_migrations"), "1");

    // What was built half is no index, and a run that took it for one would be wrong.
    scene.on("one", &apply(&[])).code(1).says("public.second is invalid").says("--rebuild-invalid");
    sql(&scene, "update a set id = other");
    scene.on("one", &apply(&["--rebuild-invalid"])).ok().says("dropped the invalid index public.second");
    assert_eq!(sql(&scene, "select count(*) from pg_index where indrelid = 'a'::regclass and indisvalid"), "2");
    assert_eq!(sql(&scene, "select count(*) from pms_schema_migrations_attempts"), "0");
    assert_eq!(states(&scene), ["1.sql applied", "2.sql applied"]);
}

#[test]
fn who_holds_the_lock_is_told_and_waiting_ends() {
    if !require_engine() {
        return;
    }
    let scene = stack("locked");
    migration(&scene, "1.sql", "select pg_sleep(3);");
    migration(&scene, "2.sql", "select 2;");
    let first = scene.start("one", &apply(&[]));
    let runs = "select count(*) from pg_stat_activity where query like '%pg_sleep(3)%' and state = 'active' and pid <> pg_backend_pid()";
    eventually("the first one runs", Duration::from_secs(30), || (sql(&scene, runs) == "1").then_some(()));
    scene.on("one", &apply(&["--wait", "500ms"])).code(4).says("mainstay db migrate").says("pg_terminate_backend(");
    assert_eq!(first.ends(Duration::from_secs(60)).code, Some(0));
}

#[test]
fn a_table_that_somebody_locks_makes_the_file_be_tried_again() {
    if !require_engine() {
        return;
    }
    let scene = stack("busy");
    migration(&scene, "1.sql", "create table a (id int);");
    scene.on("one", &apply(&[])).ok();
    migration(&scene, "2.sql", "alter table a add b int;");
    let container = scene.container("one", "db");
    let holder = "begin; lock table a in access share mode; select pg_sleep(3); commit";
    docker_ok(&["exec", "--detach", &container, "psql", "-U", "postgres", "-d", "crm", "-c", holder]);
    let held = "select count(*) from pg_locks where relation = 'a'::regclass and granted and mode = 'AccessShareLock'";
    eventually("it is held", Duration::from_secs(30), || (sql(&scene, held) == "1").then_some(()));
    scene.on("one", &apply(&["--lock-timeout", "200ms"])).ok().says("tried again in 1 s").says("applied 1 migration");
}

#[test]
fn a_ledger_that_others_made_is_gone_on_with() {
    if !require_engine() {
        return;
    }
    let scene = stack("ledger");
    sql(
        &scene,
        "create table pms_schema_migrations (filename text primary key, applied_at timestamptz not null default now())",
    );
    sql(&scene, "insert into pms_schema_migrations values ('1.sql', '2026-01-03 12:00+00')");
    migration(&scene, "1.sql", "create table a (id int);");
    // As pg_dump makes them: what comes after must not depend on the path.
    migration(
        &scene,
        "2.sql",
        "select pg_catalog.set_config('search_path', '', false);\ncreate table public.b (id int);",
    );
    migration(&scene, "3.sql", "create table c (id int);");
    let told = status(&scene);
    assert_eq!(
        (told["files"][0]["state"].as_str(), told["files"][0]["at"].as_str()),
        (Some("adopted"), Some("2026-01-03T12:00:00Z"))
    );
    scene.on("one", &apply(&[])).ok().says("applied 2 migrations");
    assert_eq!(sql(&scene, "select to_regclass('public.a'), to_regclass('public.b'), to_regclass('public.c')"), "|b|c");
    scene.on("one", &migrate(&["adopt", "1.sql"])).ok().says("adopted");
    assert_eq!(states(&scene), ["1.sql applied", "2.sql applied", "3.sql applied"]);

    sql(&scene, "create table odd (version bigint)");
    scene.on("one", &migrate(&["status", "--ledger", "odd"])).code(4).says("no column `filename`").says("--ledger");
}

#[test]
fn a_database_can_be_named_by_variables_and_errors_name_what_is_wrong() {
    if !require_engine() {
        return;
    }
    let scene = stack("named");
    migration(&scene, "1.sql", "create table a (id int);");
    let address = docker_ok(&[
        "inspect",
        "--format",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        &scene.container("one", "db"),
    ]);
    let dir = scene.dir("one").join("sql");
    let with = |url: &str, dir: &str| {
        let mut command = scene.command(&["db", "migrate", "apply", "--env", "dev", "--dir", dir]);
        command.env("DATABASE_URL", url);
        mainstay_e2e::Ran::of(command)
    };
    let dir = dir.to_str().expect("text");
    let url = format!("postgres://postgres:it%20is%20a%20secret@{address}/crm");
    with(&url, dir).ok().says("applied 1 migration");
    with(&url, "/nowhere/at/all").code(3).says("/nowhere/at/all");
    let wrong = with(&format!("postgres://postgres:hunter2hunter2@{address}/crm"), dir).code(4);
    let wrong = wrong.says("password authentication failed").says(&address);
    assert!(!wrong.stderr.contains("hunter2"), "{}", wrong.stderr);
    with(&format!("postgres://postgres:it%20is%20a%20secret@{address}/crn"), dir)
        .code(4)
        .says("\"crn\" does not exist");
    scene.on("one", &["stop", "--yes"]).ok();
    scene.on("one", &migrate(&["status"])).code(4).says("no container of `db` runs").says("mainstay up db");
}
