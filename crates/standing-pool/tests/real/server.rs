//! A real Postgres in a container of its own, on a port that stays, taken away when the test ends.

use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::Duration;

use standing_pool::{Mode, Settings, StandingPool};
use tokio::time::{Instant, sleep};

/// Whether the tests can run. Without an engine they skip with a sentence, except where `MAINSTAY_REQUIRE_ENGINE` or
/// `CI` is set: there a missing engine is a failure.
pub fn engine_answers() -> bool {
    let answers = Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]).output();
    if answers.is_ok_and(|output| output.status.success()) {
        return true;
    }
    let must = std::env::var_os("MAINSTAY_REQUIRE_ENGINE").is_some() || std::env::var_os("CI").is_some();
    assert!(!must, "no Docker engine answers, and here these tests must not be skipped (scripts/engine.sh starts one)");
    eprintln!("skipped: no Docker engine answers (scripts/engine.sh installs and starts one)");
    false
}

pub fn docker(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().expect("the `docker` command runs")
}

#[track_caller]
pub fn docker_ok(args: &[&str]) -> String {
    let output = docker(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`docker {}` failed: {error}", args.join(" "));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A port that nothing listens on.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// One container. Not started until a test says so.
pub struct Server {
    pub name: String,
    pub port: u16,
}

impl Server {
    /// The container is made, and does not run yet.
    pub fn absent(image: &str, extra: &[&str]) -> Server {
        let port = free_port();
        let name = format!("standing-pool-{port}-{}", std::process::id());
        let publish = format!("127.0.0.1:{port}:5432");
        let mut args = vec!["create", "--name", &name, "--label", "dev.mainstay.test=standing-pool", "-p", &publish];
        args.extend([
            "-e",
            "POSTGRES_PASSWORD=hunter2",
            "-e",
            "POSTGRES_DB=crm",
            "--tmpfs",
            "/var/lib/postgresql/data",
        ]);
        let is_option = |arg: &&&str| arg.starts_with("-v") || arg.starts_with("--");
        args.extend(extra.iter().filter(is_option));
        args.push(image);
        args.extend(["-c", "fsync=off", "-c", "shared_buffers=16MB"]);
        args.extend(extra.iter().filter(|arg| !is_option(arg)));
        docker_ok(&args);
        Server { name, port }
    }

    /// The container runs; the server inside may need a moment.
    pub fn started(image: &str) -> Server {
        let server = Server::absent(image, &[]);
        server.start();
        server
    }

    pub fn start(&self) {
        docker_ok(&["start", &self.name]);
    }

    pub fn stop(&self) {
        docker_ok(&["stop", "-t", "5", &self.name]);
    }

    pub fn pause(&self) {
        docker_ok(&["pause", &self.name]);
    }

    pub fn unpause(&self) {
        docker_ok(&["unpause", &self.name]);
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres:hunter2@127.0.0.1:{}/crm", self.port)
    }

    /// From inside, past everything that a test has broken.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        docker_ok(&["exec", "-u", "postgres", &self.name, "psql", "-d", "crm", "-v", "ON_ERROR_STOP=1", "-Atc", sql])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        docker(&["rm", "-f", "-v", &self.name]);
    }
}

/// The rhythm of the defaults, ten times as fast, and a start that waits for the container.
pub fn quick(url: &str) -> Settings {
    Settings {
        startup_max_wait: Duration::from_secs(90),
        startup_retry_interval: Duration::from_millis(200),
        reconnect_interval: Duration::from_secs(1),
        check_interval: Duration::from_millis(500),
        check_timeout: Duration::from_millis(800),
        check_after_idle: Duration::ZERO,
        connect_timeout: Duration::from_secs(5),
        ..Settings::for_url(url).unwrap()
    }
}

/// A pool of the server, as soon as it answers.
pub async fn standing(settings: &Settings) -> StandingPool {
    let pool = StandingPool::open(settings);
    assert_eq!(pool.started().await, Mode::Normal, "{:?}", pool.report());
    pool
}

/// Asks again and again until it holds.
#[track_caller]
pub fn eventually<'a>(
    sentence: &'a str,
    within: Duration,
    mut holds: impl FnMut() -> bool + 'a,
) -> impl Future<Output = ()> + 'a {
    let place = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + within;
        while !holds() {
            assert!(Instant::now() < deadline, "{place}: not within {within:?}: {sentence}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// As long as a busy machine may need.
pub const PATIENCE: Duration = Duration::from_secs(60);
