//! Bare engine calls: HTTP/1.1 on the engine's socket with nothing in between. The floor that no client can go below.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

/// One kept-alive connection to the engine.
pub struct Api {
    stream: BufReader<UnixStream>,
}

impl Api {
    pub fn connect() -> Api {
        let stream = UnixStream::connect("/var/run/docker.sock").expect("the engine's socket answers");
        Api { stream: BufReader::new(stream) }
    }

    /// One call; gives the status and the whole body.
    pub fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> (u16, String) {
        self.send(method, path, body);
        let (status, length, chunked) = self.head();
        let mut text = Vec::new();
        if chunked {
            while let Some(chunk) = self.chunk() {
                text.extend(chunk);
            }
        } else if let Some(length) = length {
            text.resize(length, 0);
            self.stream.read_exact(&mut text).expect("the engine's answer is whole");
        }
        (status, String::from_utf8_lossy(&text).into_owned())
    }

    /// A call that must succeed; gives its JSON.
    pub fn ok(&mut self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, text) = self.call(method, path, body);
        assert!(status < 400, "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The events of containers joining and leaving networks, as the engine tells them.
    pub fn network_events(mut self) -> impl Iterator<Item = Value> {
        self.send("GET", "/v1.41/events?filters=%7B%22type%22%3A%5B%22network%22%5D%7D", None);
        self.head();
        std::iter::from_fn(move || self.chunk()).filter_map(|chunk| serde_json::from_slice(&chunk).ok())
    }

    fn send(&mut self, method: &str, path: &str, body: Option<&Value>) {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("the engine takes the request");
    }

    fn head(&mut self) -> (u16, Option<usize>, bool) {
        let status = self.line().split_whitespace().nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let (mut length, mut chunked) = (None, false);
        loop {
            let line = self.line().to_ascii_lowercase();
            if line.is_empty() {
                return (status, length, chunked);
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok();
            }
            chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
        }
    }

    fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(self.line().trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        self.stream.read_exact(&mut chunk).ok()?;
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the engine goes on talking");
        line.trim_end().to_owned()
    }
}
