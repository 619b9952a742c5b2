//! What is answered about health, over HTTP, and what it costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use standing_pool::{Condition, Health, Mode, SchemaBehind, Settings, StandingPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::gate::{Gate, Manner};
use crate::server::{PATIENCE, Server, engine_answers, eventually, quick, standing};

async fn serve(health: Health) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let routes = standing_pool::health::router::<()>(health);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    port
}

pub async fn get(port: u16, path: &str) -> (u16, serde_json::Value) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn in_degraded_mode_the_process_is_alive_and_not_ready_and_says_why() {
    let url = "postgres://app:hunter2@not-there-yet.invalid/crm";
    let pool = StandingPool::open(&Settings { startup_max_wait: Duration::ZERO, ..quick(url) });
    pool.started().await;
    let port = serve(Health::new().with_pool("database", &pool)).await;
    assert_eq!(get(port, "/health/live").await.0, 200);
    let (status, health) = get(port, "/health").await;
    assert_eq!((status, &health["status"]), (200, &"degraded".into()));
    let (status, ready) = get(port, "/health/ready").await;
    assert_eq!((status, &ready["component"]), (503, &"database".into()));
    let component = &ready["components"][0];
    assert_eq!((&component["code"], &component["generation"]), (&"name-not-found".into(), &0.into()));
    assert!(component["hint"].as_str().unwrap().contains("network"), "{component}");
    assert!(component["since"].as_str().unwrap().ends_with('Z'), "{component}");
    let (_, pools) = get(port, "/health/pools").await;
    let report = &pools["pools"]["database"];
    assert_eq!((&report["pool_exists"], &report["background_reconnect_running"]), (&false.into(), &true.into()));
    assert_eq!(report["pid"], std::process::id());
    assert!(!format!("{health}{ready}{pools}").contains("hunter2"));
}

#[tokio::test]
async fn readiness_in_an_outage_asks_the_server_nothing() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    let gate = Gate::before(server.port, Manner::Open).await;
    let pool = standing(&Settings { reconnect_interval: Duration::from_secs(600), ..quick(&gate.url()) }).await;
    let health = Health::new().with_pool("database", &pool);
    gate.becomes(Manner::Slams);
    server.stop();
    eventually("the outage is seen", PATIENCE, || pool.mode() == Mode::Degraded).await;
    let (accepted, attempts) = (gate.accepted(), pool.report().attempts);
    let began = Instant::now();
    for _ in 0..10_000 {
        assert_eq!(health.ready().status, 503);
    }
    let took = began.elapsed();
    // No await in between: nothing else ran, so every connection would be one of these checks.
    assert_eq!((gate.accepted(), pool.report().attempts), (accepted, attempts));
    assert!(took < Duration::from_secs(10), "1,000 a second at least: 10,000 took {took:?}");
}

#[tokio::test]
async fn a_check_that_misses_its_own_table_is_made_once_a_second_and_not_without_end() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    let pool = standing(&quick(&server.url())).await;
    let health = Health::new().with_pool("database", &pool);
    let looks = Arc::new(AtomicUsize::new(0));
    let count = looks.clone();
    health.watch("schema", &pool, Duration::from_secs(600), move |db| {
        count.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            db.query("SELECT 1 FROM not_there", &[]).await?;
            Ok(Condition::Ready)
        })
    });
    eventually("two looks", PATIENCE, || looks.load(Ordering::SeqCst) >= 2).await;
    let began = Instant::now();
    let before = looks.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (made, seconds) = (looks.load(Ordering::SeqCst) - before, began.elapsed().as_secs_f64());
    assert!(made as f64 <= seconds + 1.0, "{made} looks in {seconds:.1} s");
    assert_eq!(health.components()[1].state, "unknown");
    assert_eq!(health.ready().status, 503);
}

#[tokio::test]
async fn a_schema_that_is_behind_is_named_with_its_file_and_the_command() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:17");
    let pool = standing(&quick(&server.url())).await;
    let health = Health::new().with_pool("database", &pool);
    health.watch("schema", &pool, Duration::from_secs(600), |db| {
        Box::pin(async move {
            let row = db.query_one("SELECT to_regclass('public.channel_sync_logs') IS NOT NULL", &[]).await?;
            if row.get(0) {
                return Ok(Condition::Ready);
            }
            Ok(Condition::SchemaBehind(SchemaBehind {
                file: "20251227000000_create_channel_sync_logs.sql".into(),
                missing: "relation \"channel_sync_logs\" does not exist".into(),
                command: "mainstay db migrate apply".into(),
            }))
        })
    });
    eventually("the first look", PATIENCE, || health.ready().body["component"] == "schema").await;
    eventually("what is missing", PATIENCE, || health.components()[1].schema.is_some()).await;
    let ready = health.ready();
    assert_eq!(ready.status, 503);
    assert_eq!(
        ready.body["reason"],
        "schema out of date: relation \"channel_sync_logs\" does not exist; \
         20251227000000_create_channel_sync_logs.sql brings it: mainstay db migrate apply"
    );
    server.sql("CREATE TABLE channel_sync_logs (id int)");
    // A statement that misses something is a reason to look before the ten minutes are over.
    let mut db = pool.get().await.unwrap();
    db.query("SELECT missing FROM channel_sync_logs", &[]).await.expect_err("no such column");
    eventually("looked at again", PATIENCE, || health.ready().status == 200).await;
}
