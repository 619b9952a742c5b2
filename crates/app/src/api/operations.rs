//! `POST /v1/operations/{id}/cancel`

use axum::Json;
use axum::extract::{Path, State};
use mainstay_engine::World;
use mainstay_model::identity::OperationId;

use super::Api;
use crate::wire::Cancelled;

pub async fn cancel<W: World + Clone>(State(api): State<Api<W>>, Path(id): Path<String>) -> Json<Cancelled> {
    let operation = OperationId(id);
    let running = api.running.cancel(&operation);
    Json(Cancelled { operation, running })
}
