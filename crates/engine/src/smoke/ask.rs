//! One request over a connection of its own, and its answer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, Uri, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mainstay_model::smoke::{Address, Answer, Check, NoAnswer, Scheme, Tls, Whence};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use super::Ways;
use super::certificate::{Watch, flaw};
use super::place::{connect, words};
use super::trust::Trust;

/// More of a body is not read.
const BODY_LIMIT: usize = 4 * 1024 * 1024;
/// So much of an unexpected answer's body is read, to show its beginning.
const GLANCE: usize = 4 * 1024;
const GLANCE_WITHIN: Duration = Duration::from_secs(1);
const AGENT: &str = concat!("mainstay-smoke/", env!("CARGO_PKG_VERSION"));

/// Asks once. Redirects are answers, and nothing is kept for the next time: each attempt sees what a new visitor sees.
pub(super) async fn ask(ways: &Ways, trust: &Trust, check: &Check, from: Whence) -> Result<Answer, NoAnswer> {
    let url = &check.url;
    let stream = connect(ways, url, from).await?;
    if url.scheme == Scheme::Http {
        return exchange(check, TokioIo::new(stream), false).await;
    }
    let judge = (check.tls == Tls::Valid).then(|| trust.verifier(url, from).clone());
    let watch = Watch::new(trust.provider(), judge);
    let config = watch.config().map_err(|error| NoAnswer::Unaskable(error.to_string()))?;
    let name = ServerName::try_from(url.host_name().to_owned())
        .map_err(|_| NoAnswer::Unaskable(format!("`{}` can be no name in a certificate", url.host)))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let stream = stream.map_err(|error| no_tls(url, &error))?;
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let mut answer = exchange(check, TokioIo::new(stream), is_h2).await?;
    answer.certificate = watch.seen();
    Ok(answer)
}

fn no_tls(url: &Address, error: &io::Error) -> NoAnswer {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(error)) => {
            NoAnswer::Certificate { host: url.host.clone(), flaw: flaw(error) }
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            let why =
                format!("it breaks off with the alert {alert:?}, as a server without a certificate for the name does");
            NoAnswer::Tls { to: url.authority(), why }
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            NoAnswer::Tls { to: url.authority(), why: "it does not speak TLS there".to_owned() }
        }
        _ => NoAnswer::Tls { to: url.authority(), why: words(error) },
    }
}

/// The connection's own task, ended with the attempt.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn exchange<S>(check: &Check, stream: TokioIo<S>, is_h2: bool) -> Result<Answer, NoAnswer>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let request = request(check, is_h2).map_err(|error| NoAnswer::Unaskable(error.to_string()))?;
    if is_h2 {
        let handshake = http2::handshake(TokioExecutor::new(), stream).await;
        let (mut sender, connection) = handshake.map_err(|error| broken(&error))?;
        let _driver = Driver(tokio::spawn(connection).abort_handle());
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        return answer(check, response).await;
    }
    let (mut sender, connection) = http1::handshake(stream).await.map_err(|error| broken(&error))?;
    let _driver = Driver(tokio::spawn(connection).abort_handle());
    let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
    answer(check, response).await
}

/// The reason below the library's own words, which speak of its parts.
fn broken(error: &hyper::Error) -> NoAnswer {
    let mut reason: &dyn std::error::Error = error;
    while let Some(below) = reason.source() {
        reason = below;
    }
    NoAnswer::Broken(match reason.downcast_ref::<io::Error>() {
        Some(error) => words(error),
        None if error.is_incomplete_message() => "the connection was closed before it was whole".to_owned(),
        None if error.is_parse() => format!("it is not HTTP ({reason})"),
        None => reason.to_string(),
    })
}

fn request(check: &Check, is_h2: bool) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let url = &check.url;
    let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
    let said_host = check.headers.iter().find(|(name, _)| is(name, "host")).map(|(_, value)| value.reveal());
    let authority = said_host.map_or_else(|| url.authority(), str::to_owned);
    let mut request = Request::builder().method(check.method.as_str());
    // HTTP/2 has the host in the address, HTTP/1.1 in a header.
    request = if is_h2 {
        let whole = Uri::builder().scheme("https").authority(authority).path_and_query(url.target.as_str());
        request.uri(whole.build()?)
    } else {
        request.uri(url.target.as_str()).header(header::HOST, authority)
    };
    for (name, value) in check.headers.iter().filter(|(name, _)| !is(name, "host")) {
        request = request.header(name, value.reveal());
    }
    let says = |name: &str| check.headers.keys().any(|other| is(other, name));
    if !says("user-agent") {
        request = request.header(header::USER_AGENT, AGENT);
    }
    if !says("accept") {
        request = request.header(header::ACCEPT, "*/*");
    }
    let body = check.body.as_ref().map(|body| Bytes::copy_from_slice(body.reveal().as_bytes()));
    request.body(Full::new(body.unwrap_or_default()))
}

async fn answer(check: &Check, response: Response<Incoming>) -> Result<Answer, NoAnswer> {
    let (head, body) = response.into_parts();
    let status = head.status.as_u16();
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let is_expected = check.expected.statuses.contains(&status);
    let mut read = Vec::new();
    // A stream without an end is a good answer as long as nobody looks into it.
    let is_cut = match (is_expected, check.expected.looks_at_body()) {
        (true, true) => read_up_to(body, BODY_LIMIT, &mut read).await?,
        (true, false) => true,
        // It is only to be shown: what came before it broke off, or before it made us wait, is enough.
        (false, _) => {
            let glance = tokio::time::timeout(GLANCE_WITHIN, read_up_to(body, GLANCE, &mut read)).await;
            !matches!(glance, Ok(Ok(false)))
        }
    };
    let body = String::from_utf8_lossy(&read).into_owned();
    Ok(Answer { status, headers, body, is_cut, certificate: None })
}

/// Reads the beginning of a body, and says whether it goes on.
async fn read_up_to(mut body: Incoming, limit: usize, read: &mut Vec<u8>) -> Result<bool, NoAnswer> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        if let Some(data) = frame.data_ref() {
            let room = limit - read.len();
            read.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
