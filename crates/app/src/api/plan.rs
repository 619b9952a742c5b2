//! `POST /v1/plan`: looks and decides; changes nothing.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;

use mainstay_engine::World;

use super::Api;
use super::error::{Answer, read};
use crate::wire::{PlanAnswer, PlanRequest};

pub async fn decide<W: World + Clone>(State(api): State<Api<W>>, body: Bytes) -> Answer<PlanAnswer> {
    let request: PlanRequest = read(&body)?;
    Ok(Json(api.keeper.plan(&request.order).await?.into()))
}
