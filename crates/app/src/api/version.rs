//! `GET /v1/version`

use axum::Json;
use axum::extract::State;

use super::Api;
use crate::boot::engine;
use crate::wire::Version;

pub async fn show(State(api): State<Api>) -> Json<Version> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Json(Version { version, pid: std::process::id(), engine: Some(engine::version(&api.keeper.docker)) })
}
