//! The example service, as processes of their own: each has its own pool, and ends when it is asked to.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::health::get;
use crate::server::{PATIENCE, Server, engine_answers, eventually, free_port, quick, standing};

struct Service {
    child: Child,
    port: u16,
}

impl Service {
    fn start(database: &str) -> Service {
        let port = free_port();
        let child = Command::new(example())
            .env("DATABASE_URL", database)
            .env("LISTEN", format!("127.0.0.1:{port}"))
            .env("DB_STARTUP_RETRY_INTERVAL_SECONDS", "0.2")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Service { child, port }
    }

    async fn answers(&self, path: &str, wish: impl Fn(u16, &Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let listens = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok();
            if listens {
                let (status, body) = get(self.port, path).await;
                if wish(status, &body) {
                    return body;
                }
            }
            assert!(tokio::time::Instant::now() < deadline, "{path} is not as wished within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Built beside the tests.
fn example() -> PathBuf {
    let path = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples/bookings");
    assert!(path.exists(), "{} is missing: `cargo build -p standing-pool --features axum --examples`", path.display());
    path
}

#[tokio::test]
async fn two_processes_have_two_pools_and_stop_when_asked() {
    if !engine_answers() {
        return;
    }
    let server = Server::started("postgres:17");
    drop(standing(&quick(&server.url())).await);
    let (mut backend, worker) = (Service::start(&server.url()), Service::start(&server.url()));
    let mut seen = Vec::new();
    for service in [&backend, &worker] {
        let has_pool = |status, body: &Value| status == 200 && body["pools"]["database"]["pool_exists"] == true;
        let body = service.answers("/health/pools", has_pool).await;
        let report = &body["pools"]["database"];
        assert_eq!((&report["generation"], &report["pid"]), (&1.into(), &service.child.id().into()));
        seen.push(report["pool_id"].clone());
    }
    assert_ne!(seen[0], seen[1]);
    backend.answers("/health/ready", |status, body| status == 503 && body["component"] == "schema").await;
    server.sql("CREATE TABLE bookings (id int)");
    // The request misses nothing any more; the one before it did, and the schema is looked at again.
    backend.answers("/bookings", |status, body| status == 200 && body["bookings"] == 0).await;

    Command::new("kill").args(["-TERM", &backend.child.id().to_string()]).status().unwrap();
    eventually("it ends", PATIENCE, || backend.child.try_wait().unwrap().is_some()).await;
    assert!(backend.child.wait().unwrap().success());
}

#[test]
fn a_wrong_setting_ends_the_start_with_its_variable() {
    let output = Command::new(example())
        .env("DATABASE_URL", "postgres://app:hunter2@db/crm")
        .env("DB_STARTUP_MAX_WAIT_SECONDS", "-5")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("DB_STARTUP_MAX_WAIT_SECONDS: is `-5`, and must be") && !said.contains("hunter2"), "{said}");
}
