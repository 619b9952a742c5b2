//! Releases whose migrations are backed up first, on a real Postgres: in production, where `backup` is declared.

use std::fs;
use std::path::Path;
use std::time::Duration;

use mainstay_e2e::shop::wait_for_steps;
use mainstay_e2e::{Dumper, Edge, Ran, Scene, SmallDisk, Visitors, docker_ok, eventually, require_engine};
use serde_json::Value;

const HOST: &str = "crm.localhost";
const LONG: Duration = Duration::from_secs(180);

/// A site that says which release it is of, and a database that a release migrates, whose backups go where `to` says.
fn compose(release: usize, to: &str) -> String {
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
volumes: {{ data: {{}} }}
x-mainstay:
  databases:
    crm:
      service: db
      migrations: {{ dir: ./sql, release: true }}
      backup: {{ to: {to}, keep: {{ last: 1 }} }}
"
    )
}

/// A first release that stands, with a table that holds rows.
fn standing(name: &str) -> (Scene, Edge) {
    let scene = Scene::new(name);
    let edge = scene.edge();
    scene.stack("crm", &compose(0, "./backups"));
    migration(&scene, "000.sql", "create table guests (name text); insert into guests values ('ada'), ('bob');");
    scene.mainstay(&["secret", "recovery-key", text(&scene.folder().join("recovery.txt"))]).ok();
    let up = scene.on("crm", &["up", "--yes"]).ok();
    assert!(!up.stderr.contains("back up") && !up.stderr.contains("backed up"), "it is new: {}", up.stderr);
    edge.serves(HOST, "release r0");
    (scene, edge)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is text")
}

fn migration(scene: &Scene, name: &str, text: &str) {
    scene.file("crm", &format!("sql/{name}"), text);
}

fn sql_of(scene: &Scene, database: &str, query: &str) -> String {
    let container = scene.container("crm", "db");
    let psql = ["exec", &container, "psql", "-U", "postgres", "-d", database, "-XAt", "-v", "ON_ERROR_STOP=1"];
    docker_ok(&[&psql[..], &["-c", query]].concat())
}

fn applied(scene: &Scene, database: &str) -> String {
    sql_of(scene, database, "select string_agg(filename, ' ' order by filename) from schema_migrations")
}

/// The steps of the plan that `up` would carry out: what they do.
fn planned(scene: &Scene, args: &[&str]) -> Vec<String> {
    let plan = scene.on("crm", &[args, &["--json"]].concat()).ok().json();
    let steps = plan["steps"].as_array().expect("steps").clone();
    steps.iter().map(|step| step["action"]["do"].as_str().expect("a word").to_owned()).collect()
}

fn backs_up(scene: &Scene, args: &[&str]) -> bool {
    planned(scene, args).iter().any(|step| step == "back_up")
}

/// The reasons of the backups, the newest first.
fn backups(scene: &Scene) -> Vec<String> {
    let told = scene.on("crm", &["db", "backups", "--json"]).ok().json();
    let all = told["backups"].as_array().expect("backups").clone();
    all.iter().map(|one| one["reason"].as_str().expect("a reason").to_owned()).collect()
}

fn newest_release(scene: &Scene) -> Value {
    let told = scene.on("crm", &["releases", "--json"]).ok();
    serde_json::from_str(told.stdout.lines().next().expect("a release")).expect("JSON")
}

fn with(scene: &Scene, variable: &str, args: &[&str]) -> Ran {
    let folder = scene.dir("crm");
    let mut command = scene.command(&[&["--stack", text(&folder)], args].concat());
    command.env(variable, "1");
    Ran::of(command)
}

#[test]
fn a_release_in_production_is_backed_up_before_its_migration() {
    if !require_engine() {
        return;
    }
    let (scene, edge) = standing("backedup");
    assert_eq!(backups(&scene), [""; 0], "a database that the plan makes holds nothing");
    scene.stack("crm", &compose(1, "./backups"));
    migration(&scene, "001.sql", "delete from guests where name = 'bob'; alter table guests add age int;");
    let plan = scene.on("crm", &["plan"]).ok();
    let line = |words: &str| plan.stdout.lines().position(|line| line.contains(words));
    let place = format!("back up crm to {}", text(&scene.dir("crm").join("backups")));
    let order = [line(&place), line("migrate crm by 001.sql"), line("start container")];
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?}\n{}", plan.stdout);
    assert!(plan.stdout.contains("because a migration in production needs a way back"), "{}", plan.stdout);

    let visitors = Visitors::come(&edge, HOST, "/", "release");
    let up =
        scene.on("crm", &["up", "--yes"]).ok().says("back up `crm` to").says("backup 20").says("applied `001.sql`");
    visitors.leave().all_answered();
    assert!(!up.stderr.contains("it is a secret"), "{}", up.stderr);
    edge.serves(HOST, "release r1");
    assert_eq!(backups(&scene), ["before migration"]);
    assert!(newest_release(&scene)["phases_ms"]["back_up"].is_u64());
    let steps = scene.history_of("step");
    let is_told = |step: &Value| step["summary"].as_str().is_some_and(|words| words.starts_with("backed up `crm` to"));
    assert!(steps.iter().any(is_told), "{steps:#?}");

    // It is what was there before, and it is proven.
    with(&scene, "CONFIRM_PROD", &["db", "restore", "--into", "crm_look", "--yes"]).ok();
    assert_eq!(applied(&scene, "crm_look"), "000.sql");
    assert_eq!(sql_of(&scene, "crm_look", "select string_agg(name, ' ' order by name) from guests"), "ada bob");
    assert_eq!(sql_of(&scene, "crm", "select name from guests"), "ada");
    scene.on("crm", &["db", "drill"]).ok();
    scene.on("crm", &["db", "status"]).ok().prints("last proof");

    // Retention keeps it as the way back that it is, although one newer backup is all that is to be kept.
    scene.on("crm", &["db", "backup"]).ok();
    scene.on("crm", &["db", "drill"]).ok();
    scene.on("crm", &["db", "retention", "--apply", "--yes"]).ok();
    assert_eq!(backups(&scene), ["manual", "before migration"]);

    // Where nothing is pending, none is made.
    scene.stack("crm", &compose(2, "./backups"));
    assert!(!backs_up(&scene, &["plan"]));
    scene.on("crm", &["up", "--yes"]).ok();
    edge.serves(HOST, "release r2");
    assert_eq!(backups(&scene).len(), 2);
}

#[test]
fn outside_of_production_and_where_somebody_says_so_none_is_made() {
    if !require_engine() {
        return;
    }
    let (scene, _edge) = standing("notbackedup");
    migration(&scene, "001.sql", "create table t001 (id int);");
    assert!(backs_up(&scene, &["plan"]));
    scene.file("crm", ".env.dev", "");
    assert!(!backs_up(&scene, &["plan", "--env", "dev"]));
    let allowed = with(&scene, "ALLOW_NON_PROD", &["plan"]).ok();
    assert!(allowed.stdout.contains("migrate crm") && !allowed.stdout.contains("back up"), "{}", allowed.stdout);
    let words = "`--no-backup`: `crm` is not backed up before its migration";
    scene.on("crm", &["plan", "up", "--no-backup"]).ok().prints(words);
    scene.on("crm", &["up", "--no-backup"]).code(5).says("may be production");
    with(&scene, "ALLOW_NON_PROD", &["up"]).ok().says("applied `001.sql`");
    migration(&scene, "002.sql", "create table t002 (id int);");
    scene.on("crm", &["up", "--no-backup", "--yes"]).ok().says(words).says("applied `002.sql`");
    assert_eq!(backups(&scene), [""; 0]);
    migration(&scene, "003.sql", "create table t003 (id int);");
    scene.on("crm", &["up", "--env", "dev"]).ok().says("applied `003.sql`");
    // The environment that it is up in is the one of the next order.
    migration(&scene, "004.sql", "create table t004 (id int);");
    assert!(!backs_up(&scene, &["plan"]));
    assert!(backs_up(&scene, &["plan", "--env", "none"]));
    // Without a place, nothing can be backed up.
    let nowhere = compose(0, "").replace("      backup: { to: , keep: { last: 1 } }\n", "");
    assert!(!nowhere.contains("backup"), "{nowhere}");
    scene.stack("crm", &nowhere);
    assert!(!backs_up(&scene, &["plan", "--env", "none"]));
}

#[test]
fn a_backup_that_fails_ends_the_release_before_anything_is_touched() {
    if !require_engine() {
        return;
    }
    let (scene, edge) = standing("nobackup");
    let before = scene.containers("crm");
    migration(&scene, "001.sql", "create table t001 (id int);");
    let fails = |to: &str, words: &str| {
        scene.stack("crm", &compose(1, to));
        let visitors = Visitors::come(&edge, HOST, "/", "release r0");
        let up = scene.on("crm", &["up", "--yes"]).code(1);
        visitors.leave().all_answered();
        let up = up
            .says("`crm` could not be backed up, so it is not migrated")
            .says(words)
            .says("--no-backup")
            .says("was taken back");
        for secret in ["it is a secret", "hunter2"] {
            assert!(!up.stderr.contains(secret), "{}", up.stderr);
        }
        edge.serves(HOST, "release r0");
        assert_eq!(scene.containers("crm"), before, "{to}: nothing is left of it");
        assert_eq!(applied(&scene, "crm"), "000.sql", "{to}");
        let log = newest_release(&scene);
        assert_eq!((log["state"].as_str(), log["phases_ms"]["migrate"].is_null()), (Some("undone"), true), "{log}");
    };

    // What is to be its folder is a file.
    scene.file("crm", "afile", "");
    fails("./afile", "afile");
    // The bucket's server is gone.
    let s3 = "{ url: s3://backups/crm, endpoint: 'http://127.0.0.1:9', access_key: GKa, secret_key: hunter2hunter2 }";
    fails(s3, "s3://backups/crm");
    // There is no second key.
    let recipient = scene.state_dir().join("recovery.recipient");
    let kept = fs::read(&recipient).expect("the public half");
    fs::remove_file(&recipient).expect("the public half");
    fails("./backups", "mainstay secret recovery-key");
    fs::write(&recipient, kept).expect("the public half");
    // The disk is full.
    let disk = scene.dir("crm").join("small");
    if let Some(small) = SmallDisk::at(&disk, 2) {
        small.fill();
        fails("./small/backups", "small");
        small.clear();
        fails_no_more(&scene, &edge, "./small/backups");
    } else {
        fails_no_more(&scene, &edge, "./backups");
    }
}

/// The same release, once it can be backed up.
fn fails_no_more(scene: &Scene, edge: &Edge, to: &str) {
    scene.stack("crm", &compose(1, to));
    scene.on("crm", &["up", "--yes"]).ok().says("applied `001.sql`");
    edge.serves(HOST, "release r1");
    assert_eq!(backups(scene), ["before migration"]);
}

/// Enough that a dump takes a while.
fn fill(scene: &Scene) {
    let rows = "select i, (select string_agg(md5(random()::text), '') from generate_series(1, 20) j where i > 0) t";
    sql_of(scene, "crm", &format!("create table filler as {rows} from generate_series(1, 40000) i"));
}

#[test]
fn a_release_that_is_cut_off_in_its_backup_leaves_none_and_the_next_makes_its_own() {
    if !require_engine() {
        return;
    }
    let (scene, edge) = standing("backupcut");
    fill(&scene);
    let before = scene.containers("crm");
    scene.stack("crm", &compose(1, "./backups"));
    migration(&scene, "001.sql", "create table t001 (id int); select pg_sleep(3);");
    let halfway = || {
        let up = scene.start("crm", &["up", "--yes"]);
        let dumper = Dumper::hold(&scene.container("crm", "db"), || format!("{:?}", up.stderr()));
        (up, dumper)
    };
    let untouched = |when: &str| {
        assert_eq!(scene.containers("crm"), before, "{when}");
        assert_eq!(applied(&scene, "crm"), "000.sql", "{when}");
        assert_eq!(backups(&scene), [""; 0], "{when}");
        edge.serves(HOST, "release r0");
    };

    let visitors = Visitors::come(&edge, HOST, "/", "release");
    let (up, dumper) = halfway();
    up.interrupt();
    let up = up.ends(LONG);
    dumper.signal("-CONT");
    assert_eq!(up.code, Some(130), "{up:?}");
    assert!(up.stderr.contains("was taken back"), "{}", up.stderr);
    untouched("after Ctrl-C");

    let (up, dumper) = halfway();
    up.kill();
    dumper.signal("-CONT");
    scene.on("crm", &["start"]).ok().says("was taken back: what ran before it runs");
    untouched("after kill -9");

    // Killed after its backup, before its migration is done: what is pending is backed up once more.
    let boundary = planned(&scene, &["plan"]).iter().position(|step| step == "back_up").expect("a backup") + 1;
    let mut up = scene.start("crm", &["up", "--yes"]);
    wait_for_steps(&mut up, boundary);
    up.kill();
    scene.on("crm", &["start"]).ok().says("was taken back: what ran before it runs");
    let sleeping = "select count(*) from pg_stat_activity where query like '%pg_sleep(3)%' and pid <> pg_backend_pid()";
    eventually("the server has given up", LONG, || (sql_of(&scene, "crm", sleeping) == "0").then_some(()));
    assert_eq!(applied(&scene, "crm"), "000.sql");
    assert_eq!(backups(&scene), ["before migration"]);
    scene.on("crm", &["up", "--yes"]).ok().says("applied `001.sql`");
    edge.serves(HOST, "release r1");
    visitors.leave().all_answered();
    assert_eq!(backups(&scene), ["before migration", "before migration"]);
    scene.on("crm", &["up"]).ok().says("nothing to do");
    assert_eq!(backups(&scene).len(), 2);
}

#[test]
fn a_database_that_stood_still_is_backed_up_only_where_something_is_pending() {
    if !require_engine() {
        return;
    }
    let (scene, edge) = standing("stoodstill");
    scene.on("crm", &["down", "--yes"]).ok();
    assert!(!backs_up(&scene, &["plan"]), "the last release left nothing to be pending");
    migration(&scene, "001.sql", "create table t001 (id int);");
    scene.on("crm", &["plan"]).ok().prints(", if a migration is pending");
    scene.on("crm", &["up", "--yes"]).ok().says("applied `001.sql`");
    assert_eq!(backups(&scene), ["before migration"]);

    // It was applied by hand, which no release knows of.
    migration(&scene, "002.sql", "create table t002 (id int);");
    with(&scene, "ALLOW_NON_PROD", &["db", "migrate", "apply"]).ok();
    scene.on("crm", &["down", "--yes"]).ok();
    scene.on("crm", &["up", "--yes"]).ok().says("nothing is pending, so none was made");
    assert_eq!(backups(&scene).len(), 1);
    edge.serves(HOST, "release r0");
}

#[test]
fn a_server_backs_up_a_database_elsewhere_too() {
    if !require_engine() {
        return;
    }
    let (scene, _edge) = standing("backedupelsewhere");
    let container = scene.container("crm", "db");
    let address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let address = docker_ok(&["inspect", "--format", address, &container]);
    scene.stack(
        "other",
        &format!(
            "
services:
  app: {{ image: 'mainstay-test/tiny:1', stop_grace_period: 1s }}
x-mainstay:
  databases:
    reports:
      url: postgres://postgres:it%20is%20a%20secret@{address}/crm
      migrations: {{ dir: ./sql, table: public.reports_ledger, release: true }}
      backup: {{ to: ./backups }}
"
        ),
    );
    scene.file("other", "sql/1.sql", "create table reports (id int);");
    let server = scene.serve();
    let up = scene.on("other", &["up", "--yes"]).ok().says("back up `reports` to").says("applied `1.sql`");
    assert!(!up.stderr.contains("secret"), "{}", up.stderr);
    assert!(!server.log().contains("it is a secret"), "{}", server.log());
    let told = scene.on("other", &["db", "backups", "--json"]).ok().json();
    assert_eq!(told["backups"][0]["reason"], "before migration", "{told}");
    scene.on("other", &["db", "status"]).ok().prints("last backup");
}
