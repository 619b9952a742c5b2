//! The server's other end: HTTP over its unix socket.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use mainstay_engine::Pinned;
use mainstay_engine::journal::{Entry, HistoryFilter, KnownStack, Logged};
use mainstay_model::identity::StackName;
use mainstay_model::operation::{Event, Verdict};
use mainstay_model::plan::{Order, Plan};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::ClientError;
use crate::config::Settings;
use crate::problem::{Kind, Problem};
use crate::wire::{
    ApplyLine, ApplyRequest, ErrorBody, PinRequest, PlanAnswer, PlanRequest, RecordRequest, Recorded, Version,
};

/// How long a server may take to say which version it is.
const GREETING: Duration = Duration::from_secs(3);

/// A server that answered.
#[derive(Clone, Debug)]
pub struct Served {
    socket: Arc<PathBuf>,
    pub version: Version,
}

impl Served {
    /// The server of a state folder; `None` when nobody listens.
    ///
    /// # Errors
    /// When somebody listens and does not answer, or may not be talked to.
    pub async fn find(settings: &Settings) -> Result<Option<Served>, Problem> {
        let socket = Arc::new(settings.socket.clone());
        match UnixStream::connect(socket.as_path()).await {
            Ok(_) => {}
            Err(error) => return nobody(&settings.socket, &error),
        }
        let greeting = async { answer::<Version>(send(&socket, Method::GET, "/v1/version", None::<&()>).await?).await };
        match tokio::time::timeout(GREETING, greeting).await {
            Ok(version) => Ok(Some(Served { socket, version: version? })),
            Err(_) => Err(Problem::world(
                "server-silent",
                format!("the server on `{}` took the connection and does not answer", settings.socket.display()),
            )
            .hint("look at its log, or stop it and start it again")),
        }
    }

    /// # Errors
    /// What the server answers.
    pub async fn plan(&self, order: &Order) -> Result<Plan, Problem> {
        let request = PlanRequest { order: order.clone() };
        let response = self.send(Method::POST, "/v1/plan", Some(&request)).await?;
        Ok(answer::<PlanAnswer>(response).await?.plan)
    }

    /// # Errors
    /// What the server answers.
    pub async fn pin(&self, image: &str, local: bool) -> Result<Pinned, Problem> {
        let request = PinRequest { image: image.to_owned(), local };
        answer(self.send(Method::POST, "/v1/images/pin", Some(&request)).await?).await
    }

    /// # Errors
    /// What the server answers, at once or as the last line.
    pub async fn apply(
        &self,
        request: ApplyRequest,
        events: UnboundedSender<Event>,
        cancel: CancellationToken,
    ) -> Result<Verdict, ClientError> {
        let cancel_path = format!("/v1/operations/{}/cancel", request.operation);
        let response = self.send(Method::POST, "/v1/apply", Some(&request)).await?;
        if !response.status().is_success() {
            return Err(refusal(error_body(response).await?));
        }
        let mut lines = Lines::of(response);
        let mut cancel_sent = false;
        loop {
            let line = tokio::select! {
                line = lines.next() => line?,
                () = cancel.cancelled(), if !cancel_sent => {
                    cancel_sent = true;
                    self.send(Method::POST, &cancel_path, None::<&()>).await?;
                    continue;
                }
            };
            match line.as_deref().map(serde_json::from_slice::<ApplyLine>) {
                Some(Ok(ApplyLine::Event(event))) => {
                    let _ = events.send(*event);
                }
                Some(Ok(ApplyLine::Verdict(verdict))) => return Ok(verdict),
                Some(Ok(ApplyLine::Error(body))) => return Err(refusal(*body)),
                Some(Err(error)) => return Err(garbled(&error).into()),
                None => return Err(gone().into()),
            }
        }
    }

    /// # Errors
    /// What the server answers.
    pub async fn stacks(&self) -> Result<Vec<KnownStack>, Problem> {
        answer(self.send(Method::GET, "/v1/stacks", None::<&()>).await?).await
    }

    /// # Errors
    /// What the server answers.
    pub async fn releases(&self, stack: Option<&StackName>, limit: u32) -> Result<Vec<Logged>, Problem> {
        let stack = stack.map(|stack| format!("&stack={}", escape(stack.as_str()))).unwrap_or_default();
        let path = format!("/v1/releases?limit={limit}{stack}");
        answer(self.send(Method::GET, &path, None::<&()>).await?).await
    }

    /// # Errors
    /// What the server answers.
    pub async fn history(&self, filter: &HistoryFilter) -> Result<Vec<Entry>, Problem> {
        let path = format!("/v1/history?{}", history_query(filter));
        answer(self.send(Method::GET, &path, None::<&()>).await?).await
    }

    /// Writes a line of history.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn record(&self, request: &RecordRequest) -> Result<(), Problem> {
        answer::<Recorded>(self.send(Method::POST, "/v1/history", Some(request)).await?).await.map(drop)
    }

    /// Entries as they are written, without an end.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn follow(&self, filter: &HistoryFilter) -> Result<Lines, Problem> {
        let path = format!("/v1/history?{}&follow=true", history_query(filter));
        let response = self.send(Method::GET, &path, None::<&()>).await?;
        if response.status().is_success() { Ok(Lines::of(response)) } else { Err(error_body(response).await?.into()) }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Response<Incoming>, Problem> {
        send(&self.socket, method, path, body).await
    }
}

/// Nobody there is fine; a socket that may not be opened is not.
fn nobody(socket: &std::path::Path, error: &std::io::Error) -> Result<Option<Served>, Problem> {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::NotADirectory => {
            Ok(None)
        }
        std::io::ErrorKind::PermissionDenied => {
            Err(Problem::world("socket-denied", format!("the socket `{}` may not be used", socket.display()))
                .caused_by(error)
                .hint(
                    "run as the user who runs `mainstay serve`, or start it with `--socket-group` of a group of yours",
                )
                .hint("or use a state folder of your own: `--state-dir DIR`"))
        }
        _ => {
            Err(Problem::world("socket", format!("the socket `{}` cannot be used", socket.display())).caused_by(error))
        }
    }
}

/// One request on a connection of its own.
///
/// # Errors
/// When nobody answers.
pub(crate) async fn send(
    socket: &std::path::Path,
    method: Method,
    path: &str,
    body: Option<&impl Serialize>,
) -> Result<Response<Incoming>, Problem> {
    let lost = |error: &dyn std::error::Error| {
        Problem::world("server-lost", format!("the server on `{}` could not be asked", socket.display()))
            .caused_by(error)
    };
    let bytes = match body {
        Some(body) => serde_json::to_vec(body).map_err(|error| lost(&error))?,
        None => Vec::new(),
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(hyper::header::HOST, "mainstay")
        .header(hyper::header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(bytes)))
        .map_err(|error| lost(&error))?;
    let stream = UnixStream::connect(socket).await.map_err(|error| lost(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(|error| lost(&error))
}

async fn answer<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, Problem> {
    if !response.status().is_success() {
        return Err(error_body(response).await?.into());
    }
    let bytes = response.into_body().collect().await.map_err(|_| gone())?.to_bytes();
    serde_json::from_slice(&bytes).map_err(|error| garbled(&error))
}

async fn error_body(response: Response<Incoming>) -> Result<ErrorBody, Problem> {
    let status = response.status();
    let bytes = response.into_body().collect().await.map_err(|_| gone())?.to_bytes();
    serde_json::from_slice(&bytes).map_err(|error| {
        let mut problem = garbled(&error);
        problem.message = format!("the server answered {status} in words that are not known here");
        problem
    })
}

fn refusal(body: ErrorBody) -> ClientError {
    match body.plan {
        Some(plan) => ClientError::PlanChanged(plan),
        None => ClientError::Problem(body.into()),
    }
}

fn garbled(error: &dyn std::error::Error) -> Problem {
    Problem::world("server-garbled", "the server's answer could not be understood")
        .caused_by(error)
        .hint("compare the versions of both: `mainstay version`")
}

fn gone() -> Problem {
    Problem::new(Kind::World, "server-gone", "the server went away in the middle of its answer")
        .hint("`mainstay history` tells what was done; the same command again goes on from there")
}

/// The query of a history request; names are stack names, ids and service names, and are written safely.
fn history_query(filter: &HistoryFilter) -> String {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    pairs.extend(filter.stack.as_ref().map(|stack| ("stack", stack.to_string())));
    pairs.extend(filter.service.clone().map(|service| ("service", service)));
    pairs.extend(filter.operation.as_ref().map(|operation| ("operation", operation.to_string())));
    pairs.extend(filter.after.map(|after| ("after", after.to_string())));
    pairs.extend(filter.limit.map(|limit| ("limit", limit.to_string())));
    if filter.steps {
        pairs.push(("steps", "true".to_owned()));
    }
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={}", escape(&value))).collect();
    pairs.join("&")
}

/// Percent-encodes all but unreserved characters.
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// The lines of a streamed answer.
pub struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
    searched: usize,
}

impl Lines {
    fn of(response: Response<Incoming>) -> Self {
        Lines { body: response.into_body(), buffer: Vec::new(), searched: 0 }
    }

    /// The next entry of a followed history; `None` when the server went away, in whatever manner.
    ///
    /// # Errors
    /// When a line is no entry.
    pub async fn next_entry(&mut self) -> Result<Option<Entry>, Problem> {
        match self.next().await {
            Ok(Some(line)) => serde_json::from_slice(&line).map(Some).map_err(|error| garbled(&error)),
            Ok(None) | Err(_) => Ok(None),
        }
    }

    /// The next line without its end, or `None` at the end of the answer. May be dropped and called again.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        loop {
            if let Some(at) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=self.searched + at).collect();
                line.pop();
                self.searched = 0;
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(_)) => return Err(gone()),
                None => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_must_be_written_safely() {
        let filter = HistoryFilter {
            service: Some("a&b c".to_owned()),
            limit: Some(3),
            steps: true,
            ..HistoryFilter::default()
        };
        assert_eq!(history_query(&filter), "service=a%26b%20c&limit=3&steps=true");
    }
}
