//! Migrations that run on a copy first, as a person, or CI, rehearses them.

use std::time::Duration;

use mainstay_e2e::{Ran, Scene, docker_ok, eventually, require_engine};

/// A stack with a database that is up, and a folder `sql`. Its files are applied by `user`, and `admin` made the cluster.
fn stack(name: &str, image: &str, admin: &str, user: &str) -> Scene {
    let scene = Scene::new(name);
    scene.stack(
        "one",
        &format!(
            "services:
  db:
    image: {image}
    environment: {{ POSTGRES_USER: {admin}, POSTGRES_PASSWORD: it is a secret, POSTGRES_DB: first }}
    stop_grace_period: 2s
    healthcheck:
      test: [CMD, pg_isready, -h, 127.0.0.1, -U, {admin}]
      interval: 500ms
      retries: 60
x-mainstay:
  databases:
    crm: {{ service: db, database: crm, user: {user}, password: it is a secret, backup: {{ to: ./backups }}, migrations: {{ dir: ./sql }} }}
"
        ),
    );
    scene.file("one", "sql/.keep", "");
    scene.file("one", ".env.dev", "");
    scene.mainstay(&["secret", "recovery-key", scene.folder().join("recovery.txt").to_str().expect("text")]).ok();
    scene.on("one", &["up", "--yes"]).ok();
    sql(&scene, admin, "first", "create database crm");
    scene
}

fn sql(scene: &Scene, user: &str, database: &str, query: &str) -> String {
    let container = scene.container("one", "db");
    let psql = ["exec", &container, "psql", "-U", user, "-d", database, "-XAtq", "-v", "ON_ERROR_STOP=1"];
    docker_ok(&[psql.as_slice(), &["-c", query]].concat())
}

fn migration(scene: &Scene, name: &str, text: &str) {
    scene.file("one", &format!("sql/{name}"), text);
}

fn dev(scene: &Scene, args: &[&str]) -> Ran {
    scene.on("one", &[&["db"], args, &["--env", "dev"]].concat())
}

/// The throw-away servers of this scene.
fn left(scene: &Scene) -> String {
    let about = format!("label=dev.mainstay.about=crm of {} (dev)", scene.name("one"));
    docker_ok(&["ps", "--all", "--quiet", "--filter", &about])
}

#[test]
fn a_rehearsal_tells_how_long_each_file_takes_and_whom_it_locks_out() {
    if !require_engine() {
        return;
    }
    let scene = stack("rehearsed", "postgres:15", "postgres", "postgres");
    let crm = |query: &str| sql(&scene, "postgres", "crm", query);
    migration(
        &scene,
        "1_orders.sql",
        "create table orders (id int primary key, customer int, total int); create table old (id int);
         insert into orders select n, n % 100, n from generate_series(1, 400000) n;",
    );
    dev(&scene, &["migrate", "apply"]).ok();
    dev(&scene, &["migrate", "rehearse"]).ok().says("there is nothing to rehearse");
    dev(&scene, &["backup"]).ok();
    migration(&scene, "2_since.sql", "create table notes (id int primary key);");
    dev(&scene, &["migrate", "apply"]).ok();
    migration(
        &scene,
        "3_total.sql",
        "-- a key, then the type\ncreate index by_customer on orders (customer);\n\
         alter table orders alter column total type numeric(12,2);\n\
         create function of(int) returns bigint language sql begin atomic; select count(*) from orders; end;\n\
         drop table old; insert into notes values (1);",
    );
    migration(
        &scene,
        "4_alone.sql",
        "-- mainstay: no-transaction\ncreate index concurrently by_total on orders (total);\n\
         update orders set customer = 0 where id < 100;",
    );

    // Of another environment are other backups.
    scene.on("one", &["db", "migrate", "rehearse"]).code(2).says("there is no backup");
    let told = dev(&scene, &["migrate", "rehearse", "--json"]).ok().json();
    assert_eq!(told["ok"], true, "{told}");
    assert_eq!(
        (&told["since"], &told["pending"]),
        (&serde_json::json!(["2_since.sql"]), &serde_json::json!(["3_total.sql", "4_alone.sql"]))
    );
    assert!(told["age_s"].as_i64().is_some() && told["restore_ms"].as_u64().is_some_and(|ms| ms > 0), "{told}");
    let files = told["files"].as_array().expect("files");
    let names: Vec<_> = files
        .iter()
        .map(|file| (file["file"].as_str(), file["applied"].as_bool(), file["statements"].as_u64()))
        .collect();
    assert_eq!(
        names,
        [
            (Some("2_since.sql"), Some(true), Some(1)),
            (Some("3_total.sql"), Some(false), Some(5)),
            (Some("4_alone.sql"), Some(false), Some(2))
        ]
    );
    // What it makes is nobody's yet; the ledger's own lock is not the file's.
    assert_eq!(files[0]["locks"], serde_json::json!([]));
    let locks = files[1]["locks"].as_array().expect("locks");
    let of = |relation: &str, mode: &str| {
        let found = locks.iter().find(|lock| lock["relation"] == relation && lock["mode"] == mode);
        found.unwrap_or_else(|| panic!("{mode} on {relation}: {told}"))
    };
    let orders = of("public.orders", "access_exclusive");
    assert_eq!((&orders["rows"], &orders["line"], &orders["fate"]), (&400_000.into(), &3.into(), &"rewritten".into()));
    let index = of("public.orders", "share");
    assert_eq!((&index["line"], &index["blocks"]), (&2.into(), &"writes".into()));
    let (longer, shorter) = (index["held_ms"].as_u64(), orders["held_ms"].as_u64());
    assert!(longer > shorter && shorter > Some(0), "the first one is held until the end, too: {told}");
    assert!(files[1]["took_ms"].as_u64() >= longer);
    assert_eq!(of("public.old", "access_exclusive")["fate"], "dropped");
    assert_eq!(of("public.notes", "row_exclusive")["blocks"], "nothing");
    let strengths: Vec<_> = locks.iter().map(|lock| lock["blocks"].as_str().expect("text")).collect();
    assert!(
        strengths
            .is_sorted_by_key(|blocks| ["reads_and_writes", "writes", "nothing"].iter().position(|one| one == blocks)),
        "{told}"
    );
    assert_eq!(files[2]["unseen"], serde_json::json!([2]), "its transaction is over when it is");
    assert_eq!(files[2]["locks"][0]["mode"], "row_exclusive");

    let shown = dev(&scene, &["migrate", "rehearse"])
        .ok()
        .says("1 migration came since it and ran first: 2_since.sql")
        .says("2 pending migrations of `crm` ran")
        .says("3_total.sql:3: `public.orders` (400,000 rows) is locked against reads and writes for")
        .prints("ACCESS EXCLUSIVE")
        .prints("rewritten")
        .prints("ends its own transaction");
    assert!(!shown.stderr.contains("it is a secret"));

    // In production the plan says what is known of it.
    scene.on("one", &["db", "migrate", "plan"]).ok().says("all of it ran on a copy");
    migration(&scene, "5_more.sql", "select 1;");
    scene.on("one", &["db", "migrate", "plan"]).ok().says("this was not rehearsed");

    let pending = "select string_agg(filename, ' ' order by filename), to_regclass('by_customer') is null, to_regclass('old') is null from schema_migrations";
    assert_eq!(crm(pending), "1_orders.sql 2_since.sql|t|f", "the database is as it was");
    assert_eq!(left(&scene), "");
    let remembered = |entry: &serde_json::Value| {
        entry["summary"].as_str().is_some_and(|summary| summary.contains("`db migrate rehearse` of `crm`: rehearsed"))
    };
    assert!(scene.history_of("operation").iter().any(remembered));
}

#[test]
fn a_file_that_would_fail_fails_on_the_copy_as_the_role_that_would_apply_it() {
    if !require_engine() {
        return;
    }
    let scene = stack("rehearsedbad", "postgres:17", "supabase_admin", "postgres");
    let admin = |database: &str, query: &str| sql(&scene, "supabase_admin", database, query);
    admin("first", "create role postgres login createdb createrole bypassrls password 'it is a secret'");
    admin("first", "create role anon; alter database crm owner to postgres");
    migration(
        &scene,
        "1_notes.sql",
        "create table notes (id int primary key, owner text); grant select on notes to anon;",
    );
    dev(&scene, &["migrate", "apply"]).ok();
    dev(&scene, &["backup"]).ok();

    migration(&scene, "2_good.sql", "create table more (id int);\nalter table notes enable row level security;");
    migration(
        &scene,
        "3_bad.sql",
        "create table worse (id int);\nalter\n  table auth_of_others rename to mine;\nselect 1;",
    );
    let told = dev(&scene, &["migrate", "rehearse", "--json"]).code(1).json();
    assert_eq!((&told["ok"], &told["failure"]["file"]), (&false.into(), &"3_bad.sql".into()), "{told}");
    assert_eq!((&told["failure"]["line"], &told["failure"]["sqlstate"]), (&2.into(), &"42P01".into()), "{told}");
    assert_eq!((&told["files"][1]["failed"], &told["files"][1]["statements"]), (&true.into(), &1.into()), "{told}");
    // A superuser may do this, and the role that applies it is none.
    migration(&scene, "3_bad.sql", "create table worse (id int);\ncreate role mightier superuser;");
    dev(&scene, &["migrate", "rehearse"])
        .code(1)
        .says("3_bad.sql:2:1")
        .says("SQLSTATE 42501")
        .says("create role mightier superuser")
        .says("this was a copy")
        .prints("✔ 2_good.sql")
        .prints("ACCESS EXCLUSIVE")
        .prints("✘ 3_bad.sql");
    assert_eq!(
        admin("crm", "select to_regclass('more'), to_regclass('worse'), count(*) from schema_migrations"),
        "||1"
    );

    migration(&scene, "3_bad.sql", "select pg_sleep(300);");
    for signal in ["kill", "interrupt"] {
        let running = scene.start("one", &["db", "migrate", "rehearse", "--env", "dev"]);
        eventually("a throw-away server runs", Duration::from_secs(60), || (!left(&scene).is_empty()).then_some(()));
        if signal == "kill" {
            running.kill();
            // The very next command, whichever it is.
            scene.on("one", &["ps"]).ok();
        } else {
            running.interrupt();
            let ran = running.ends(Duration::from_secs(30));
            assert_eq!(ran.code, Some(130), "{ran:?}");
        }
        eventually("it is gone", Duration::from_secs(20), || left(&scene).is_empty().then_some(()));
    }
}
