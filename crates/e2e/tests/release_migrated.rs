//! Releases that apply migrations, on a real Postgres: when they run, what becomes of a release whose migration fails or
//! whose process is killed, and what is told of the schema later.

use std::time::Duration;

use mainstay_e2e::shop::wait_for_steps;
use mainstay_e2e::{Edge, Scene, Visitors, docker_ok, eventually, id_of, require_engine, started_at};
use serde_json::Value;

const HOST: &str = "crm.localhost";

/// A site that says which release it is of, and a database that a release migrates.
fn compose(release: usize, more: &str) -> String {
    format!(
        "
services:
  db:
    image: postgres:15
    command: [-c, fsync=off]
    environment: {{ POSTGRES_PASSWORD: it is a secret, POSTGRES_DB: crm }}
    stop_grace_period: 2s
    volumes: ['data:/var/lib/postgresql/data']
    healthcheck: {{ test: [CMD, pg_isready, -h, 127.0.0.1, -U, postgres], interval: 500ms, retries: 60 }}
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    command: [sh, -c, 'echo release r{release} >/www/index.html; exec /bin/serve']
    x-mainstay:
      routes: [{{ host: crm.localhost, port: 8080 }}]
      rollout: {{ stable: 100ms, drain: 1s }}
{more}
volumes: {{ data: {{}} }}
x-mainstay:
  databases:
    crm: {{ service: db, migrations: {{ dir: ./sql, release: true }} }}
"
    )
}

/// A scene with its edge, and the files of a first release with one migration.
fn crm(name: &str) -> (Scene, Edge) {
    let scene = Scene::new(name);
    let edge = scene.edge();
    release(&scene, 0, "");
    migration(&scene, "000.sql", "create table t000 (id int);");
    (scene, edge)
}

/// The same, up.
fn standing(name: &str) -> (Scene, Edge) {
    let (scene, edge) = crm(name);
    scene.on("crm", &["up", "--yes"]).ok();
    edge.serves(HOST, "release r0");
    (scene, edge)
}

fn release(scene: &Scene, number: usize, more: &str) {
    scene.stack("crm", &compose(number, more));
}

fn migration(scene: &Scene, name: &str, text: &str) {
    scene.file("crm", &format!("sql/{name}"), text);
}

/// What a query answers, a line a row.
fn sql(scene: &Scene, query: &str) -> String {
    let container = scene.container("crm", "db");
    let psql = ["exec", &container, "psql", "-U", "postgres", "-d", "crm", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1"];
    docker_ok(&[&psql[..], &["-c", query]].concat())
}

fn applied(scene: &Scene) -> String {
    sql(scene, "select string_agg(filename, ' ' order by filename) from schema_migrations")
}

/// The release log, the newest first.
fn releases(scene: &Scene) -> Vec<Value> {
    let told = scene.on("crm", &["releases", "--json"]).ok();
    told.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn sleeping(scene: &Scene, seconds: u32) -> String {
    sql(
        scene,
        &format!(
            "select count(*) from pg_stat_activity where query like '%pg_sleep({seconds})%' and state = 'active' \
             and pid <> pg_backend_pid()"
        ),
    )
}

#[test]
fn a_first_up_makes_the_database_migrates_it_and_then_starts_the_rest() {
    if !require_engine() {
        return;
    }
    let (scene, edge) = crm("firstmigrated");
    // Nobody says that this one needs the database.
    release(&scene, 0, "  worker: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }\n");
    migration(&scene, "001.sql", "create table t001 (id int);");
    let plan = scene.on("crm", &["plan"]).ok();
    let line = |words: &str| plan.stdout.lines().position(|line| line.contains(words));
    let web = scene.container("crm", "web");
    let order = [
        line(&format!("wait until {} is healthy", scene.container("crm", "db"))),
        line("migrate crm by 000.sql, 001.sql"),
        line(&format!("start container {web}")),
    ];
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?}\n{}", plan.stdout);

    let up = scene.on("crm", &["up", "--yes"]).ok().says("applied `000.sql`, `001.sql`");
    assert!(!up.stderr.contains("it is a secret"), "{}", up.stderr);
    edge.serves(HOST, "release r0");
    assert_eq!(applied(&scene), "000.sql 001.sql");
    for service in ["web", "worker"] {
        let started = started_at(&scene.container("crm", service));
        let earlier = format!("select max(applied_at) < '{started}'::timestamptz from schema_migrations");
        assert_eq!(sql(&scene, &earlier), "t", "{service} started at {started}");
    }
    assert!(
        sql(&scene, "select notes from schema_migrations limit 1").contains("up"),
        "who did it stands in the ledger"
    );

    let log = releases(&scene);
    assert_eq!(log[0]["schemas"]["crm"]["applied"], 2, "{}", log[0]);
    assert_eq!(log[0]["schemas"]["crm"]["last"], "001.sql");
    assert!(log[0]["phases_ms"]["migrate"].is_u64(), "{}", log[0]);
    scene
        .on("crm", &["releases", "1"])
        .ok()
        .prints("crm: 001.sql (2 applied)")
        .prints("migrate crm by 000.sql, 001.sql");
    scene.on("crm", &["releases"]).ok().prints("SCHEMA").prints("001.sql");
    let steps = scene.history_of("step");
    assert!(
        steps.iter().any(|step| step["summary"].as_str().is_some_and(|words| words.starts_with("migrated `crm` by"))),
        "{steps:#?}"
    );
    scene.on("crm", &["up"]).ok().says("nothing to do");
}

#[test]
fn a_release_migrates_before_its_containers_start_and_loses_no_request() {
    if !require_engine() {
        return;
    }
    let (scene, edge) = standing("migrated");
    release(&scene, 1, "");
    migration(&scene, "001.sql", "create table t001 (id int);");
    migration(&scene, "002.sql", "-- mainstay: no-transaction\ncreate index concurrently i001 on t001 (id);");
    scene.on("crm", &["plan"]).ok().prints("migrate crm by 001.sql, 002.sql");
    // It may be production, and nobody agreed yet.
    scene.on("crm", &["up"]).code(5).says("`crm` is migrated, and may be production").says("--yes");
    assert_eq!(applied(&scene), "000.sql");

    let visitors = Visitors::come(&edge, HOST, "/", "release");
    let mut confirmed = scene.command(&["--stack", scene.dir("crm").to_str().expect("text"), "up"]);
    confirmed.env("CONFIRM_PROD", "1");
    mainstay_e2e::Ran::of(confirmed).ok();
    edge.serves(HOST, "release r1");
    visitors.leave().all_answered();
    assert_eq!(applied(&scene), "000.sql 001.sql 002.sql");
    let ran = sql(&scene, "select indisvalid from pg_index where indexrelid = 'i001'::regclass");
    assert_eq!(ran, "t");

    // A file alone is a release too, and in another environment nobody is asked.
    migration(&scene, "003.sql", "create table t003 (id int);");
    scene.file("crm", ".env.dev", "");
    scene.on("crm", &["up", "--env", "dev"]).ok().says("applied `003.sql`");
    let log = releases(&scene);
    assert_eq!((log[0]["number"].as_u64(), log[0]["state"].as_str()), (Some(3), Some("committed")), "{}", log[0]);
    assert_eq!(log[0]["schemas"]["crm"]["last"], "003.sql");
}

#[test]
fn a_migration_that_fails_takes_the_release_back_and_costs_nobody_a_request() {
    if !require_engine() {
        return;
    }
    let (scene, edge) = standing("migrationfails");
    let before = (scene.containers("crm"), id_of(&scene.container("crm", "web")));
    release(&scene, 1, "");
    migration(&scene, "001.sql", "create table t001 (id int);");
    migration(&scene, "002.sql", "create table t002 (id int);\n\nselect oops\n  from t002;\n");
    let visitors = Visitors::come(&edge, HOST, "/", "release r0");
    let up = scene.on("crm", &["up", "--yes"]).code(1);
    visitors.leave().all_answered();
    let up = up
        .says("`crm`: 002.sql:3:8: column \"oops\" does not exist")
        .says("SQLSTATE 42703")
        .says("was taken back")
        .says("`001.sql` was applied to `crm`, and stays");
    assert!(!up.stderr.contains("it is a secret"), "{}", up.stderr);
    edge.serves(HOST, "release r0");
    assert_eq!((scene.containers("crm"), id_of(&scene.container("crm", "web"))), before, "nothing is left of it");
    assert_eq!(applied(&scene), "000.sql 001.sql");
    assert_eq!(sql(&scene, "select to_regclass('t002')"), "");
    let log = releases(&scene);
    assert_eq!(log[0]["state"], "undone");
    assert_eq!(log[0]["schemas"]["crm"]["last"], "001.sql", "{}", log[0]);

    migration(&scene, "002.sql", "create table t002 (id int);");
    scene.on("crm", &["up", "--yes"]).ok().says("applied `002.sql`");
    edge.serves(HOST, "release r1");
}

#[test]
fn a_release_that_fails_after_its_migration_says_what_stays() {
    if !require_engine() {
        return;
    }
    let (scene, edge) = standing("failslater");
    release(&scene, 1, "    environment: { CRASH: '1' }\n");
    migration(&scene, "001.sql", "create table t001 (id int);");
    let up = scene.on("crm", &["up", "--yes"]).code(1);
    up.says("crashing, as CRASH says").says("was taken back").says("`001.sql` was applied to `crm`, and stays");
    edge.serves(HOST, "release r0");
    assert_eq!(applied(&scene), "000.sql 001.sql");
}

#[test]
fn what_is_wrong_with_files_or_the_ledger_is_found_before_anything_is_touched() {
    if !require_engine() {
        return;
    }
    let (scene, edge) = standing("migrationrefused");
    let before = scene.containers("crm");
    release(&scene, 1, "");
    let files = [
        ("001.sql", "begin;\ncreate table a (id int);\ncommit;", "001.sql:1:1"),
        ("002.sql", "create table {{ name }} (id int);", "template"),
        ("000.sql", "create table t000 (id bigint);", "was changed after it was applied, in its statements"),
        ("0.sql", "select 1;", "comes before `000.sql`"),
    ];
    for (name, text, words) in files {
        migration(&scene, name, text);
        scene.on("crm", &["plan"]).code(4).prints(words);
        let up = scene.on("crm", &["up", "--yes"]);
        assert!(up.code == Some(4) && up.stderr.contains(words), "{words}: {up:?}");
        assert_eq!(scene.containers("crm"), before, "{words}");
        let original = "create table t000 (id int);";
        if name == "000.sql" {
            migration(&scene, name, original);
        } else {
            std::fs::remove_file(scene.dir("crm").join("sql").join(name)).expect("it was written");
        }
    }
    assert_eq!(applied(&scene), "000.sql");
    edge.serves(HOST, "release r0");
    assert_eq!(releases(&scene).len(), 1, "none of them was begun");
}

#[test]
fn ctrl_c_in_a_migration_cancels_its_statement_and_takes_the_release_back() {
    if !require_engine() {
        return;
    }
    let (scene, edge) = standing("migrationstopped");
    release(&scene, 1, "");
    migration(&scene, "001.sql", "create table t001 (id int);");
    migration(&scene, "002.sql", "create table t002 (id int); select pg_sleep(60);");
    let up = scene.start("crm", &["up", "--yes"]);
    eventually("the file runs", Duration::from_secs(60), || (sleeping(&scene, 60) == "1").then_some(()));
    up.interrupt();
    let up = up.ends(Duration::from_secs(60));
    assert_eq!(up.code, Some(130), "{up:?}");
    assert!(up.stderr.contains("was taken back"), "{}", up.stderr);
    assert!(up.stderr.contains("`001.sql` was applied to `crm`, and stays"), "{}", up.stderr);
    assert_eq!(sleeping(&scene, 60), "0");
    assert_eq!((applied(&scene).as_str(), sql(&scene, "select to_regclass('t002')").as_str()), ("000.sql 001.sql", ""));
    edge.serves(HOST, "release r0");
}

#[test]
fn kill_9_in_a_migration_leaves_nothing_of_its_file_and_the_next_up_goes_on() {
    if !require_engine() {
        return;
    }
    let (scene, edge) = standing("migrationkilled");
    let before = scene.containers("crm");
    release(&scene, 1, "");
    migration(&scene, "001.sql", "create table t001 (id int);");
    migration(&scene, "002.sql", "create table t002 (id int); select pg_sleep(3);");
    let visitors = Visitors::come(&edge, HOST, "/", "release");
    let up = scene.start("crm", &["up", "--yes"]);
    eventually("the file runs", Duration::from_secs(60), || (sleeping(&scene, 3) == "1").then_some(()));
    up.kill();
    scene.on("crm", &["start"]).ok().says("was taken back: what ran before it runs");
    assert_eq!(scene.containers("crm"), before);
    eventually("the server has given up", Duration::from_secs(30), || (sleeping(&scene, 3) == "0").then_some(()));
    assert_eq!((applied(&scene).as_str(), sql(&scene, "select to_regclass('t002')").as_str()), ("000.sql 001.sql", ""));
    scene.on("crm", &["up", "--yes"]).ok().says("applied `002.sql`");
    edge.serves(HOST, "release r1");
    visitors.leave().all_answered();
}

#[test]
fn kill_9_at_every_step_boundary_leaves_a_ledger_that_tells_the_truth() {
    if !require_engine() {
        return;
    }
    let (scene, edge) = standing("migrationcut");
    release(&scene, 1, "");
    migration(&scene, "001.sql", "create table t001 (id int);");
    let plan = scene.on("crm", &["plan", "--json"]).json();
    let steps = plan["steps"].as_array().expect("steps");
    let migrates = steps.iter().position(|step| step["action"]["do"] == "migrate").expect("a step that migrates");
    // Before it, after it, and at each boundary from there to the commit.
    for (round, boundary) in (migrates..steps.len()).enumerate() {
        let (number, name) = (round + 1, format!("{:03}.sql", round + 1));
        release(&scene, number, "");
        migration(&scene, &name, &format!("create table t{number:03} (id int);"));
        let mut up = scene.start("crm", &["up", "--yes"]);
        wait_for_steps(&mut up, boundary);
        let cut = up.kill();
        let told = scene.on("crm", &["start"]).ok().stderr;
        let when = format!("after kill -9 with {boundary} steps done; it said\n{}\nthe start said\n{told}", cut.stderr);
        let answer = edge.get(HOST, "/");
        assert_eq!(answer.status, 200, "{when}");
        let is_true = "select (select count(*) from schema_migrations) = \
                       (select count(*) from pg_class where relname ~ '^t\\d{3}$' and relkind = 'r')";
        assert_eq!(sql(&scene, is_true), "t", "{when}");
    }
    scene.on("crm", &["up", "--yes"]).ok();
    let all = (0..=steps.len() - migrates).map(|number| format!("{number:03}.sql")).collect::<Vec<_>>().join(" ");
    assert_eq!(applied(&scene), all);
}

#[test]
fn a_rollback_says_which_migrations_came_since_and_undoes_none() {
    if !require_engine() {
        return;
    }
    let (scene, edge) = standing("schemamoved");
    release(&scene, 1, "");
    migration(&scene, "001.sql", "create table t001 (id int);");
    scene.on("crm", &["up", "--yes"]).ok();
    // One more by hand, which no release knows of.
    migration(&scene, "002.sql", "create table t002 (id int);");
    scene.on("crm", &["db", "migrate", "apply", "--env", "dev"]).code(3);
    let mut by_hand = scene.command(&["--stack", scene.dir("crm").to_str().expect("text"), "db", "migrate", "apply"]);
    by_hand.env("ALLOW_NON_PROD", "1");
    mainstay_e2e::Ran::of(by_hand).ok();

    let words = "the schema of `crm` has moved on since release 1: `001.sql` and `002.sql` have come since, and stay";
    scene.on("crm", &["rollback", "--dry-run"]).ok().prints(words);
    scene.on("crm", &["rollback", "--yes"]).ok().says(words);
    edge.serves(HOST, "release r0");
    assert_eq!(applied(&scene), "000.sql 001.sql 002.sql");
    let log = releases(&scene);
    assert_eq!((log[0]["back_to"].as_u64(), log[0]["schemas"]["crm"]["last"].as_str()), (Some(1), Some("002.sql")));
    // To one since which nothing came, nothing is said.
    let back = scene.on("crm", &["rollback", "--to", "3", "--dry-run"]).code(2);
    assert!(!back.stdout.contains("moved on"), "{}", back.stdout);
}

#[test]
fn a_schema_that_no_release_brings_forward_is_told_in_one_line() {
    if !require_engine() {
        return;
    }
    let (scene, _edge) = standing("schemabehind");
    let by_hand = compose(0, "").replace("release: true", "release: false");
    scene.stack("crm", &by_hand);
    scene.on("crm", &["up", "--yes"]).ok();
    migration(&scene, "001.sql", "create table t001 (id int);");
    let words =
        "the schema of `crm` is behind: the migration `001.sql` is pending (`mainstay db migrate apply -d crm`)";
    scene.on("crm", &["plan"]).ok().prints(words);
    scene.on("crm", &["up", "--yes"]).ok().says(words).says("nothing to do");
    assert_eq!(applied(&scene), "000.sql");
    // A stack whose database does not run is told nothing of.
    scene.on("crm", &["stop", "--yes"]).ok();
    let plan = scene.on("crm", &["plan"]).ok();
    assert!(!plan.stdout.contains("is behind"), "{}", plan.stdout);
}

#[test]
fn a_stack_that_was_down_is_not_asked_about_migrations_that_it_has() {
    if !require_engine() {
        return;
    }
    let (scene, edge) = standing("downandup");
    scene.on("crm", &["down", "--yes"]).ok();
    scene.on("crm", &["plan"]).ok().prints("look that no migration of crm is pending");
    scene.on("crm", &["up"]).ok().says("nothing is pending");
    edge.serves(HOST, "release r0");

    // One that came meanwhile is shown as what may be pending, and applied.
    scene.on("crm", &["down", "--yes"]).ok();
    migration(&scene, "001.sql", "create table t001 (id int);");
    scene.on("crm", &["up"]).code(5).says("may be production");
    scene.on("crm", &["up", "--yes"]).ok().says("applied `001.sql`");
    assert_eq!(applied(&scene), "000.sql 001.sql");

    // What nobody could know of is not applied unseen, and the next plan shows it.
    sql(&scene, "delete from schema_migrations where filename = '001.sql'; drop table t001");
    scene.on("crm", &["down", "--yes"]).ok();
    scene.on("crm", &["up", "--yes"]).code(1).says("`crm`: `001.sql` is pending and was not shown");
    assert_eq!(applied(&scene), "000.sql");
    scene.on("crm", &["plan"]).ok().prints("migrate crm by 001.sql");
    scene.on("crm", &["up", "--yes"]).ok().says("applied `001.sql`");
    edge.serves(HOST, "release r0");
}

#[test]
fn a_database_elsewhere_is_migrated_by_a_release_too() {
    if !require_engine() {
        return;
    }
    let (scene, _edge) = standing("migratedelsewhere");
    let address = docker_ok(&[
        "inspect",
        "--format",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        &scene.container("crm", "db"),
    ]);
    let other = |host: &str| {
        format!(
            "
services:
  app:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
x-mainstay:
  databases:
    reports:
      url: postgres://postgres:it%20is%20a%20secret@{host}/crm
      migrations: {{ dir: ./sql, table: public.reports_ledger, release: true }}
"
        )
    };
    scene.stack("other", &other(&address));
    scene.file("other", "sql/1.sql", "create table reports (id int);");
    scene.on("other", &["up"]).code(5).says("`reports` is migrated, and may be production");
    let up = scene.on("other", &["up", "--yes"]).ok().says("applied `1.sql`");
    assert!(!up.stderr.contains("secret"), "{}", up.stderr);
    assert_eq!(sql(&scene, "select filename from reports_ledger"), "1.sql");

    scene.file("other", "sql/2.sql", "create table later (id int);");
    scene.stack("other", &other("127.0.0.1:1"));
    let refused = scene.on("other", &["up", "--yes"]).code(4).says("`reports` is to be migrated with this release");
    assert!(!refused.stderr.contains("secret"), "{}", refused.stderr);
}
