//! One request over a unix socket.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, Response, http};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::folder::SocketPath;

/// More than this of an answer is not read: a service may answer a probe with a film.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// An answer, read to its end.
pub(super) struct Answer(Response<Bytes>);

impl Answer {
    pub(super) fn status(&self) -> http::StatusCode {
        self.0.status()
    }

    pub(super) fn body(&self) -> &[u8] {
        self.0.body()
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        self.0
    }

    /// Caddy's words for what it did not like.
    pub(super) fn message(&self) -> String {
        let told: Option<serde_json::Value> = serde_json::from_slice(self.body()).ok();
        let error = told.as_ref().and_then(|told| told.get("error")).and_then(serde_json::Value::as_str);
        error.map_or_else(|| String::from_utf8_lossy(self.body()).trim().to_owned(), str::to_owned)
    }
}

/// # Errors
/// When nobody answers on the socket within the time, or not in HTTP.
pub(super) async fn ask(
    socket: &SocketPath,
    request: Result<Request<Full<Bytes>>, http::Error>,
    within: Duration,
) -> io::Result<Answer> {
    let request = request.map_err(io::Error::other)?;
    let answered = tokio::time::timeout(within, async {
        let stream = UnixStream::connect(socket.path()).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(io::Error::other)?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(io::Error::other)?.to_bytes();
            Ok(Answer(Response::from_parts(head, body)))
        };
        tokio::pin!(connection, exchange);
        tokio::select! {
            answer = &mut exchange => answer,
            // The connection may end in the same moment as the answer is whole.
            _ = &mut connection => exchange.await,
        }
    });
    match answered.await {
        Ok(answer) => answer,
        Err(_) => {
            let message = format!("no answer within {} s", within.as_secs_f32());
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        }
    }
}
