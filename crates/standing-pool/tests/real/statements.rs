//! Statements that outlive a change of the schema, and poolers.

use std::sync::Arc;

use standing_pool::{Kind, Mode, Pooler, Settings, StandingPool};

use crate::server::{PATIENCE, Server, docker, docker_ok, engine_answers, eventually, free_port, quick, standing};

#[tokio::test]
async fn a_statement_older_than_the_schema_is_prepared_anew_outside_a_transaction() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:17");
    let pool = standing(&quick(&server.url())).await;
    let (mut one, mut two) = (pool.get().await.unwrap(), pool.get().await.unwrap());
    one.batch_execute("CREATE TABLE guests (id int); INSERT INTO guests VALUES (1)").await.unwrap();
    let sql = "SELECT * FROM guests";
    for db in [&mut one, &mut two] {
        assert_eq!(db.query_one(sql, &[]).await.unwrap().len(), 1);
    }
    server.sql("ALTER TABLE guests ADD COLUMN total_bookings int DEFAULT 0");
    assert_eq!(one.query_one(sql, &[]).await.expect("prepared anew").len(), 2);

    // Inside a transaction nothing is run twice; the next transaction is right.
    server.sql("ALTER TABLE guests ADD COLUMN total_spent numeric(12,2)");
    let tx = one.transaction().await.unwrap();
    let error = tx.query(sql, &[]).await.expect_err("refused by the server");
    assert_eq!(error.code().map(|code| code.code()), Some("0A000"), "{error}");
    tx.rollback().await.unwrap();
    let tx = one.transaction().await.unwrap();
    assert_eq!(tx.query_one(sql, &[]).await.expect("the cache was cleared").len(), 3);
    tx.commit().await.unwrap();

    // By hand: the first error is told, not "current transaction is aborted".
    two.query_one(sql, &[]).await.unwrap();
    server.sql("ALTER TABLE guests ADD COLUMN deleted_at timestamptz");
    two.batch_execute("BEGIN").await.unwrap();
    let error = two.query(sql, &[]).await.expect_err("the transaction is aborted");
    assert_eq!(error.code().map(|code| code.code()), Some("0A000"), "{error}");
    two.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(two.query_one(sql, &[]).await.unwrap().len(), 4);
    assert_eq!((pool.mode(), pool.report().generation), (Mode::Normal, 1));
}

/// A pooler in transaction mode before a server.
struct PgBouncer {
    name: String,
    port: u16,
}

impl PgBouncer {
    fn before(server: &Server) -> PgBouncer {
        let port = free_port();
        let name = format!("standing-pool-bouncer-{port}");
        let address = docker_ok(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", &server.name]);
        let (publish, host) = (format!("127.0.0.1:{port}:6432"), format!("DB_HOST={address}"));
        let label = "dev.mainstay.test=standing-pool";
        docker_ok(&[
            "run",
            "-d",
            "--name",
            &name,
            "--label",
            label,
            "-p",
            &publish,
            "-e",
            &host,
            "-e",
            "DB_USER=postgres",
            "-e",
            "DB_PASSWORD=hunter2",
            "mainstay-test/pgbouncer:1",
        ]);
        PgBouncer { name, port }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        docker(&["rm", "-f", "-v", &self.name]);
    }
}

async fn many_at_once(pool: &StandingPool) -> Vec<Result<i32, standing_pool::tokio_postgres::Error>> {
    let pool = Arc::new(pool.clone());
    let tasks: Vec<_> = (0..8)
        .map(|number: i32| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut last = Ok(0);
                for round in 0..30 {
                    let mut db = pool.get().await.expect("a connection");
                    let sql = format!("SELECT $1::int4 + {}", round % 5);
                    last = db.query_one(&sql, &[&number]).await.map(|row| row.get(0));
                    if last.is_err() {
                        break;
                    }
                    assert_eq!(*last.as_ref().unwrap(), number + round % 5);
                }
                last
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.unwrap());
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_pooler_in_transaction_mode_statements_are_not_kept() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    drop(standing(&quick(&server.url())).await);
    let bouncer = PgBouncer::before(&server);
    let url = format!("postgres://postgres:hunter2@127.0.0.1:{}/crm", bouncer.port);
    let pool = standing(&Settings { pooler: Pooler::Transaction, ..quick(&url) }).await;
    for result in many_at_once(&pool).await {
        result.expect("every statement is answered");
    }
    let mut db = pool.get().await.unwrap();
    db.execute("CREATE TABLE t (id int)", &[]).await.unwrap();
    assert_eq!(db.execute("INSERT INTO t VALUES ($1)", &[&7]).await.unwrap(), 1);
    assert_eq!(db.query("SELECT id FROM t", &[]).await.unwrap().len(), 1);
    assert_eq!((pool.mode(), pool.report().generation), (Mode::Normal, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_nobody_told_of_is_named_in_the_hint() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:15");
    drop(standing(&quick(&server.url())).await);
    let bouncer = PgBouncer::before(&server);
    let pool = standing(&quick(&format!("postgres://postgres:hunter2@127.0.0.1:{}/crm", bouncer.port))).await;
    let mut errors: Vec<_> = Vec::new();
    for _ in 0..10 {
        errors.extend(many_at_once(&pool).await.into_iter().filter_map(Result::err));
        if !errors.is_empty() {
            break;
        }
    }
    let Some(error) = errors.first() else {
        // Newer poolers keep prepared statements apart themselves.
        let version = docker_ok(&["exec", &bouncer.name, "pgbouncer", "--version"]);
        assert!(!version.contains("1.18"), "this one does not, and nothing was noticed: {version}");
        return;
    };
    let failure = standing_pool::Failure::of(error);
    assert_eq!(failure.kind, Kind::Pooler, "{failure}");
    assert!(failure.hint().is_some_and(|hint| hint.contains("DB_POOLER=transaction")));
    eventually("the server is still held for up", PATIENCE, || pool.mode() == Mode::Normal).await;
}
