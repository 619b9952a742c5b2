//! A question to one upstream, asked by the edge.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use mainstay_model::edge::caddy::{PROBE_HEADER, UNREACHED_HEADER};

use super::folder::SocketPath;
use super::socket;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Probe {
    /// `name:port`, as the edge resolves it.
    pub upstream: String,
    pub method: String,
    /// With its query, starting with `/`.
    pub path: String,
    /// `Host` among them; the upstream's own name where there is none.
    pub headers: BTreeMap<String, String>,
    pub within: Duration,
}

/// What came back. The edge answers for an upstream that does not: 502, or 504 when it took too long.
#[derive(Clone, Debug)]
pub struct ProbeAnswer {
    pub status: u16,
    /// Lower-case names.
    pub headers: BTreeMap<String, String>,
    pub body: Bytes,
    /// Why nobody answered, in the edge's words; the status is the edge's own then.
    pub unreached: Option<String>,
}

pub(super) async fn ask(socket: &SocketPath, probe: &Probe) -> io::Result<ProbeAnswer> {
    let mut request = Request::builder().method(probe.method.as_str()).uri(&probe.path);
    if !probe.headers.keys().any(|name| name.eq_ignore_ascii_case("host")) {
        request = request.header("Host", &probe.upstream);
    }
    for (name, value) in &probe.headers {
        request = request.header(name, value);
    }
    let request = request.header(PROBE_HEADER, &probe.upstream).body(Full::new(Bytes::new()));
    let answer = socket::ask(socket, request, probe.within).await?.into_response();
    let headers = answer.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let headers: BTreeMap<String, String> = headers.collect();
    let unreached = headers.get(&UNREACHED_HEADER.to_ascii_lowercase()).cloned();
    Ok(ProbeAnswer { status: answer.status().as_u16(), headers, body: answer.into_body(), unreached })
}
