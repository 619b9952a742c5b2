//! The server's answers: one file a resource, every route in one column.

mod apply;
pub mod door;
mod error;
mod history;
mod images;
mod operations;
mod plan;
mod releases;
mod running;
mod stacks;
#[cfg(test)]
mod tests;
mod version;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use mainstay_engine::Machine;
use mainstay_engine::{Keeper, World};
use tokio_util::sync::CancellationToken;

pub use running::Running;

use crate::wire::EngineVersion;

/// An order carries a whole declaration with its inline files; more than this is a mistake.
const LARGEST_REQUEST_BYTES: usize = 64 * 1024 * 1024;

/// What every answer may need. Cheap to clone. The world is the engine, or a simulated one in tests.
#[derive(Clone)]
pub struct Api<W = Machine> {
    pub keeper: Keeper<W>,
    pub engine: EngineVersion,
    pub running: Arc<Running>,
    /// Cancelled when the server stops: answers without an end must end then.
    pub stopping: CancellationToken,
}

pub fn router<W: World + Clone>(api: Api<W>) -> Router {
    Router::new()
        .route("/v1/version", get(version::show::<W>))
        .route("/v1/images/pin", post(images::pin::<W>))
        .route("/v1/plan", post(plan::decide::<W>))
        .route("/v1/apply", post(apply::apply::<W>))
        .route("/v1/operations/{id}/cancel", post(operations::cancel::<W>))
        .route("/v1/history", get(history::list::<W>).post(history::record::<W>))
        .route("/v1/releases", get(releases::list::<W>))
        .route("/v1/stacks", get(stacks::list::<W>))
        .route("/v1/stacks/{name}", get(stacks::show::<W>))
        .fallback(error::no_such_resource)
        .method_not_allowed_fallback(error::no_such_verb)
        .layer(DefaultBodyLimit::max(LARGEST_REQUEST_BYTES))
        .with_state(api)
}
