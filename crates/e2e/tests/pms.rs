//! The booking system of `examples/pms` lives through its database being absent, behind, gone and back; its containers
//! are started once. Its backups are proven every night.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mainstay_e2e::{Scene, binary, docker_json, docker_ok, eventually, logs_of, require_engine, started_at};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(90);

/// Built beside the tests, as the binary is.
fn program() -> PathBuf {
    let path = binary().parent().expect("target/<profile>").join("pms-backend");
    assert!(path.is_file(), "{} is not built: run `cargo build --workspace` first", path.display());
    path
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// A status and a body; nothing while nobody answers.
fn get(port: u16, path: &str) -> Option<(u16, Value)> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: pms\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let body = answer.split_once("\r\n\r\n")?.1;
    Some((status, serde_json::from_str(body).ok()?))
}

const DATABASE: &str = "
services:
  supabase-db:
    image: postgres:15
    environment: { POSTGRES_PASSWORD: hunter2 }
    command: [postgres, -c, fsync=off]
    # Of a name: `down` keeps it, and the scene takes it away, where one without a name would be left for ever.
    volumes: ['data:/var/lib/postgresql/data']
    networks: { supabase: { aliases: [supabase-db] } }
    stop_grace_period: 5s
networks:
  supabase: { external: true, name: NETWORK }
volumes: { data: {} }
x-mainstay:
  databases:
    pms:
      service: supabase-db
      migrations: { dir: EXAMPLE/migrations, table: public.pms_schema_migrations }
      drift: { before: EXAMPLE/before.sql }
";

const PMS: &str = "
x-service: &service
  image: mainstay-base:bookworm
  restart: unless-stopped
  environment:
    DATABASE_URL: postgres://postgres:hunter2@supabase-db:5432/postgres
    DB_STARTUP_MAX_WAIT_SECONDS: '3'
    DB_STARTUP_RETRY_INTERVAL_SECONDS: '0.5'
    DB_BACKGROUND_RECONNECT_INTERVAL_SECONDS: '1'
    DB_CHECK_INTERVAL_SECONDS: '1'
    SCHEMA_CHECK_INTERVAL_SECONDS: '1'
  volumes: ['PROGRAM:/usr/local/bin/pms-backend:ro']
  networks: [default, supabase]
  stop_grace_period: 3s
services:
  pms-backend:
    <<: *service
    command: [pms-backend]
    ports: ['127.0.0.1:PORT:8080']
  pms-worker-v2:
    <<: *service
    command: [pms-backend, worker]
networks:
  supabase: { external: true, name: NETWORK }
";

/// The folder of the example.
fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pms").canonicalize().expect("the example")
}

#[test]
fn a_booking_system_lives_through_its_database_being_absent_behind_gone_and_back() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("pms");
    let (port, network) = (free_port(), scene.foreign_network("supabase"));
    let example = example();
    let folder = example.display().to_string();
    scene.stack("db", &DATABASE.replace("NETWORK", &network).replace("EXAMPLE", &folder));
    scene.file("db", ".env.dev", "");
    let program = program().display().to_string();
    let pms = PMS.replace("NETWORK", &network).replace("PROGRAM", &program).replace("PORT", &port.to_string());
    scene.stack("pms", &pms);
    let ready = |sentence: &str, wish: &dyn Fn(u16, &Value) -> bool| {
        let ask = || get(port, "/health/ready").filter(|(status, body)| wish(*status, body)).map(|(_, body)| body);
        eventually(sentence, PATIENCE, ask)
    };

    // Absent at start: the stack is up, and says what it lacks.
    scene.on("pms", &["up"]).ok();
    let absent = ready("degraded, by name", &|status, body| {
        status == 503 && body["component"] == "database" && body["components"][0]["state"] == "degraded"
    });
    assert_eq!(absent["components"][0]["code"], "name-not-found");
    assert_eq!(get(port, "/health").expect("it answers").0, 200);
    assert_eq!(get(port, "/health/live").expect("it answers").0, 200);
    let containers = [scene.container("pms", "pms-backend"), scene.container("pms", "pms-worker-v2")];
    let starts = || containers.each_ref().map(|container| started_at(container));
    let at_first = starts();

    // There, and behind: not even what the first migration stands on.
    scene.on("db", &["up"]).ok();
    let reason = |body: &Value| body["reason"].as_str().unwrap_or_default().to_owned();
    ready("behind", &|status, body| {
        status == 503 && body["component"] == "schema" && reason(body).contains("does not exist")
    });
    let database = scene.container("db", "supabase-db");
    let sql =
        |query: &str| docker_ok(&["exec", "-u", "postgres", &database, "psql", "-v", "ON_ERROR_STOP=1", "-c", query]);
    sql(&std::fs::read_to_string(example.join("before.sql")).expect("a file of the example"));
    let first = "schema out of date: relation \"channel_sync_logs\" does not exist; \
        20251227000000_create_channel_sync_logs.sql brings it: mainstay db migrate apply";
    ready("the first migration is named", &|_, body| reason(body) == first);
    scene.on("db", &["db", "migrate", "apply", "--env", "dev"]).ok().says("applied 3 migrations");
    let bookings = || get(port, "/bookings").filter(|(status, _)| *status == 200);
    eventually("the bookings are answered", PATIENCE, bookings);

    // The services were built for what the migrations make.
    scene.on("db", &["db", "drift", "--check"]).ok();
    let written = scene.dir("db").join("schema.json");
    scene.on("db", &["db", "drift", "--write-expectation", written.to_str().expect("text")]).ok();
    let of = |path: &Path| std::fs::read_to_string(path).expect("an expectation");
    assert_eq!(of(&written), of(&example.join("backend/schema.json")), "write it anew: examples/pms/README.md");

    // The ledger is full, and the column is gone: looked for as soon as a look is due, and named with its file.
    sql("ALTER TABLE guests RENAME total_bookings TO bookings_total");
    let missing = "column \"total_bookings\" of relation \"guests\" does not exist; 20260103120000_ensure_guests_metrics_columns.sql";
    ready("behind again", &|status, body| status == 503 && reason(body).contains(missing));
    sql("ALTER TABLE guests RENAME bookings_total TO total_bookings");
    // A newer version has been here: the older one serves, and says so.
    sql("INSERT INTO pms_schema_migrations (filename) VALUES ('20270101000000_later.sql')");
    let note = |body: &Value| {
        body["components"][1]["message"].as_str().unwrap_or_default().contains("20270101000000_later.sql")
    };
    ready("ahead", &|status, body| status == 200 && note(body));

    // Gone, and back.
    ready("ready, of the first generation", &|status, body| status == 200 && body["components"][0]["generation"] == 1);
    docker_ok(&["stop", "-t", "5", &database]);
    ready("gone", &|status, body| status == 503 && body["component"] == "database");
    docker_ok(&["start", &database]);
    ready("ready, of the second generation", &|status, body| status == 200 && body["components"][0]["generation"] == 2);
    let works = || logs_of(&containers[1]).contains("working again").then_some(());
    eventually("the worker works again", PATIENCE, works);

    assert_eq!(starts(), at_first, "no container was started again");
    for container in &containers {
        assert_eq!(docker_json(container)["RestartCount"], 0);
        assert!(!logs_of(container).contains("hunter2"));
    }
    scene.on("pms", &["down"]).ok();
    scene.on("db", &["down"]).ok();
}

/// The example's own database, as a stack of the scene; on its own network.
fn database_of_the_example(scene: &Scene) {
    let compose = std::fs::read_to_string(example().join("database/compose.yaml")).expect("a file of the example");
    let named = compose.replace("name: pms-database\n", "");
    assert_ne!(named, compose, "it has a name of its own");
    scene.stack("database", &named);
    for name in ["before.sql", "migrations"] {
        let copied = Command::new("cp").arg("-a").arg(example().join(name)).arg(scene.folder()).status();
        assert!(copied.expect("cp runs").success());
    }
    let network = scene.name("supabase");
    scene.file("database", ".env", &format!("POSTGRES_PASSWORD=hunter2\nSUPABASE_NETWORK={network}\n"));
}

/// Flips one byte in the middle of what the newest backup has stored.
fn damage(scene: &Scene, backup: &str) {
    let shelf = scene.dir("database").join("backups").join(scene.name("database")).join("pms");
    let dump = shelf.join(format!("{backup}.dump.age"));
    let mut bytes = std::fs::read(&dump).expect("what is stored");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&dump, bytes).expect("the same with one byte flipped");
}

#[test]
fn backups_are_proven_every_night_and_a_damaged_one_turns_the_status_red_until_the_next_is_proven() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("pmsnight");
    database_of_the_example(&scene);
    let server = scene.serve();
    scene.on("database", &["secret", "recovery-key", "recovery.txt"]).ok();
    scene.on("database", &["up", "--yes"]).ok();
    let database = scene.container("database", "supabase-db");
    let rows =
        "insert into guests (tenant_id, name) select gen_random_uuid(), 'guest ' || i from generate_series(1, 2000) i";
    docker_ok(&["exec", "-u", "postgres", &database, "psql", "-qc", rows]);
    let memory = format!("{}/pms", scene.name("database"));
    let status = || scene.on("database", &["db", "status", "--json"]).ok().json();

    // By itself: a backup at three, its proof half an hour later.
    let server = scene.after_a_night(server, &memory, &["backup", "drill"]);
    let proven =
        eventually("a proven backup", PATIENCE, || Some(status()).filter(|told| told["last_proof"].is_object()));
    assert_eq!(proven["last_proof"]["id"], proven["last_backup"]["id"]);
    assert!(proven["rto_ms"].as_u64().expect("a measured time") > 0 && proven["rpo_s"].as_i64().expect("a time") >= 0);
    assert!(proven["next_backup"].is_string() && proven["next_drill"].is_string());
    scene.on("database", &["db", "status", "--check"]).ok();
    let listed = scene.on("database", &["db", "backups", "--json"]).ok().json();
    let newest = &listed["backups"][0];
    assert_eq!((newest["reason"].as_str(), newest["standing"].as_str()), (Some("scheduled"), Some("proven")));

    // One byte of it, and the next night's drill.
    damage(&scene, newest["id"].as_str().expect("an id"));
    let server = scene.after_a_night(server, &memory, &["drill"]);
    let red = || Some(scene.on("database", &["ps"])).filter(|ps| ps.stderr.contains("the last drill did not hold"));
    let told = eventually("`ps` says that it is damaged", PATIENCE, red);
    assert!(told.stderr.contains("backups of `pms`") && told.stderr.contains("mainstay db status"), "{}", told.stderr);
    scene.on("database", &["db", "status", "--check"]).code(6).says("the last drill did not hold").says("is damaged");
    let problems = scene.history_of("problem");
    assert!(problems.iter().any(|one| one.to_string().contains("the scheduled drill of `pms` failed")), "{problems:?}");
    assert_eq!(status()["last_proof"], proven["last_proof"], "what was proven once was proven then");

    // The night after brings a good one.
    let _server = scene.after_a_night(server, &memory, &["backup", "drill"]);
    let green = || (scene.on("database", &["db", "status", "--check"]).code == Some(0)).then_some(());
    eventually("all is well again", PATIENCE, green);
    assert_ne!(status()["last_proof"]["id"], proven["last_proof"]["id"]);
    let calm = || (!scene.on("database", &["ps"]).stderr.contains("backups of `pms`")).then_some(());
    eventually("`ps` says nothing more", PATIENCE, calm);
}
