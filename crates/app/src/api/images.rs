//! `POST /v1/images/pin`: what the tag of an image is now; changes nothing.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use mainstay_engine::{KeeperError, Pinned, World};

use super::Api;
use super::error::{Answer, read};
use crate::wire::PinRequest;

pub async fn pin<W: World + Clone>(State(api): State<Api<W>>, body: Bytes) -> Answer<Pinned> {
    let request: PinRequest = read(&body)?;
    let pinned = api.keeper.docker.pin(&request.image, request.local).await;
    Ok(Json(pinned.map_err(KeeperError::World)?))
}
