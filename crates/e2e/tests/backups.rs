//! Backups of a real Postgres: what is stored, what is found in it, and what is left of one that was broken off.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mainstay_e2e::{Dumper, Scene, SmallDisk, docker, docker_ok, eventually, require_engine};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(180);

/// A stack with a database that is up, whose backups go where `to` says; a key that is kept elsewhere is made.
fn stack(name: &str, image: &str, to: &str) -> Scene {
    let scene = Scene::new(name);
    scene.stack(
        "one",
        &format!(
            "services:
  db:
    image: {image}
    environment: {{ POSTGRES_PASSWORD: it is a secret, POSTGRES_DB: crm }}
    stop_grace_period: 2s
    healthcheck:
      test: [CMD, pg_isready, -h, 127.0.0.1, -U, postgres]
      interval: 500ms
      retries: 60
x-mainstay:
  databases:
    crm: {{ service: db, backup: {{ to: {to}, keep: {{ daily: 2 }} }} }}
"
        ),
    );
    scene.on("one", &["up", "--yes"]).ok();
    scene.mainstay(&["secret", "recovery-key", &path(&recovery_key(&scene))]).ok();
    scene
}

fn recovery_key(scene: &Scene) -> PathBuf {
    scene.folder().join("recovery.txt")
}

fn path(path: &Path) -> String {
    path.to_str().expect("a temporary path is text").to_owned()
}

fn sql(scene: &Scene, query: &str) -> String {
    let container = scene.container("one", "db");
    let psql = ["psql", "-U", "postgres", "-d", "crm", "-XAqt", "-v", "ON_ERROR_STOP=1", "-c", query];
    docker_ok(&[&["exec", &container], &psql[..]].concat())
}

fn back_up(scene: &Scene) -> String {
    scene.on("one", &["db", "backup"]).ok().stdout.trim().to_owned()
}

/// The place of the database's backups in the stack's folder `backups`.
fn shelf(scene: &Scene) -> PathBuf {
    scene.dir("one").join("backups").join(scene.name("one")).join("crm")
}

fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn listed(scene: &Scene) -> Value {
    scene.on("one", &["db", "backups", "--json"]).ok().json()
}

/// Enough that a dump takes a while.
fn fill(scene: &Scene) {
    sql(
        scene,
        "create table filler as select i, (select string_agg(md5(random()::text), '') from generate_series(1, 20) j where i > 0) t \
         from generate_series(1, 40000) i",
    );
}

/// A backup that is in the middle and stays there: its `pg_dump` does not move.
struct Halfway {
    running: mainstay_e2e::Running,
    dumper: Dumper,
}

impl Halfway {
    /// `folder` is where it lies.
    fn reach(scene: &Scene, folder: &Path) -> Halfway {
        let running = scene.start("one", &["db", "backup"]);
        let dumper = Dumper::hold(&scene.container("one", "db"), || format!("{:?}", running.stderr()));
        let halfway = Halfway { running, dumper };
        assert!(files(folder).iter().any(|name| name.ends_with(".begun")), "{:?}", files(folder));
        assert!(!files(folder).iter().any(|name| name.contains(".manifest")), "it was too fast: {:?}", files(folder));
        halfway
    }

    fn signal(&self, signal: &str) {
        assert!(self.dumper.signal(signal), "kill {signal} {}", self.dumper.pid);
    }

    /// Goes on from there.
    fn go_on(self) -> mainstay_e2e::Running {
        self.signal("-CONT");
        self.running
    }
}

fn everything_of(image: &str, name: &str) {
    if !require_engine() {
        return;
    }
    let scene = stack(name, image, "./backups");
    sql(
        &scene,
        "create schema \"we ird\"; create table \"we ird\".\"tab\"\"le\" (id serial primary key, t text, f float8 default random());
         insert into \"we ird\".\"tab\"\"le\" (t) select repeat('x', i % 50) from generate_series(1, 5000) i;
         create table nothing (); create table t (t int); insert into t values (1), (2), (null);
         create table parts (a int) partition by range (a); create table part1 partition of parts for values from (0) to (10);
         insert into parts values (1), (2); create materialized view seen as select * from t;
         create table gen (a int generated always as identity, b int generated always as (7) stored);
         insert into gen default values; select lo_from_bytea(0, decode(repeat('ab', 3000), 'hex'));
         create role guest login password 'not in any manifest'; grant select on t to guest;
         alter database crm set app.jwt_secret = 'hunter2'",
    );
    let made = scene.on("one", &["db", "backup", "--reason", "before the import", "--json"]).ok();
    let told = made.json();
    assert_eq!((told["tables"].as_u64(), told["recipients"].as_array().map(Vec::len)), (Some(7), Some(2)));
    assert_eq!(told["reason"], "manual: before the import");
    let id = told["id"].as_str().expect("an id");
    assert_eq!(files(&shelf(&scene)), [format!("{id}.dump.age"), format!("{id}.manifest.age")]);
    let backups = listed(&scene);
    assert_eq!(
        (&backups["backups"][0]["id"], &backups["backups"][0]["standing"]),
        (&told["id"], &Value::from("unproven"))
    );

    scene.on("one", &["db", "backup", "verify", id]).ok().says("as stored");
    // Whoever has only the key that is kept elsewhere can open it, too.
    let key = path(&recovery_key(&scene));
    scene.on("one", &["db", "backup", "verify", "--identity", &key]).ok();
    for text in [&made.stdout, &made.stderr, &backups.to_string()] {
        assert!(!text.contains("hunter2") && !text.contains("it is a secret"), "{text}");
    }
    let stored = fs::read(shelf(&scene).join(format!("{id}.manifest.age"))).expect("the manifest");
    assert!(!String::from_utf8_lossy(&stored).contains("hunter2"));
    assert_eq!(sql(&scene, "select count(*) from pg_stat_activity where application_name like 'mainstay%'"), "0");
}

#[test]
fn a_backup_of_postgres_15_has_everything_and_tells_no_secret() {
    everything_of("postgres:15", "bk15");
}

#[test]
fn a_backup_of_postgres_17_has_everything_and_tells_no_secret() {
    everything_of("postgres:17", "bk17");
}

#[test]
fn without_a_second_key_there_is_no_backup() {
    if !require_engine() {
        return;
    }
    let scene = stack("bkkey", "postgres:15", "./backups");
    fs::remove_file(scene.state_dir().join("recovery.recipient")).expect("the public half");
    scene.on("one", &["db", "backup"]).code(2).says("only this host could open").says("secret recovery-key");
    assert_eq!(files(&shelf(&scene)), Vec::<String>::new());
}

#[test]
fn what_was_done_to_stored_files_is_found() {
    if !require_engine() {
        return;
    }
    let scene = stack("bkhurt", "postgres:15", "./backups");
    let (one, two) = (back_up(&scene), back_up(&scene));
    let at = |id: &str, part: &str| shelf(&scene).join(format!("{id}.{part}.age"));
    let verify = |id: &str| scene.on("one", &["db", "backup", "verify", id]);

    let whole = fs::read(at(&one, "dump")).expect("the data");
    let mut other = whole.clone();
    other[whole.len() / 2] ^= 1;
    fs::write(at(&one, "dump"), &other).expect("another byte");
    verify(&one).code(1).says("is damaged");
    fs::write(at(&one, "dump"), &whole[..whole.len() / 2]).expect("a half");
    verify(&one).code(1).says("were stored");
    assert_eq!(listed(&scene)["unusable"][0]["id"], one.as_str(), "what is not whole is no backup");
    fs::write(at(&one, "dump"), &whole).expect("the data");
    verify(&one).ok();

    let swap = |part: &str| {
        let other = shelf(&scene).join("other");
        fs::rename(at(&one, part), &other).expect("away");
        fs::rename(at(&two, part), at(&one, part)).expect("in its place");
        fs::rename(&other, at(&two, part)).expect("in the other's place");
    };
    swap("manifest");
    scene.on("one", &["db", "backup", "verify", "--all"]).code(1).says("its manifest is that of");
    swap("manifest");
    scene.on("one", &["db", "backup", "verify", "--all"]).ok();
}

#[test]
fn a_backup_that_is_ended_in_the_middle_is_none_and_leaves_nothing() {
    if !require_engine() {
        return;
    }
    let scene = stack("bkend", "postgres:15", "./backups");
    fill(&scene);
    let sessions = "select count(*) from pg_stat_activity where application_name like 'mainstay%'";

    let halfway = Halfway::reach(&scene, &shelf(&scene));
    halfway.running.interrupt();
    eventually("its files are gone", SOON, || files(&shelf(&scene)).is_empty().then_some(()));
    halfway.go_on().ends(LONG).code(130).says("there is no new backup");
    assert_eq!(files(&shelf(&scene)), Vec::<String>::new());
    eventually("no session of it is left", SOON, || (sql(&scene, sessions) == "0").then_some(()));

    let halfway = Halfway::reach(&scene, &shelf(&scene));
    halfway.signal("-CONT");
    halfway.running.kill();
    assert!(!files(&shelf(&scene)).is_empty(), "nobody was there to clear up");
    assert_eq!(listed(&scene)["backups"], Value::Array(Vec::new()));
    let made = scene.on("one", &["db", "backup"]).ok().says("cleared away");
    let id = made.stdout.trim();
    assert_eq!(files(&shelf(&scene)), [format!("{id}.dump.age"), format!("{id}.manifest.age")]);
    eventually("no session of it is left", SOON, || (sql(&scene, sessions) == "0").then_some(()));
}

#[test]
fn a_dumper_that_is_killed_makes_no_backup() {
    if !require_engine() {
        return;
    }
    let scene = stack("bkdump", "postgres:15", "./backups");
    fill(&scene);
    let halfway = Halfway::reach(&scene, &shelf(&scene));
    let process = Path::new("/proc").join(&halfway.dumper.pid);
    let line = fs::read_to_string(process.join("cmdline")).expect("its command line");
    assert!(!line.contains("secret"), "{line}");
    halfway.signal("-KILL");
    halfway.running.ends(LONG).code(1).says("`pg_dump` failed with exit code 137");
    assert_eq!(files(&shelf(&scene)), Vec::<String>::new());
    back_up(&scene);
}

#[test]
fn a_full_disk_makes_no_backup_and_takes_no_earlier_one() {
    if !require_engine() {
        return;
    }
    let scene = stack("bkfull", "postgres:15", "./backups");
    let Some(disk) = SmallDisk::at(&scene.dir("one").join("backups"), 16) else { return };
    let id = back_up(&scene);
    fill(&scene);
    disk.fill_but(3000);
    scene.on("one", &["db", "backup"]).code(4).says("No space left").says("make room");
    assert_eq!(files(&shelf(&scene)), [format!("{id}.dump.age"), format!("{id}.manifest.age")]);
    disk.clear();
    scene.on("one", &["db", "backup", "verify", &id]).ok();
}

#[test]
fn a_role_that_row_security_holds_for_backs_nothing_up() {
    if !require_engine() {
        return;
    }
    let scene = stack("bkrls", "postgres:15", "./backups");
    sql(
        &scene,
        "create table mine (id int, owner text); insert into mine select i, 'x' from generate_series(1, 99) i;
         alter table mine enable row level security; create role reader login password 'r';
         grant pg_read_all_data to reader",
    );
    let compose = scene.dir("one").join("compose.yaml");
    let text = fs::read_to_string(&compose).expect("the Compose file");
    fs::write(&compose, text.replace("{ service: db,", "{ service: db, user: reader, password: r,")).expect("it");
    scene.on("one", &["db", "backup"]).code(1).says("mine").says("row");
    assert_eq!(files(&shelf(&scene)), Vec::<String>::new());
}

#[test]
fn what_is_written_during_the_dump_is_not_in_it() {
    if !require_engine() {
        return;
    }
    let scene = stack("bkwrite", "postgres:15", "./backups");
    fill(&scene);
    sql(&scene, "create table counted (i int); insert into counted select generate_series(1, 1000)");
    let halfway = Halfway::reach(&scene, &shelf(&scene));
    sql(&scene, "insert into counted select generate_series(1, 77)");
    let ended = halfway.go_on().ends(LONG).ok();
    // The rows of the manifest are those of the snapshot: it was taken before these came.
    ended.says("41000 rows in 2 tables");
}

#[test]
fn a_server_elsewhere_is_backed_up_with_the_programs_of_an_image_of_its_version() {
    if !require_engine() {
        return;
    }
    let scene = stack("bkurl", "postgres:15", "./backups");
    sql(&scene, "create table t as select generate_series(1, 10) i");
    let database = scene.container("one", "db");
    let address = docker_ok(&["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", &database]);
    let place = path(&scene.folder().join("elsewhere"));
    let mut command = scene.command(&["db", "backup", "--to", &place, "--json"]);
    command.env("DATABASE_URL", format!("postgres://postgres:it%20is%20a%20secret@{address}/crm?sslmode=disable"));
    let told = mainstay_e2e::Ran::of(command).ok();
    assert_eq!(told.json()["tables"], 1);
    let left = docker_ok(&["ps", "-aq", "--filter", "label=dev.mainstay.tools"]);
    assert_eq!(left, "", "what was there for a moment is gone");
}

#[test]
fn retention_shows_its_plan_and_keeps_all_until_one_is_proven() {
    if !require_engine() {
        return;
    }
    let scene = stack("bkkeep", "postgres:15", "./backups");
    for _ in 0..3 {
        back_up(&scene);
    }
    let plan = scene.on("one", &["db", "retention", "--json"]).ok().json();
    let kept = plan["fates"].as_array().expect("fates").iter().filter(|fate| fate["kept"] == true).count();
    assert_eq!(kept, 3, "nothing was proven: {plan}");
    scene.on("one", &["db", "retention", "--apply"]).ok();
    assert_eq!(listed(&scene)["backups"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_schedule_makes_backups_and_what_fails_is_an_open_problem_until_it_is_mended() {
    if !require_engine() {
        return;
    }
    let scene = stack("bkcron", "postgres:15", "./backups");
    let compose = scene.dir("one").join("compose.yaml");
    let text = fs::read_to_string(&compose).expect("the Compose file");
    fs::write(&compose, text.replace("keep:", "schedule: \"* * * * *\", zone: UTC, keep:")).expect("it");
    let _server = scene.serve();
    // Nothing of the containers changes: that what is declared does, is enough.
    scene.on("one", &["up", "--yes"]).ok();
    scene.on("one", &["db", "status", "--check"]).code(6).says("there is none");
    docker_ok(&["stop", "-t", "2", &scene.container("one", "db")]);
    // By the clock itself: what is made up after a night is asked for in pms.rs.
    eventually("the failure is an open problem", LONG, || {
        scene.on("one", &["ps"]).stderr.contains("the last attempt failed").then_some(())
    });
    assert!(
        scene.history_of("problem").iter().any(|entry| entry.to_string().contains("scheduled backup of `crm` failed"))
    );
    docker_ok(&["start", &scene.container("one", "db")]);
    // One by hand mends it, or the next minute's.
    eventually("the database answers, and a backup is made", SOON, || {
        (scene.on("one", &["db", "backup"]).code == Some(0)).then_some(())
    });
    assert!(!scene.on("one", &["ps"]).stderr.contains("the last attempt failed"));
    scene.on("one", &["db", "status", "--check"]).ok();
}

#[test]
fn a_migration_in_production_is_backed_up_first_or_not_applied() {
    if !require_engine() {
        return;
    }
    let scene = stack("bkmig", "postgres:15", "./backups");
    let compose = scene.dir("one").join("compose.yaml");
    let text = fs::read_to_string(&compose).expect("the Compose file");
    fs::write(&compose, text.replace("backup: {", "migrations: { dir: ./sql }, backup: {")).expect("it");
    scene.file("one", "sql/0001_guests.sql", "create table guests (id int)");
    let recipient = scene.state_dir().join("recovery.recipient");
    let kept = fs::read(&recipient).expect("the public half");
    fs::remove_file(&recipient).expect("the public half");
    let plan = scene.on("one", &["db", "migrate", "plan", "--json"]).ok().json();
    let digest = &plan["digest"].as_str().expect("a digest")[..12];
    let apply = ["db", "migrate", "apply", "--confirm", digest];
    scene.on("one", &apply).code(2).says("no backup before the migration, so nothing was applied").says("--no-backup");
    assert_eq!(sql(&scene, "select to_regclass('public.guests')"), "");
    fs::write(&recipient, kept).expect("the public half");
    scene.on("one", &apply).ok().says("applied 1 migration");
    let backups = listed(&scene);
    assert_eq!(backups["backups"][0]["reason"], "before migration");
    assert_eq!(backups["backups"].as_array().map(Vec::len), Some(1));
}

/// An S3 server beside the scene, with its buckets as folders.
struct S3 {
    name: String,
    data: PathBuf,
    address: String,
}

impl S3 {
    fn start(scene: &Scene) -> S3 {
        let data = scene.folder().join("s3");
        fs::create_dir_all(data.join("backups")).expect("a bucket");
        let name = scene.name("s3");
        let mount = format!("{}:/data", path(&data));
        docker_ok(&[
            "run",
            "-d",
            "--name",
            &name,
            "-v",
            &mount,
            "-p",
            "127.0.0.1::3900",
            "mainstay-test/rclone:1",
            "--auth-key",
            "GKaccess,hunter2hunter2",
        ]);
        let address = docker_ok(&["port", &name, "3900/tcp"]);
        let s3 = S3 { name, data, address: address.lines().next().expect("a port").to_owned() };
        eventually("the S3 server answers", SOON, || std::net::TcpStream::connect(&s3.address).ok());
        s3
    }

    fn to(&self) -> String {
        format!(
            "{{ url: s3://backups/nightly, endpoint: \"http://{}\", access_key: GKaccess, secret_key: hunter2hunter2 }}",
            self.address
        )
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        docker(&["rm", "-fv", &self.name]);
    }
}

/// The stack with its backups in a bucket.
fn stack_with_s3(name: &str) -> (Scene, S3) {
    let scene = stack(name, "postgres:17", "./backups");
    let s3 = S3::start(&scene);
    let compose = scene.dir("one").join("compose.yaml");
    let text = fs::read_to_string(&compose).expect("the Compose file");
    fs::write(&compose, text.replace("to: ./backups", &format!("to: {}", s3.to()))).expect("it");
    (scene, s3)
}

#[test]
fn backups_in_a_bucket_are_made_listed_and_verified() {
    if !require_engine() {
        return;
    }
    let (scene, s3) = stack_with_s3("bks3");
    fill(&scene);
    let made = scene.on("one", &["db", "backup", "--json"]).ok();
    let told = made.json();
    assert!(told["bytes"].as_u64().expect("bytes") > 8 << 20, "it takes more than one part: {told}");
    assert!(!made.stderr.contains("hunter2") && !made.stdout.contains("hunter2"));
    let shelf = s3.data.join("backups/nightly").join(scene.name("one")).join("crm");
    let id = told["id"].as_str().expect("an id").to_owned();
    assert_eq!(files(&shelf), [format!("{id}.dump.age"), format!("{id}.manifest.age")]);
    assert_eq!(listed(&scene)["backups"][0]["id"], id.as_str());
    scene.on("one", &["db", "backup", "verify"]).ok();
    // A part that the server has lost.
    fs::File::options()
        .write(true)
        .open(shelf.join(format!("{id}.dump.age")))
        .and_then(|file| file.set_len(1000))
        .expect("less");
    scene.on("one", &["db", "backup", "verify", &id]).code(1).says("is damaged");
}

#[test]
fn a_bucket_that_is_gone_in_the_middle_makes_no_backup_and_is_cleared_up_later() {
    if !require_engine() {
        return;
    }
    let (scene, s3) = stack_with_s3("bkgone");
    fill(&scene);
    let shelf = s3.data.join("backups/nightly").join(scene.name("one")).join("crm");
    let halfway = Halfway::reach(&scene, &shelf);
    docker_ok(&["stop", "-t", "0", &s3.name]);
    halfway.go_on().ends(LONG).code(4).says("s3://backups/nightly");
    docker_ok(&["start", &s3.name]);
    let address = docker_ok(&["port", &s3.name, "3900/tcp"]).lines().next().expect("a port").to_owned();
    let compose = scene.dir("one").join("compose.yaml");
    let text = fs::read_to_string(&compose).expect("the Compose file");
    fs::write(&compose, text.replace(&s3.address, &address)).expect("it");
    eventually("the S3 server answers", SOON, || std::net::TcpStream::connect(&address).ok());
    assert_eq!(listed(&scene)["backups"], Value::Array(Vec::new()));
    let id = back_up(&scene);
    assert_eq!(files(&shelf), [format!("{id}.dump.age"), format!("{id}.manifest.age")]);
}
