//! The answers as routes: `/health/live`, `/health/ready`, `/health`, and `/health/pools` for a look inside.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::{Answer, Health};

/// Routes to merge into a service's own. `/health/pools` names hosts and roles, as `/health` names reasons: what is
/// served to the outside should not route `/health` there.
pub fn router<S: Clone + Send + Sync + 'static>(health: Health) -> Router<S> {
    let route = |answer: fn(&Health) -> Answer| {
        let health = health.clone();
        get(move || std::future::ready(answer(&health)))
    };
    Router::new()
        .route("/health/live", route(Health::live))
        .route("/health/ready", route(Health::ready))
        .route("/health", route(Health::health))
        .route("/health/pools", route(Health::pools))
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(header::CACHE_CONTROL, "no-store")], Json(self.body)).into_response()
    }
}
