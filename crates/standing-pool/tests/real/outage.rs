//! The database goes, and comes back; nothing is restarted.

use std::time::Duration;

use standing_pool::{Error, Kind, Mode, Settings, StandingPool};
use tokio::time::Instant;

use crate::gate::{Gate, Manner};
use crate::server::{PATIENCE, Server, engine_answers, eventually, quick, standing};

async fn becomes(pool: &StandingPool, mode: Mode) {
    let sentence = format!("the pool becomes {mode:?}");
    eventually(&sentence, PATIENCE, || pool.mode() == mode).await;
}

#[tokio::test]
async fn a_database_that_goes_and_comes_back_is_a_new_generation() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:17");
    let pool = standing(&quick(&server.url())).await;
    let first = pool.report();
    server.stop();
    becomes(&pool, Mode::Degraded).await;
    let error = pool.get().await.expect_err("there is no database");
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(!pool.report().pool_exists);
    server.start();
    becomes(&pool, Mode::Normal).await;
    let second = pool.report();
    assert_eq!((first.generation, second.generation, second.pid), (1, 2, std::process::id()));
    assert_ne!(first.pool_id, second.pool_id);
    pool.get().await.unwrap().query_one("SELECT 1", &[]).await.unwrap();
}

#[tokio::test]
async fn a_paused_server_is_noticed_without_a_reset_and_found_again() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    let pool =
        standing(&Settings { max_size: 4, connect_timeout: Duration::from_secs(2), ..quick(&server.url()) }).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(pool.get().await.unwrap());
    }
    drop(held);
    server.pause();
    let asked = Instant::now();
    let error = pool.get().await.expect_err("nobody answers");
    // One silence, then one attempt at a new connection; not one silence for each of four.
    assert!(asked.elapsed() < Duration::from_secs(6), "answered after {:?}: {error}", asked.elapsed());
    becomes(&pool, Mode::Degraded).await;
    assert_eq!(pool.report().last_error.unwrap().kind, Kind::Timeout);
    server.unpause();
    becomes(&pool, Mode::Normal).await;
    pool.get().await.unwrap().query_one("SELECT 1", &[]).await.unwrap();
}

#[tokio::test]
async fn half_open_connections_are_noticed_when_nobody_asks() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    let gate = Gate::before(server.port, Manner::Open).await;
    let pool = standing(&quick(&gate.url())).await;
    gate.becomes(Manner::Swallows);
    becomes(&pool, Mode::Degraded).await;
    gate.becomes(Manner::Open);
    becomes(&pool, Mode::Normal).await;
    assert_eq!(pool.report().generation, 2);
}

#[tokio::test]
async fn a_session_ended_in_the_middle_of_a_statement_costs_one_connection() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    let pool = standing(&quick(&server.url())).await;
    let mut db = pool.get().await.unwrap();
    let pid: i32 = db.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let sleeping = tokio::spawn(async move { db.query_one("SELECT pg_sleep(600)::text", &[]).await });
    eventually("the statement runs", PATIENCE, || {
        server.sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND state = 'active'")) == "1"
    })
    .await;
    server.sql(&format!("SELECT pg_terminate_backend({pid})"));
    let error = sleeping.await.unwrap().expect_err("the session was ended");
    assert_eq!(error.code().map(|code| code.code()), Some("57P01"), "{error}");
    let mut db = pool.get().await.expect("the server is there");
    let other: i32 = db.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    assert_ne!(pid, other);
    assert_eq!((pool.mode(), pool.report().generation), (Mode::Normal, 1));
}

#[tokio::test]
async fn an_old_primary_that_takes_no_writes_is_left_for_the_new_one() {
    if !engine_answers() {
        return;
    }
    let (old, new) = (Server::started("postgres:15"), Server::started("postgres:15"));
    drop(standing(&quick(&new.url())).await);
    // The second is a standby at first, as far as a client can see.
    new.sql("ALTER SYSTEM SET default_transaction_read_only = on");
    new.sql("SELECT pg_reload_conf()");
    let url = format!("postgres://postgres:hunter2@127.0.0.1:{},127.0.0.1:{}/crm", old.port, new.port);
    // Only a statement's error can tell in this test: the pool itself asks too seldom.
    let settings = Settings {
        check_interval: Duration::from_secs(600),
        check_after_idle: Duration::from_secs(600),
        ..quick(&url)
    };
    let pool = standing(&settings).await;
    let mut db = pool.get().await.unwrap();
    db.batch_execute("CREATE TABLE log (line text)").await.unwrap();
    for server in [&old, &new] {
        let wish = if server.port == old.port { "on" } else { "off" };
        server.sql(&format!("ALTER SYSTEM SET default_transaction_read_only = {wish}"));
        server.sql("SELECT pg_reload_conf()");
    }
    eventually("the new one takes writes", PATIENCE, || new.sql("SHOW default_transaction_read_only") == "off").await;
    eventually("the old one takes none", PATIENCE, || old.sql("SHOW default_transaction_read_only") == "on").await;
    let error = loop {
        // The session hears of the reload when it is idle.
        if let Err(error) = db.execute("INSERT INTO log VALUES ('x')", &[]).await {
            break error;
        }
    };
    assert_eq!(error.code().map(|code| code.code()), Some("25006"), "{error}");
    drop(db);
    eventually("a pool of the new primary", PATIENCE, || pool.report().generation == 2).await;
    let mut db = pool.get().await.unwrap();
    db.batch_execute("CREATE TABLE log (line text)").await.expect("written on the new primary");
    assert_eq!(new.sql("SELECT count(*) FROM pg_class WHERE relname = 'log'"), "1");
}

#[tokio::test]
async fn a_transaction_that_was_begun_read_only_is_no_failover() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    let pool = standing(&Settings { max_size: 1, ..quick(&server.url()) }).await;
    let mut db = pool.get().await.unwrap();
    let pid: i32 = db.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let tx = db.transaction().await.unwrap();
    tx.batch_execute("SET TRANSACTION READ ONLY").await.unwrap();
    let error = tx.batch_execute("CREATE TABLE t ()").await.expect_err("it was begun read-only");
    assert_eq!(error.code().map(|code| code.code()), Some("25006"), "{error}");
    drop(tx);
    drop(db);
    let mut db = pool.get().await.expect("the connection comes back");
    let same: i32 = db.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    assert_eq!((pid, pool.report().generation), (same, 1));
}

#[tokio::test]
async fn callers_that_go_away_lose_no_connection() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    let pool = standing(&Settings { max_size: 3, ..quick(&server.url()) }).await;
    for wait in 0..60 {
        let _ = tokio::time::timeout(Duration::from_micros(wait * 50), pool.get()).await;
    }
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(pool.get().await.expect("all three are to be had"));
    }
    let connections = pool.report().connections.unwrap();
    assert_eq!((connections.open, connections.idle), (3, 0));
}

#[tokio::test]
async fn a_pool_whose_connections_are_all_in_use_is_busy_and_not_degraded() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    let settings = Settings { max_size: 1, acquire_timeout: Duration::from_secs(2), ..quick(&server.url()) };
    let pool = standing(&settings).await;
    let _held = pool.get().await.unwrap();
    let error = pool.get().await.expect_err("the only one is in use");
    assert!(matches!(error, Error::Busy { max_size: 1, .. }), "{error}");
    assert_eq!((pool.mode(), pool.report().generation), (Mode::Normal, 1));
}
