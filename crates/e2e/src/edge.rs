//! A scene's own edge: under the scene's name, on free ports, asked as a browser or a script would.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::scene::Scene;
use crate::wait::eventually;

/// The edge of a scene, up. It goes with the scene: its containers, networks and volumes carry the scene's names.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Of its stack.
    pub name: String,
    pub http: u16,
    pub https: u16,
}

/// A connection that was upgraded: both sides say what they like.
pub struct Upgraded {
    child: Child,
    heard: Arc<Mutex<String>>,
}

/// What came back for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 0 when there was none.
    pub status: u16,
    /// Where a redirect leads; empty without one.
    pub location: String,
    pub body: String,
    /// Why there was no answer, in curl's words.
    pub error: String,
}

impl Scene {
    /// Brings an edge up for this scene's state folder.
    pub fn edge(&self) -> Edge {
        let name = self.name("edge");
        self.owns_stack(&name);
        // Held together, so that they differ; free again for the edge before it comes.
        let ports = [(); 2].map(|()| TcpListener::bind("0.0.0.0:0").expect("a free port"));
        let [http, https] = ports.map(|port| port.local_addr().expect("its address").port());
        let (http_port, https_port) = (http.to_string(), https.to_string());
        let settings = ["--name", &name, "--http-port", &http_port, "--https-port", &https_port];
        self.mainstay(&[&["edge", "up"], &settings[..]].concat()).ok();
        Edge { name, http, https }
    }
}

impl Edge {
    pub fn container(&self) -> String {
        format!("{}-caddy-1", self.name)
    }

    /// `GET https://<host><path>`, on a new connection.
    pub fn get(&self, host: &str, path: &str) -> Answer {
        self.ask(&self.url(host, path), host, self.https)
    }

    /// The same over plain HTTP, without following where it leads.
    pub fn get_plain(&self, host: &str, path: &str) -> Answer {
        self.ask(&format!("http://{host}:{}{path}", self.http), host, self.http)
    }

    /// Waits until the site answers 200 with this text.
    #[track_caller]
    pub fn serves(&self, host: &str, text: &str) {
        let mut last = None;
        eventually(&format!("https://{host} serves {text:?}"), Duration::from_secs(20), || {
            let answer = self.get(host, "/");
            let is_so = answer.status == 200 && answer.body.contains(text);
            last = Some(answer);
            is_so.then_some(())
        });
    }

    /// Asks for a WebSocket.
    pub fn upgrade(&self, host: &str) -> Upgraded {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-quiet", "-connect", &format!("127.0.0.1:{}", self.https), "-servername", host]);
        openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = openssl.spawn().expect("openssl runs");
        let heard = Arc::new(Mutex::new(String::new()));
        let (mut from, into) = (child.stdout.take().expect("piped"), heard.clone());
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let piece = String::from_utf8_lossy(&buffer[..count]).into_owned();
                into.lock().expect("nobody panicked").push_str(&piece);
            }
        });
        let mut upgraded = Upgraded { child, heard };
        let wishes =
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==";
        upgraded.says(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n{wishes}\r\n\r\n"));
        upgraded
    }

    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.https)
    }

    /// curl, for a host of this edge. What it trusts is not the question here.
    pub fn curl(host: &str, port: u16) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--insecure", "--noproxy", "*", "--max-time", "30"]);
        curl.args(["--resolve", &format!("{host}:{port}:127.0.0.1")]);
        curl
    }

    fn ask(&self, url: &str, host: &str, port: u16) -> Answer {
        let mut curl = Edge::curl(host, port);
        let output = curl.args(["--write-out", "\n%{http_code} %{redirect_url}", url]).output().expect("curl runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, last) = said.rsplit_once('\n').unwrap_or_default();
        let (status, location) = last.split_once(' ').unwrap_or_default();
        Answer {
            status: status.parse().unwrap_or_default(),
            location: location.to_owned(),
            body: body.to_owned(),
            error: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }
    }
}

impl Upgraded {
    pub fn says(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("piped");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("the connection is open");
    }

    /// Everything that was heard so far.
    pub fn heard(&self) -> String {
        self.heard.lock().expect("nobody panicked").clone()
    }

    #[track_caller]
    pub fn awaits(&self, text: &str) {
        eventually(&format!("the other side says {text:?}"), Duration::from_secs(10), || {
            self.heard().contains(text).then_some(())
        });
    }
}

impl Drop for Upgraded {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
