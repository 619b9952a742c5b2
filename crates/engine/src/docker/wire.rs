//! The one road to the engine: a pooled HTTP client over a unix socket or TCP.
//!
//! bollard's typed calls run over it, and so do the few requests that bollard cannot word: `CheckDuplicate` and
//! `MacAddress` in a body, several tags and ulimits of a build, and raw output bytes. bollard drops the version
//! from its paths; here every request gets the negotiated one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bollard::errors::Error;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt};
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyperlocal::UnixConnector;
use serde::Serialize;
use serde::de::DeserializeOwned;

type FrameStream = std::pin::Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send>>;

/// A request's body: bytes, or a stream of them. bollard's own type, by its parts.
pub(super) type Body = Either<Full<Bytes>, StreamBody<FrameStream>>;

/// How many idle connections are kept for the next calls.
const IDLE_CONNECTIONS: usize = 32;

#[derive(Clone)]
pub(super) struct Wire(Arc<Inner>);

struct Inner {
    client: Road,
    /// Scheme and authority: `unix://<hex of the path>` or `http://host:port`.
    base: String,
    /// The minor number of the negotiated API version; 0 before that.
    minor: AtomicU32,
}

enum Road {
    Unix(Client<UnixConnector, Body>),
    Tcp(Client<HttpConnector, Body>),
}

impl Wire {
    pub(super) fn unix(path: &str) -> Wire {
        let hex: String = path.bytes().map(|byte| format!("{byte:02x}")).collect();
        Wire::over(Road::Unix(builder().build(UnixConnector)), format!("unix://{hex}"))
    }

    pub(super) fn tcp(authority: &str) -> Wire {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(10)));
        Wire::over(Road::Tcp(builder().build(connector)), format!("http://{authority}"))
    }

    fn over(client: Road, base: String) -> Wire {
        Wire(Arc::new(Inner { client, base, minor: AtomicU32::new(0) }))
    }

    pub(super) fn base(&self) -> &str {
        &self.0.base
    }

    pub(super) fn speak(&self, minor: u32) {
        self.0.minor.store(minor, Ordering::Relaxed);
    }

    /// Sends a request, with the negotiated version in front of its path.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, Error> {
        let minor = self.0.minor.load(Ordering::Relaxed);
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        if minor > 0 && !path.starts_with("/v1.") {
            let uri: Uri = format!("{}/v1.{minor}{path}", self.0.base).parse()?;
            *request.uri_mut() = uri;
        }
        request.headers_mut().insert(HOST, HeaderValue::from_static("docker"));
        let sent = match &self.0.client {
            Road::Unix(client) => client.request(request).await,
            Road::Tcp(client) => client.request(request).await,
        };
        sent.map_err(Error::from)
    }

    /// One request of our own wording; an answer that is not a success is an error with the engine's message.
    pub(super) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Body,
    ) -> Result<Response<Incoming>, Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.0.base)).body(body)?;
        request.headers_mut().extend(headers);
        let response = self.send(request).await?;
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        let text = response.into_body().collect().await?.to_bytes();
        let told: Option<serde_json::Value> = serde_json::from_slice(&text).ok();
        let message = told.as_ref().and_then(|value| value.get("message")).and_then(serde_json::Value::as_str);
        let message = message.map_or_else(|| String::from_utf8_lossy(&text).trim().to_owned(), str::to_owned);
        Err(Error::DockerResponseServerError { status_code: status.as_u16(), message })
    }

    /// A connection that speaks another protocol from here on.
    pub(super) async fn upgrade(&self, path: &str, headers: HeaderMap) -> Result<Upgraded, Error> {
        let response = self.open(Method::POST, path, headers, no_body()).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let message = format!("`{path}` did not change to the protocol that was asked for");
            return Err(Error::DockerResponseServerError { status_code: response.status().as_u16(), message });
        }
        Ok(hyper::upgrade::on(response).await?)
    }

    /// Posts JSON and reads the JSON answer.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let body = bytes_body(serde_json::to_vec(body)?);
        let response = self.open(Method::POST, path, headers, body).await?;
        let answer = response.into_body().collect().await?.to_bytes();
        Ok(serde_json::from_slice(&answer)?)
    }
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_max_idle_per_host(IDLE_CONNECTIONS);
    builder.pool_idle_timeout(Duration::from_secs(20));
    builder.pool_timer(TokioTimer::new());
    builder.timer(TokioTimer::new());
    builder
}

pub(super) fn bytes_body(bytes: impl Into<Bytes>) -> Body {
    Either::Left(Full::new(bytes.into()))
}

pub(super) fn no_body() -> Body {
    bytes_body(Bytes::new())
}

pub(super) fn stream_body(chunks: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static) -> Body {
    Either::Right(StreamBody::new(Box::pin(chunks.map(|chunk| chunk.map(Frame::data)))))
}

/// The answer's bytes as they come.
pub(super) fn chunks(response: Response<Incoming>) -> impl Stream<Item = Result<Bytes, Error>> + Send + Unpin {
    let frames = response.into_body().into_data_stream();
    Box::pin(frames.map(|chunk| chunk.map_err(Error::from)))
}

/// Values in JSON, a line each, as they come; a last line without an end counts.
pub(super) fn json_lines<T: DeserializeOwned + Send + 'static>(
    chunks: impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + 'static,
) -> impl Stream<Item = Result<T, Error>> + Send + Unpin {
    let start = (chunks, BytesMut::new(), false);
    Box::pin(stream::try_unfold(start, |(mut chunks, mut rest, mut ended)| async move {
        loop {
            let line = match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => rest.split_to(end + 1),
                None if ended => rest.split(),
                None => {
                    match chunks.next().await {
                        Some(chunk) => rest.extend_from_slice(&chunk?),
                        None => ended = true,
                    }
                    continue;
                }
            };
            if line.trim_ascii().is_empty() {
                if ended && rest.is_empty() {
                    return Ok(None);
                }
                continue;
            }
            let value: T = serde_json::from_slice(&line)?;
            return Ok(Some((value, (chunks, rest, ended))));
        }
    }))
}

/// `key=value&…`, percent-encoded.
pub(super) fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut text = String::new();
    for (key, value) in pairs {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(key);
        text.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(byte)),
                _ => text.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    text
}
