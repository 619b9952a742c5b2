//! A schema that is expected, on a real server.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use standing_pool::schema::{Expectation, Gravity};
use standing_pool::{Health, Settings};

use crate::server::{PATIENCE, Server, engine_answers, eventually, quick, standing};

const NEEDED: &str = r#"{
  "expectation": 1, "command": "mainstay db migrate apply", "ledger": "public.pms_schema_migrations",
  "files": ["1_guests.sql", "2_logs.sql", "3_metrics.sql"],
  "relations": [
    { "schema": "public", "name": "channel_sync_logs", "file": "2_logs.sql", "columns": [] },
    { "schema": "public", "name": "guests", "file": "1_guests.sql", "privileges": ["SELECT", "INSERT"], "row_security": { "file": "3_metrics.sql" },
      "columns": [
        { "name": "id", "type": "integer", "accepts": ["bigint", "numeric"], "file": "1_guests.sql" },
        { "name": "mood", "type": "public.mood", "file": "1_guests.sql" },
        { "name": "total_spent", "type": "numeric(12,2)", "accepts": ["numeric"], "file": "3_metrics.sql" } ],
      "indexes": [{ "name": "guests_spent", "file": "3_metrics.sql" }] } ],
  "enums": [{ "schema": "public", "name": "mood", "labels": [{ "name": "sad", "file": "1_guests.sql" }, { "name": "fine", "file": "3_metrics.sql" }] }] }"#;

const MADE: &str = "CREATE TYPE mood AS ENUM ('sad', 'fine'); CREATE TABLE channel_sync_logs (id int);
    CREATE TABLE guests (id bigint, mood mood, total_spent numeric(12,2)); CREATE INDEX guests_spent ON guests (total_spent);
    ALTER TABLE guests ENABLE ROW LEVEL SECURITY; CREATE ROLE app LOGIN PASSWORD 'hunter2';
    GRANT SELECT, INSERT ON guests, channel_sync_logs TO app";

async fn client(server: &Server, role: &str) -> standing_pool::tokio_postgres::Client {
    let url = format!("postgres://{role}:hunter2@127.0.0.1:{}/crm", server.port);
    standing_pool::connect(&Settings::for_url(&url).unwrap()).await.unwrap()
}

/// Everything that falls short, as the role of a service.
async fn told(server: &Server) -> Vec<String> {
    let client = client(server, "app").await;
    let found = Expectation::from_json(NEEDED).unwrap().ask(&client).await.unwrap();
    found.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn what_falls_short_is_said_in_the_servers_words_with_the_one_file_that_brings_it() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    let _pool = standing(&quick(&server.url())).await;
    server.sql(MADE);
    assert_eq!(told(&server).await, Vec::<String>::new());
    for (change, back, words) in [
        (
            "ALTER TABLE channel_sync_logs RENAME TO old_logs",
            "ALTER TABLE old_logs RENAME TO channel_sync_logs",
            "relation \"channel_sync_logs\" does not exist; 2_logs.sql brings it",
        ),
        (
            "ALTER TABLE guests RENAME total_spent TO spent",
            "ALTER TABLE guests RENAME spent TO total_spent",
            "column \"total_spent\" of relation \"guests\" does not exist; 3_metrics.sql brings it",
        ),
        (
            "ALTER TABLE guests ALTER id TYPE smallint",
            "ALTER TABLE guests ALTER id TYPE bigint",
            "column \"id\" of relation \"guests\" is smallint, and has to be integer; 1_guests.sql brings it",
        ),
        (
            "ALTER TABLE guests DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE guests ENABLE ROW LEVEL SECURITY",
            "row security is off on relation \"guests\"; 3_metrics.sql brings it",
        ),
        (
            "REVOKE INSERT ON guests FROM app",
            "GRANT INSERT ON guests TO app",
            "permission denied for relation \"guests\": INSERT is not granted",
        ),
        (
            "DROP INDEX guests_spent",
            "CREATE INDEX guests_spent ON guests (total_spent)",
            "index \"guests_spent\" does not exist; 3_metrics.sql brings it",
        ),
        (
            "ALTER TYPE mood RENAME VALUE 'fine' TO 'well'",
            "ALTER TYPE mood RENAME VALUE 'well' TO 'fine'",
            "enum \"mood\" has no label \"fine\"; 3_metrics.sql brings it",
        ),
        (
            "CREATE SCHEMA old; GRANT USAGE ON SCHEMA old TO app; CREATE TABLE old.guests (id int); ALTER ROLE app SET search_path = old, public",
            "ALTER ROLE app RESET search_path; DROP SCHEMA old CASCADE",
            "relation \"guests\" is hidden by \"old.guests\", which comes first in the search_path",
        ),
    ] {
        server.sql(change);
        assert_eq!(told(&server).await, [words], "{change}");
        server.sql(back);
    }
    assert_eq!(told(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn behind_is_not_ready_and_ahead_is_ready_with_a_note() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:17");
    let pool = standing(&quick(&server.url())).await;
    // The ledger has everything, and lies.
    server.sql("CREATE TABLE pms_schema_migrations (filename text); INSERT INTO pms_schema_migrations VALUES ('1_guests.sql'), ('2_logs.sql'), ('3_metrics.sql')");
    let health = Health::new().with_pool("database", &pool);
    let needed = Arc::new(Expectation::from_json(NEEDED).unwrap());
    health.watch("schema", &pool, Duration::from_secs(600), move |db| {
        let needed = needed.clone();
        Box::pin(async move { needed.look(db).await })
    });
    eventually("behind", PATIENCE, || health.components()[1].schema.is_some()).await;
    assert_eq!(health.ready().status, 503);
    let behind = health.components()[1].schema.clone().unwrap();
    assert_eq!((behind.file.as_str(), behind.command.as_str()), ("1_guests.sql", "mainstay db migrate apply"));
    server.sql(MADE);
    server.sql("INSERT INTO pms_schema_migrations VALUES ('4_more.sql'), ('5_even_more.sql')");
    // A statement that misses something is what makes it look before its time.
    let mut db = pool.get().await.unwrap();
    db.query("SELECT nothing FROM guests", &[]).await.expect_err("no such column");
    drop(db);
    eventually("ready", PATIENCE, || health.ready().status == 200).await;
    let note = health.components()[1].message.clone().unwrap();
    assert_eq!(
        note,
        "the database is ahead: 2 of its migrations are newer than this version, the last one 5_even_more.sql"
    );
}

#[tokio::test]
async fn a_migration_that_holds_its_lock_does_not_hold_up_the_answer() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    let _pool = standing(&quick(&server.url())).await;
    server.sql(MADE);
    let alter = "BEGIN; ALTER TABLE guests ADD COLUMN more int; ALTER TABLE channel_sync_logs ADD COLUMN more int; SELECT pg_sleep(600)";
    let mut holder = std::process::Command::new("docker");
    holder.args(["exec", &server.name, "psql", "-U", "postgres", "-d", "crm", "-c", alter]);
    let mut holder = holder.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let client = client(&server, "app").await;
    let held = "SELECT count(*) = 2 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation::regclass::text IN ('guests', 'channel_sync_logs')";
    let patience = Instant::now();
    while !client.query_one(held, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(patience.elapsed() < PATIENCE, "the locks are held");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client.batch_execute("SET lock_timeout = '1ms'").await.unwrap();
    let found = Expectation::from_json(NEEDED).unwrap().ask(&client).await.expect("no lock is waited for");
    assert!(found.is_empty(), "{found:?}");
    let _ = holder.kill();
    let _ = holder.wait();
}

#[tokio::test]
async fn five_thousand_relations_are_asked_for_quickly() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:17");
    let _pool = standing(&quick(&server.url())).await;
    for part in 0..10 {
        server.sql(&format!(
            "DO $$ BEGIN FOR i IN {}..{} LOOP EXECUTE format('CREATE TABLE t%s (id int, name text)', i); END LOOP; END $$",
            part * 500,
            part * 500 + 499
        ));
    }
    server.sql("ANALYZE pg_class; ANALYZE pg_attribute");
    let client = client(&server, "postgres").await;
    let needed = Expectation::from_json(NEEDED).unwrap();
    needed.ask(&client).await.unwrap();
    // The best of many: the machine has other things to do too.
    let mut best = Duration::MAX;
    for _ in 0..30 {
        let began = Instant::now();
        let found = needed.ask(&client).await.unwrap();
        best = best.min(began.elapsed());
        assert_eq!(found.iter().filter(|one| one.gravity == Gravity::NotReady).count(), 3);
    }
    assert!(best < Duration::from_millis(50), "{best:?} for a few of 5,000");
}

#[test]
fn another_format_is_refused() {
    let other = NEEDED.replace("\"expectation\": 1", "\"expectation\": 2");
    assert!(Expectation::from_json(&other).unwrap_err().to_string().contains("format 2"));
    assert!(Expectation::from_json("{}").is_err());
}
