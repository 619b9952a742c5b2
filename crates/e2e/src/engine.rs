//! The plain `docker` command: how the world is looked at, and broken.

use std::process::{Command, Output};

use serde_json::Value;

/// Whether the tests can run. Without an engine they skip with a sentence, except where `MAINSTAY_REQUIRE_ENGINE` or
/// `CI` is set: there a missing engine is a failure.
pub fn require_engine() -> bool {
    let answers = Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]).output();
    if answers.is_ok_and(|output| output.status.success()) {
        return true;
    }
    let must = std::env::var_os("MAINSTAY_REQUIRE_ENGINE").is_some() || std::env::var_os("CI").is_some();
    assert!(!must, "no Docker engine answers, and here these tests must not be skipped (scripts/engine.sh starts one)");
    eprintln!("skipped: no Docker engine answers (scripts/engine.sh installs and starts one)");
    false
}

/// Runs `docker` and gives what came of it.
#[track_caller]
pub fn docker(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().expect("the `docker` command runs")
}

/// Runs `docker`, expects success, and gives its standard output without the last line end.
#[track_caller]
pub fn docker_ok(args: &[&str]) -> String {
    let output = docker(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`docker {}` failed: {error}", args.join(" "));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// `docker inspect` of one thing.
#[track_caller]
pub fn docker_json(name: &str) -> Value {
    let text = docker_ok(&["inspect", name]);
    let list: Value = serde_json::from_str(&text).expect("docker inspect prints JSON");
    list[0].clone()
}

/// Makes a network as a client does that asks for no check of duplicates: what a request still under way leaves behind
/// when its sender was killed and another one came first.
#[track_caller]
pub fn make_network_unchecked(name: &str, labels: &Value) {
    use std::io::{Read, Write};
    let body = serde_json::json!({ "Name": name, "CheckDuplicate": false, "Labels": labels }).to_string();
    let mut socket = std::os::unix::net::UnixStream::connect("/var/run/docker.sock").expect("the engine's socket");
    let length = body.len();
    let head = "POST /v1.41/networks/create HTTP/1.0\r\nHost: docker\r\nContent-Type: application/json";
    write!(socket, "{head}\r\nContent-Length: {length}\r\n\r\n{body}").expect("the request is sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("the engine answers");
    assert!(answer.contains(" 201 "), "{answer}");
}
