//! Readiness checks a second of a service while its database is there, and while it is gone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::gauge::{docker, load};
use super::scene::{DATABASE, Scene};
use super::table::median;

const CONNECTIONS: usize = 8;
const SPAN: Duration = Duration::from_secs(3);
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// A service with a pool that stands; ended when dropped.
struct Service {
    child: Child,
    address: String,
}

/// What a few seconds of asking came to.
struct Asked {
    a_second: f64,
    slowest_of_99: f64,
}

pub fn measure(scene: &Scene, rounds: usize, program: &Path) -> String {
    scene.psql(DATABASE, "CREATE TABLE IF NOT EXISTS bookings (id bigint)", None);
    let service = Service::start(program, &scene.url(DATABASE));
    let (mut there, mut gone, mut loads) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("readiness, round {round} of {rounds}");
        service.until(200);
        there.push(service.asked(200));
        docker(&["stop", &scene.container()]).expect("the database is stopped");
        service.until(503);
        gone.push(service.asked(503));
        loads.push(load());
        docker(&["start", &scene.container()]).expect("the database is started");
    }
    service.until(200);
    let line = |name: &str, asked: &[Asked]| {
        let rate = median(asked.iter().map(|asked| asked.a_second).collect());
        let slow = median(asked.iter().map(|asked| asked.slowest_of_99).collect());
        format!("\n  {name:<38}{rate:>10.0} a second, 99 of 100 within {:.1} ms", slow * 1e3)
    };
    format!(
        "readiness: GET /health/ready over {CONNECTIONS} kept connections{}{}\n  load while it was measured: {}",
        line("the database is there (200)", &there),
        line("the database is stopped (503)", &gone),
        loads.join(" ")
    )
}

impl Service {
    fn start(program: &Path, url: &str) -> Service {
        // Free a moment ago.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let mut command = Command::new(program);
        command
            .env("DATABASE_URL", url)
            .env("LISTEN", free.to_string())
            .env("DB_BACKGROUND_RECONNECT_INTERVAL_SECONDS", "1");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let service = Service { child: child.expect("the service starts"), address: free.to_string() };
        let began = Instant::now();
        while TcpStream::connect(&service.address).is_err() {
            assert!(began.elapsed() < ANSWERS_WITHIN, "the service does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        service
    }

    fn until(&self, status: u16) {
        let began = Instant::now();
        while self.connect().ask() != status {
            assert!(began.elapsed() < ANSWERS_WITHIN, "it does not come to answer {status}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// An answer with another status ends the bench: it would have been another question.
    fn asked(&self, status: u16) -> Asked {
        let began = Instant::now();
        let visitor = || {
            let mut connection = self.connect();
            let mut took = Vec::new();
            while began.elapsed() < SPAN {
                let asked = Instant::now();
                assert_eq!(connection.ask(), status);
                took.push(asked.elapsed().as_secs_f64());
            }
            took
        };
        let mut all: Vec<f64> = thread::scope(|scope| {
            let visitors: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(visitor)).collect();
            visitors.into_iter().flat_map(|visitor| visitor.join().expect("every answer as expected")).collect()
        });
        let a_second = all.len() as f64 / began.elapsed().as_secs_f64();
        all.sort_by(f64::total_cmp);
        Asked { a_second, slowest_of_99: all[all.len() * 99 / 100] }
    }

    fn connect(&self) -> Connection {
        let socket = TcpStream::connect(&self.address).expect("the service listens");
        socket.set_nodelay(true).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        Connection(BufReader::new(socket))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    fn ask(&mut self) -> u16 {
        let request = "GET /health/ready HTTP/1.1\r\nHost: bench\r\n\r\n";
        self.0.get_mut().write_all(request.as_bytes()).expect("the request is taken");
        let status = self.line().split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a status");
        let mut length = 0;
        loop {
            let header = self.line().to_ascii_lowercase();
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        self.0.read_exact(&mut vec![0; length]).expect("the whole body");
        status
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("an answer");
        line
    }
}
