//! `GET /v1/version`

use axum::Json;
use axum::extract::State;

use mainstay_engine::World;

use super::Api;
use crate::wire::Version;

pub async fn show<W: World + Clone>(State(api): State<Api<W>>) -> Json<Version> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Json(Version { version, pid: std::process::id(), engine: Some(api.engine) })
}
