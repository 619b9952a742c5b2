//! What this version needs of its schema, and which migration brings it: written by
//! `mainstay db drift --write-expectation` out of the migrations themselves (see the example's README).

use std::sync::Arc;
use std::time::Duration;

use standing_pool::schema::{Expectation, ExpectationError};

const NEEDED: &str = include_str!("../schema.json");

pub fn needed() -> Result<Arc<Expectation>, ExpectationError> {
    Expectation::from_json(NEEDED).map(Arc::new)
}

/// How often it is looked at without a reason; a statement that misses a table or a column is one.
pub fn looked_at_every() -> Duration {
    let told = std::env::var("SCHEMA_CHECK_INTERVAL_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(told.unwrap_or(30))
}
