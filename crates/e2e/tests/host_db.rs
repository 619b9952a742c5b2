//! `mainstay --host … db …`: databases of another machine, with the migrations of this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use mainstay_e2e::{
    Outside, Ran, Running, Scene, Sshd, docker_ok, eventually, free_port, require_engine, require_sshd,
};

const SOON: Duration = Duration::from_secs(60);
/// Of the database, and of a role that a migration makes: neither is ever said.
const SECRETS: [&str; 2] = ["it is a secret", "of-the-role"];

fn ready() -> bool {
    require_engine() && require_sshd()
}

fn compose(database: &str) -> String {
    format!(
        "services:
  db:
    image: postgres:15
    command: [-c, fsync=off]
    environment: {{ POSTGRES_PASSWORD: it is a secret, POSTGRES_DB: crm }}
    stop_grace_period: 2s
    healthcheck: {{ test: [CMD, pg_isready, -h, 127.0.0.1, -U, postgres], interval: 500ms, retries: 60 }}
x-mainstay:
  databases:
    crm: {{ service: db, {database} }}
"
    )
}

/// Files that are only on this side. Gives their folder.
fn away(scene: &Scene, database: &str, migrations: &[(&str, &str)]) -> PathBuf {
    let folder = scene.stack("crm", &compose(database));
    for (name, text) in migrations {
        scene.file("crm", &format!("sql/{name}"), text);
    }
    folder
}

fn sql(scene: &Scene, query: &str) -> String {
    let container = scene.container("crm", "db");
    let psql = ["exec", &container, "psql", "-U", "postgres", "-d", "crm", "-XAtq", "-v", "ON_ERROR_STOP=1"];
    docker_ok(&[psql.as_slice(), &["-c", query]].concat())
}

fn applied(scene: &Scene) -> String {
    sql(scene, "select string_agg(filename, ' ' order by filename) from schema_migrations")
}

/// The sets of files that lie on the host.
fn sets(scene: &Scene) -> usize {
    let sets = scene.state_dir().join("stacks").join(scene.name("crm")).join(".sent");
    fs::read_dir(sets).map_or(0, Iterator::count)
}

fn with(mut command: Command, name: &str, value: &str) -> Ran {
    command.env(name, value);
    Ran::of(command)
}

fn no_secret(ran: Ran) -> Ran {
    for secret in SECRETS {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "a secret came out: {ran:?}");
    }
    ran
}

#[test]
fn migrations_that_are_only_here_must_be_planned_and_applied_there() {
    if !ready() {
        return;
    }
    let scene = Scene::new("dbssh");
    let sshd = Sshd::start(&scene);
    let role = "create table one (id int); create role web login password 'of-the-role';";
    let folder = away(&scene, "migrations: { dir: ./sql }, drift: { before: before.sql }", &[("001.sql", role)]);
    scene.file("crm", "before.sql", "create table old (id int);");
    let crm = scene.name("crm");
    let db = |args: &[&str]| no_secret(sshd.run_in(&scene, &folder, &[&["db"], args].concat()));
    let command = |args: &[&str]| sshd.command(&scene, &folder, &[&["db"], args].concat());
    sshd.run_in(&scene, &folder, &["up"]).ok();
    sql(&scene, "create table old (id int)");

    db(&["migrate", "status", "--check"]).code(6).prints("001.sql").prints("pending");
    let digest = db(&["migrate", "plan", "--json"]).ok().json()["digest"].as_str().expect("a digest").to_owned();
    db(&["migrate", "apply"]).code(5).says("counts as production").says(&digest[..12]);
    db(&["migrate", "apply", "--confirm", "000000000000"]).code(5).says("not 000000000000");
    db(&["migrate", "apply", "--confirm", &digest[..12]]).ok().says("✔ 001.sql");
    scene.file("crm", "sql/002.sql", "create table two (id int);");
    with(command(&["migrate", "apply"]), "CONFIRM_PROD", "0").code(5);
    with(command(&["migrate", "apply"]), "CONFIRM_PROD", "1").ok().says("✔ 002.sql");
    // An environment whose file is only here.
    scene.file("crm", "compose.dev.yaml", "x-mainstay:\n  databases:\n    crm: { migrations: { dir: ./dev } }\n");
    for name in ["001.sql", "002.sql"] {
        scene.file("crm", &format!("dev/{name}"), &fs::read_to_string(folder.join("sql").join(name)).expect("a file"));
    }
    scene.file("crm", "dev/003.sql", "create table three (id int);");
    db(&["migrate", "plan", "--env", "dev"]).ok().prints("003.sql");
    db(&["migrate", "apply", "--env", "dev"]).ok().says("✔ 003.sql");
    assert_eq!(applied(&scene), "001.sql 002.sql 003.sql");
    db(&["drift", "--env", "dev", "--check", "--level", "not-ready"]).ok();
    sql(&scene, "drop table three");
    db(&["drift", "--env", "dev", "--check"]).code(6).prints("three");
    db(&["migrate", "adopt", "--env", "dev", "--detect", "--dry-run"]).ok();

    // Nothing is left of them there but what the stack was brought up from, which its name means.
    assert_eq!(sets(&scene), 1);
    let there = sshd.run(&scene, &["db", "migrate", "status", "--stack", &crm]).ok();
    there.prints("001.sql").prints("applied, no file here");
    // A folder of this machine, for a stack that is only named.
    let run = |args: &[&str]| sshd.run_in(&scene, &folder.join("dev"), &[&["db", "migrate"], args].concat());
    run(&["status", "--stack", &crm, "--dir", ".", "--check"]).ok().prints("003.sql");
    run(&["accept", "--stack", &crm, "--dir", "../dev", "001.sql", "--reason", "x"]).ok().says("was not changed");
    assert_eq!(sets(&scene), 1);
    let told = scene.mainstay(&["history", "--stack", &crm, "--json"]).ok();
    assert!(told.stdout.contains("db migrate apply") && told.stdout.contains(" for "), "{told:?}");
}

#[test]
fn what_cannot_go_along_must_be_refused_by_name_before_anything_is_done() {
    if !ready() {
        return;
    }
    let scene = Scene::new("dbsshno");
    let sshd = Sshd::start(&scene);
    let folder = away(&scene, "migrations: { dir: ./sql, release: true }", &[("001.sql", "select 1;")]);
    let refused = |code: i32, args: &[&str]| sshd.run_in(&scene, &folder, args).code(code);
    let sql = folder.join("sql").display().to_string();
    let large = folder.join("sql/large.sql");
    fs::File::create(&large).and_then(|file| file.set_len(20 << 20)).expect("a file");
    for args in [&["db", "migrate", "plan"][..], &["up"], &["plan"]] {
        refused(3, args).says(&format!("`{sql}` is too large to go along")).says("16 MiB");
    }
    fs::remove_file(&large).expect("it was there");
    scene.file("crm", "key.sql", "a key of this machine");
    std::os::unix::fs::symlink("../key.sql", folder.join("sql/002.sql")).expect("a link");
    let told = refused(3, &["up"]).says("sql/002.sql` is a link that leads out of its folder");
    assert!(!told.stderr.contains("a key of"), "{told:?}");
    fs::remove_dir_all(folder.join("sql")).expect("it was there");
    refused(3, &["up"]).says(&format!("`{sql}` does not exist")).says("x-mainstay.databases.crm.migrations.dir");
    for (dir, words) in [("${SQL_DIR}", "a variable has its value on the host"), ("/nowhere/sql", "cannot be read")] {
        scene.stack("crm", &compose(&format!("migrations: {{ dir: '{dir}', release: true }}")));
        let told = with(sshd.command(&scene, &folder, &["up"]), "SQL_DIR", "./sql").code(3).says(words);
        assert!(told.stderr.contains(dir), "{told:?}");
    }
    for (args, words) in [
        (&["db", "drill", "--identity", "key.txt"][..], "a key that is kept elsewhere must not travel"),
        (&["db", "drift", "--write-expectation", "schema.json"], "cannot write a file here from there"),
        (&["db", "drift", "--expectation", "schema.json"], "it is here"),
        (&["db", "backup", "--to", "./backups"], "name one of the host by its absolute path"),
    ] {
        refused(2, args).says(words).says("does not go with `--host`");
    }
    let other = with(sshd.command(&scene, &folder, &["db", "status"]), "DATABASE_URL", "postgres://a:b@c/d").code(2);
    other.says("`DATABASE_URL` names a database here").says("--database NAME");
    assert_eq!(scene.containers("crm"), [""; 0]);
    assert_eq!(sets(&scene), 0);
}

#[test]
fn a_release_must_apply_the_migrations_that_are_here() {
    if !ready() {
        return;
    }
    let scene = Scene::new("dbsshup");
    let sshd = Sshd::start(&scene);
    let folder =
        away(&scene, "migrations: { dir: ./sql, release: true }", &[("001.sql", "create table one (id int);")]);
    let crm = scene.name("crm");
    sshd.run_in(&scene, &folder, &["plan"]).ok().prints("migrate crm by 001.sql");
    sshd.run_in(&scene, &folder, &["up", "--yes"]).ok().says("applied `001.sql`");
    scene.file("crm", "sql/002.sql", "create table two (id int);");
    // The host still has what it was brought up from.
    let told = sshd.run(&scene, &["plan", "--stack", &crm]).ok();
    assert!(!told.stdout.contains("002.sql"), "{told:?}");
    sshd.run_in(&scene, &folder, &["up", "--yes"]).ok().says("applied `002.sql`");
    assert_eq!(applied(&scene), "001.sql 002.sql");
    sshd.run(&scene, &["up", "--stack", &crm, "--yes"]).ok().says("nothing to do");
    sshd.run(&scene, &["db", "migrate", "status", "--stack", &crm, "--check"]).ok().prints("002.sql");
    // On the host itself as well.
    scene.mainstay(&["db", "migrate", "status", "--stack", &crm, "--check"]).ok();
    // A folder there that has the same name is not what was sent.
    let own = scene.state_dir().join("stacks").join(&crm).join("sql");
    fs::create_dir_all(&own).expect("a folder");
    fs::write(own.join("000.sql"), "create table of_the_host (id int);").expect("a file");
    sshd.run_in(&scene, &folder, &["plan", "--check"]).ok();
    sshd.run(&scene, &["plan", "--stack", &crm, "--check"]).ok();
}

/// A person at a terminal who types this.
fn typed(inside: &Command, folder: &Path, words: &str) -> Ran {
    let args: Vec<String> = inside.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let line = format!("{} {}", mainstay_e2e::binary().display(), args.join(" "));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(folder);
    for (name, value) in inside.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let input = folder.join("typed");
    fs::write(&input, words).expect("a file");
    script.stdin(Stdio::from(fs::File::open(&input).expect("a file")));
    Ran::of(script)
}

#[test]
fn a_database_there_must_be_backed_up_proven_and_restored() {
    if !ready() {
        return;
    }
    let scene = Scene::new("dbsshback");
    let sshd = Sshd::start(&scene);
    let folder = away(&scene, "backup: { to: ./backups, keep: { daily: 1 } }", &[]);
    scene.mainstay(&["secret", "recovery-key", scene.folder().join("recovery.txt").to_str().expect("text")]).ok();
    let db = |args: &[&str]| no_secret(sshd.run_in(&scene, &folder, &[&["db"], args].concat()));
    let command = |args: &[&str]| sshd.command(&scene, &folder, &[&["db"], args].concat());
    sshd.run_in(&scene, &folder, &["up", "--yes"]).ok();
    sql(&scene, "create table guests (id int primary key, name text); insert into guests values (1, 'Ada')");

    let id = db(&["backup", "--reason", "before the import"]).ok().says("backed up to").stdout.trim().to_owned();
    let place = scene.state_dir().join("stacks").join(scene.name("crm")).join("backups");
    assert!(place.is_dir() && !folder.join("backups").exists(), "it lies on the host");
    db(&["backup", "verify"]).ok().says(&id);
    db(&["drill"]).ok().says("is proven");
    let listed = db(&["backups", "--json"]).ok().json();
    assert_eq!(
        (&listed["backups"][0]["id"], &listed["backups"][0]["standing"]),
        (&id.clone().into(), &"proven".into())
    );
    db(&["status", "--check"]).ok().prints(&id);
    db(&["retention"]).ok().prints("stays");

    let lose = || sql(&scene, "delete from guests");
    let guests = || sql(&scene, "select string_agg(name, ' ') from guests");
    let restore = ["restore", &id, "--table", "public.guests", "--no-backup"];
    lose();
    db(&restore).code(5).says("counts as production");
    with(command(&restore), "CONFIRM_PROD", "1").code(5).says("no terminal to ask on");
    with(command(&[&restore[..], &["--yes"]].concat()), "CONFIRM_PROD", "1").ok().says("restored from backup");
    assert_eq!(guests(), "Ada");
    lose();
    let mut asks = command(&restore);
    asks.env("CONFIRM_PROD", "1");
    let said = typed(&asks, &folder, "n\n");
    assert!(said.code == Some(5) && guests().is_empty(), "{said:?}");
    let said = typed(&asks, &folder, "y\n").ok();
    assert!(said.stdout.contains("Restore `crm`") && guests() == "Ada", "{said:?}");
    lose();
    let plan = db(&["restore", &id, "--dry-run", "--json"]).ok().json();
    db(&["restore", &id, "--confirm", &plan["digest"].as_str().expect("a digest")[..12]]).ok().says("is restored");
    assert_eq!(guests(), "Ada");
    db(&["backups"]).ok().prints("before restore");
    db(&["restore", "--back", "--yes"]).code(5);
    with(command(&["restore", "--back", "--yes"]), "CONFIRM_PROD", "1").ok();
    assert_eq!(guests(), "");
}

#[test]
fn a_key_that_may_look_must_look_and_change_nothing() {
    if !ready() {
        return;
    }
    let scene = Scene::new("dbsshscope");
    let sshd = Sshd::start(&scene);
    let folder = away(
        &scene,
        "migrations: { dir: ./sql }, backup: { to: ./backups, keep: { daily: 1 } }",
        &[("001.sql", "create table one (id int); create role web login password 'of-the-role';")],
    );
    scene.mainstay(&["secret", "recovery-key", scene.folder().join("recovery.txt").to_str().expect("text")]).ok();
    sshd.run_in(&scene, &folder, &["up", "--yes"]).ok();
    let crm = scene.name("crm");
    let bridge = mainstay_e2e::binary();
    sshd.let_in("limited_key", &format!("command=\"{} bridge --scope read:{crm}\",restrict ", bridge.display()));
    let broken = "insert into nowhere values ('of-the-role');";
    sshd.client("limited_key");
    let run = |args: &[&str]| no_secret(sshd.run(&scene, &[&["db"], args, &["--stack", &crm]].concat()));
    run(&["migrate", "plan"]).ok().prints("001.sql");
    run(&["migrate", "status", "--json"]).ok().prints("001.sql");
    run(&["status"]).ok().prints("none");
    run(&["backups", "--json"]).ok();
    run(&["retention"]).ok();
    run(&["drift", "--check"]).code(6);
    sshd.client("user_key");
    scene.file("crm", "sql/002.sql", broken);
    sshd.run_in(&scene, &folder, &["up", "--yes"]).ok();
    sshd.client("limited_key");
    run(&["drift"]).code(3).says("do not run on an empty database").says("002.sql").says("by hand, or send the files");
    for args in [
        &["migrate", "apply", "--yes"][..],
        &["migrate", "adopt", "001.sql"],
        &["migrate", "rehearse"],
        &["backup"],
        &["drill"],
        &["retention", "--apply"],
        &["restore", "--dry-run"],
    ] {
        run(args).code(2).says("needs the scope `admin`");
    }
    run(&["backups", "--to", "/etc"]).code(2).says("`--to` leads elsewhere on that machine");
    run(&["migrate", "plan", "--dir", "/etc"]).code(2).says("`--dir` leads elsewhere on that machine");
    // Files of his own, under the same name.
    let told = sshd.run_in(&scene, &folder, &["db", "migrate", "plan"]).code(2).says("needs the scope `admin`");
    told.says("`--stack NAME`, in another folder");
    with(sshd.command(&scene, &folder, &["db", "migrate", "apply"]), "CONFIRM_PROD", "1").code(2);
    assert_eq!(sql(&scene, "select to_regclass('schema_migrations') is null"), "t");
}

#[test]
fn over_https_migrations_must_go_along_and_ctrl_c_must_leave_nothing_half_done() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("dbhttps");
    let folder = away(&scene, "migrations: { dir: ./sql }", &[("001.sql", "create table one (id int);")]);
    let port = free_port();
    let server = scene.serve_with(&["--listen", &format!("127.0.0.1:{port}")]);
    let outside = Outside::of(&server, port);
    let crm = scene.name("crm");
    let token = |name: &str, scope: &str| {
        scene.mainstay(&["token", "create", name, "--scope", scope]).ok().stdout.trim().to_owned()
    };
    let (admin, reader) = (token("ops", "admin"), token("reader", &format!("read:{crm}")));
    let run = |args: &[&str]| no_secret(outside.run_in(&scene, &folder, &admin, args));
    let apply = || {
        let mut command = outside.command(&scene, &folder, &admin, &["db", "migrate", "apply"]);
        command.env("CONFIRM_PROD", "1");
        command
    };
    run(&["up", "--yes"]).ok();
    run(&["db", "migrate", "plan"]).ok().prints("001.sql");
    Ran::of(apply()).ok().says("✔ 001.sql");
    outside.run(&scene, &reader, &["db", "migrate", "status", "--stack", &crm]).ok().prints("001.sql");
    let refused = outside.run(&scene, &reader, &["db", "migrate", "apply", "--stack", &crm]).code(2);
    refused.says("needs the scope `admin`, and the token reader has");

    scene.file("crm", "sql/002.sql", "create table two (id int); select pg_sleep(100);");
    let sleeping = || {
        sql(
            &scene,
            "select count(*) from pg_stat_activity where query like '%pg_sleep(100)%' and pid <> pg_backend_pid()",
        )
    };
    let running = Running::spawn(apply(), "apply".to_owned());
    eventually("it has begun", SOON, || (sleeping() == "1").then_some(()));
    running.interrupt();
    running.ends(SOON).code(130);
    assert_eq!((applied(&scene).as_str(), sleeping().as_str()), ("001.sql", "0"));
    assert_eq!(sql(&scene, "select to_regclass('two') is null"), "t");
    // One whose other end is gone.
    let running = Running::spawn(apply(), "apply".to_owned());
    eventually("it has begun", SOON, || (sleeping() == "1").then_some(()));
    running.kill();
    eventually("it has ended", SOON, || (sleeping() == "0").then_some(()));
    assert_eq!(applied(&scene), "001.sql");
    eventually("nothing of it lies there", SOON, || (sets(&scene) == 1).then_some(()));
}
