//! What only a person can mend: told plainly, never with the password, and healed when it is mended.

use std::time::Duration;

use standing_pool::{Error, Health, Kind, Mode, Settings, StandingPool};

use crate::server::{PATIENCE, Server, engine_answers, eventually, quick, standing};

async fn kind_of_start(url: &str) -> (Kind, StandingPool) {
    let settings = Settings { startup_max_wait: Duration::ZERO, ..quick(url) };
    let pool = StandingPool::open(&settings);
    assert_eq!(pool.started().await, Mode::Degraded);
    let error = pool.report().last_error.unwrap();
    assert!(error.hint.is_some_and(|hint| hint.starts_with("yours to mend: ")), "{:?}", pool.report());
    let shown = serde_json::to_string(&pool.report()).unwrap() + &format!("{pool:?}");
    assert!(!shown.contains("hunter"), "{shown}");
    (error.kind, pool)
}

#[tokio::test]
async fn a_wrong_password_is_told_and_heals_when_it_is_mended() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:17");
    drop(standing(&quick(&server.url())).await);
    let url = format!("postgres://postgres:hunter3@127.0.0.1:{}/crm", server.port);
    let (kind, pool) = kind_of_start(&url).await;
    assert_eq!(kind, Kind::WrongPassword);
    let health = Health::new().with_pool("database", &pool);
    let ready = health.ready();
    assert_eq!((ready.status, ready.body["component"].as_str()), (503, Some("database")));
    assert_eq!(ready.body["components"][0]["code"], "28P01");
    assert_eq!(health.health().status, 200);
    server.sql("ALTER ROLE postgres PASSWORD 'hunter3'");
    eventually("the right password heals it", PATIENCE, || pool.mode() == Mode::Normal).await;
    assert_eq!(health.ready().status, 200);
}

#[tokio::test]
async fn each_refusal_is_told_by_its_own_words() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    drop(standing(&quick(&server.url())).await);
    let port = server.port;
    let none = format!("postgres://postgres:hunter2@127.0.0.1:{port}/nothing");
    assert_eq!(kind_of_start(&none).await.0, Kind::NoSuchDatabase);
    let stranger = format!("postgres://stranger:hunter2@127.0.0.1:{port}/crm");
    assert_eq!(kind_of_start(&stranger).await.0, Kind::WrongPassword, "the server does not tell which");
    let without = format!("postgres://postgres@127.0.0.1:{port}/crm");
    assert_eq!(kind_of_start(&without).await.0, Kind::NoPassword);
    let encrypted = format!("postgres://postgres:hunter2@127.0.0.1:{port}/crm?sslmode=require");
    assert_eq!(kind_of_start(&encrypted).await.0, Kind::TlsFailed);
    server.sql("CREATE ROLE guest LOGIN PASSWORD 'hunter4'");
    server.sql("REVOKE CONNECT ON DATABASE crm FROM PUBLIC");
    let unpermitted = format!("postgres://guest:hunter4@127.0.0.1:{port}/crm");
    assert_eq!(kind_of_start(&unpermitted).await.0, Kind::NotPermitted);
    let rules = "cp $PGDATA/pg_hba.conf /tmp/ && echo 'local all all trust' > $PGDATA/pg_hba.conf && pg_ctl reload";
    crate::server::docker_ok(&["exec", "-u", "postgres", &server.name, "sh", "-c", rules]);
    eventually("the rules are read", PATIENCE, || server.sql("SELECT count(*) FROM pg_hba_file_rules") == "1").await;
    let plain = format!("{}?sslmode=disable", server.url());
    assert_eq!(kind_of_start(&plain).await.0, Kind::TlsRequired, "no entry for a session without encryption");
}

#[tokio::test]
async fn a_server_without_a_free_connection_is_busy_and_not_down() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    drop(standing(&quick(&server.url())).await);
    server.sql("CREATE ROLE narrow LOGIN PASSWORD 'hunter5' CONNECTION LIMIT 1");
    let pool = standing(&quick(&format!("postgres://narrow:hunter5@127.0.0.1:{}/crm", server.port))).await;
    let mut held = pool.get().await.expect("one is free");
    let error = pool.get().await.expect_err("there is only one");
    let Error::Unavailable(failure) = error else { panic!("{error}") };
    assert_eq!((failure.kind, failure.code()), (Kind::TooManyConnections, "53300"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((pool.mode(), pool.report().generation), (Mode::Normal, 1));
    held.query_one("SELECT 1", &[]).await.expect("the one that is held serves on");
}
