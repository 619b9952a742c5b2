//! The start: who waits for whom, and for how long.

use std::time::Duration;

use standing_pool::{Health, Kind, Mode, Settings, StandingPool};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::{Instant, sleep_until, timeout};

use crate::gate::{Gate, Manner};
use crate::server::{PATIENCE, Server, engine_answers, eventually, quick, standing};

async fn twenty_callers_make_one_pool(image: &str) {
    if !engine_answers() {
        return;
    }
    let server = Server::absent(image, &[]);
    let settings = Settings { acquire_timeout: Duration::from_secs(90), max_size: 5, ..quick(&server.url()) };
    let callers: Vec<_> = (0..20)
        .map(|number| {
            let settings = settings.clone();
            tokio::spawn(async move {
                // Each opens the pool itself, as parts of a service do that know nothing of one another.
                let pool = StandingPool::open(&settings);
                let health = Health::new().with_pool("database", &pool);
                let ready = health.ready();
                let mut db = pool.get().await.expect("the database comes");
                let row = db.query_one("SELECT $1::int4 + 1", &[&number]).await.expect("it answers");
                assert_eq!(row.get::<_, i32>(0), number + 1);
                (ready.status, pool)
            })
        })
        .collect();
    let pool = StandingPool::open(&settings);
    eventually("some attempts fail first", PATIENCE, || pool.report().attempts >= 3).await;
    assert_eq!(Health::new().with_pool("database", &pool).ready().status, 503);
    server.start();
    for caller in callers {
        let (ready_at_first, its_pool) = caller.await.unwrap();
        assert_eq!(ready_at_first, 503);
        assert_eq!(its_pool.report().pool_id, pool.report().pool_id);
    }
    let report = pool.report();
    assert_eq!((report.generation, report.mode), (1, Mode::Normal), "{report:?}");
    let open = server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'standing-pool'");
    assert!(open.parse::<usize>().unwrap() <= 5, "{open} connections");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_callers_during_start_up_make_one_pool_on_15() {
    twenty_callers_make_one_pool("postgres:15").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_callers_during_start_up_make_one_pool_on_17() {
    twenty_callers_make_one_pool("postgres:17").await;
}

/// Sixty seconds as six: a gate that opens when the test says, before a server that has long been up.
async fn server_up_at(second: f64) -> StandingPool {
    let server = Server::started("postgres:15");
    drop(standing(&quick(&server.url())).await);
    // The port is taken, and nobody listens: refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let settings = Settings {
        startup_max_wait: Duration::from_secs(6),
        startup_retry_interval: Duration::from_millis(200),
        reconnect_interval: Duration::from_secs(3),
        ..quick(&format!("postgres://postgres:hunter2@127.0.0.1:{port}/crm"))
    };
    let began = Instant::now();
    let pool = StandingPool::open(&settings);
    let server_port = server.port;
    let opens = tokio::spawn(async move {
        sleep_until(began + Duration::from_secs_f64(second)).await;
        let listener: TcpListener = socket.listen(64).unwrap();
        Gate::on(listener, server_port, Manner::Open)
    });
    let mode = pool.started().await;
    assert_eq!(mode, if second < 6.0 { Mode::Normal } else { Mode::Degraded }, "{:?}", pool.report());
    let _gate = opens.await.unwrap();
    let back = timeout(PATIENCE, async {
        while pool.mode() != Mode::Normal {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    back.await.expect("back without a restart");
    pool.get().await.expect("a connection").query_one("SELECT 1", &[]).await.expect("it answers");
    pool
}

#[tokio::test]
async fn a_server_up_just_before_the_end_of_the_start_is_found_by_it() {
    if engine_answers() {
        let pool = server_up_at(5.85).await;
        assert_eq!(pool.report().generation, 1);
    }
}

#[tokio::test]
async fn a_server_up_just_after_the_end_of_the_start_is_found_in_the_background() {
    if engine_answers() {
        let pool = server_up_at(6.3).await;
        assert_eq!(pool.report().generation, 1);
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told_as_that() {
    let settings =
        Settings { startup_max_wait: Duration::ZERO, ..quick("postgres://app:hunter2@not-there-yet.invalid/crm") };
    let pool = StandingPool::open(&settings);
    assert_eq!(pool.started().await, Mode::Degraded);
    let error = pool.report().last_error.unwrap();
    assert_eq!(error.kind, Kind::NameNotFound, "{error:?}");
}

#[tokio::test]
async fn a_port_that_accepts_and_closes_is_tried_until_a_server_is_behind_it() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    let gate = Gate::before(server.port, Manner::Slams).await;
    let pool = StandingPool::open(&quick(&gate.url()));
    eventually("the close is told", PATIENCE, || {
        pool.report().last_error.is_some_and(|error| error.kind == Kind::Closed)
    })
    .await;
    gate.becomes(Manner::SaysStartingUp);
    eventually("starting up is told", PATIENCE, || {
        pool.report().last_error.is_some_and(|error| error.kind == Kind::StartingUp && error.code == "57P03")
    })
    .await;
    gate.becomes(Manner::Swallows);
    eventually("silence is told", PATIENCE, || {
        pool.report().last_error.is_some_and(|error| error.kind == Kind::Timeout)
    })
    .await;
    gate.becomes(Manner::Open);
    assert_eq!(pool.started().await, Mode::Normal);
}
