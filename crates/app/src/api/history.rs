//! `GET /v1/history`: what happened, newest last; with `follow=true` one line of JSON an entry, without an end.
//! `POST /v1/history`: what a command did without the server.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use mainstay_engine::journal::{EntryKind, HistoryFilter, NewEntry};
use mainstay_engine::{KeeperError, World};
use tokio::sync::watch;

use super::Api;
use super::error::{Answer, ApiError, read};
use crate::problem::Problem;
use crate::wire::{HistoryQuery, RecordRequest, Recorded};

pub async fn list<W: World + Clone>(
    State(api): State<Api<W>>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) =
        query.map_err(|error| Problem::usage("bad-request", "the query could not be read").caused_by(&error))?;
    let follow = query.follow;
    let filter = HistoryFilter::from(query);
    if !follow {
        return Ok(Json(api.keeper.history(&filter)?).into_response());
    }
    // Before the first reading, so that nothing falls between the two.
    let mut changes = api.keeper.journal.changes();
    changes.mark_changed();
    let stream = stream::unfold((api, filter, changes), |(api, mut filter, mut changes)| async move {
        let lines = next_lines(&api, &mut filter, &mut changes).await?;
        Some((Ok::<_, std::convert::Infallible>(lines), (api, filter, changes)))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(stream)).into_response())
}

/// Writes down what a command did by itself.
pub async fn record<W: World + Clone>(State(api): State<Api<W>>, body: Bytes) -> Answer<Recorded> {
    let RecordRequest { stack, service, subject, summary, cause, operation, evidence } = read(&body)?;
    let entry = NewEntry {
        service,
        subject,
        cause,
        operation,
        evidence,
        ..NewEntry::new(EntryKind::Operation, stack, summary)
    };
    let id = api.keeper.journal.record(entry).await;
    Ok(Json(Recorded { id: id.map_err(|source| KeeperError::Journal { doing: "written", source })? }))
}

/// The next entries as lines; `None` when the server stops or the journal cannot be read any more.
async fn next_lines<W: World + Clone>(
    api: &Api<W>,
    filter: &mut HistoryFilter,
    changes: &mut watch::Receiver<u64>,
) -> Option<Bytes> {
    loop {
        tokio::select! {
            biased;
            changed = changes.changed() => changed.ok()?,
            () = api.stopping.cancelled() => return None,
        }
        let entries = api.keeper.history(filter).ok()?;
        filter.go_on_after(&entries);
        if entries.is_empty() {
            continue;
        }
        let mut lines = Vec::new();
        for entry in &entries {
            serde_json::to_writer(&mut lines, entry).ok()?;
            lines.push(b'\n');
        }
        return Some(Bytes::from(lines));
    }
}
