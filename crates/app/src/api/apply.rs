//! `POST /v1/apply`: carries out the plan that was shown, and tells each event as one line of JSON.
//!
//! What stands in the way before the first event is an answer with its own status; after that the last line says how
//! it ended. The operation does not belong to the connection: a client that goes away stops nothing.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use mainstay_engine::{KeeperError, World};
use mainstay_model::operation::{Event, Verdict};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinError, JoinHandle};

use super::Api;
use super::error::{ApiError, error_body, read};
use crate::problem::{Kind, Problem};
use crate::wire::{ApplyLine, ApplyRequest, ErrorBody};

pub async fn apply<W: World + Clone>(State(api): State<Api<W>>, body: Bytes) -> Result<Response, ApiError> {
    let request: ApplyRequest = read(&body)?;
    let place = api.running.begin(&request.operation)?;
    let (events, mut heard) = unbounded_channel();
    let mut operation = tokio::spawn(async move {
        let cancel = place.cancel.clone();
        let keeper = api.keeper.acting_for(&request.actor);
        let verdict = keeper.apply(request.order, &request.digest, request.operation, events, cancel).await;
        drop(place);
        verdict
    });
    let first = tokio::select! {
        biased;
        Some(event) = heard.recv() => ApplyLine::Event(Box::new(event)),
        ended = &mut operation => match last_line(ended) {
            ApplyLine::Error(body) => return Err(ApiError::from_body(*body)),
            line => return Ok(lines(Body::from(text(&line)))),
        },
    };
    let telling = Telling { first: Some(first), heard, operation: Some(operation) };
    let stream = stream::unfold(telling, |mut telling| async move {
        let line = telling.next().await?;
        Some((Ok::<_, std::convert::Infallible>(text(&line)), telling))
    });
    Ok(lines(Body::from_stream(stream)))
}

/// An operation that is being told.
struct Telling {
    first: Option<ApplyLine>,
    heard: UnboundedReceiver<Event>,
    /// `None` once its end was told.
    operation: Option<JoinHandle<Result<Verdict, KeeperError>>>,
}

impl Telling {
    async fn next(&mut self) -> Option<ApplyLine> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let operation = self.operation.as_mut()?;
        tokio::select! {
            biased;
            Some(event) = self.heard.recv() => Some(ApplyLine::Event(Box::new(event))),
            ended = operation => {
                self.operation = None;
                Some(last_line(ended))
            }
        }
    }
}

fn last_line(ended: Result<Result<Verdict, KeeperError>, JoinError>) -> ApplyLine {
    match ended {
        Ok(Ok(verdict)) => ApplyLine::Verdict(verdict),
        Ok(Err(error)) => ApplyLine::Error(Box::new(error_body(error))),
        Err(_) => {
            let problem = Problem::new(Kind::Bug, "panic", "the operation stopped where it never should");
            ApplyLine::Error(Box::new(ErrorBody::from(problem)))
        }
    }
}

fn text(line: &ApplyLine) -> Bytes {
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    Bytes::from(bytes)
}

fn lines(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}
