//! `GET /v1/releases`: what was released, newest first. What a release declared has secrets in it and is never sent.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use mainstay_engine::journal::Logged;
use mainstay_engine::{KeeperError, World};

use super::Api;
use super::error::Answer;
use crate::problem::Problem;
use crate::wire::ReleasesQuery;

/// So many are told when nothing is said.
const LIMIT: u32 = 50;

pub async fn list<W: World + Clone>(
    State(api): State<Api<W>>,
    query: Result<Query<ReleasesQuery>, QueryRejection>,
) -> Answer<Vec<Logged>> {
    let Query(query) =
        query.map_err(|error| Problem::usage("bad-request", "the query could not be read").caused_by(&error))?;
    let log = api.keeper.journal.release_log(query.stack.as_ref(), query.limit.unwrap_or(LIMIT));
    Ok(Json(log.map_err(|source| KeeperError::Journal { doing: "read", source })?))
}
