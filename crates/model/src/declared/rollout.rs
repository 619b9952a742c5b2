//! How a new container takes over from the one before it: `x-mainstay.rollout` of a service.

use serde::{Deserialize, Serialize};

/// What nobody said is `None`, and is chosen by the planner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rollout {
    pub strategy: Option<Strategy>,
    /// For how long a new container has to stay good before it may serve.
    pub stable_ms: Option<u64>,
    /// How long requests that are under way may take once nothing new is sent to an old container.
    pub drain_secs: Option<u64>,
}

impl Rollout {
    /// Ten seconds, when nobody said: longer than a request takes, shorter than a deploy may.
    pub fn drain_secs(&self) -> u64 {
        self.drain_secs.unwrap_or(10)
    }

    pub fn stable_ms(&self) -> u64 {
        self.stable_ms.unwrap_or(1_000)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The new container runs beside the old one, which serves until the release is committed.
    Rolling,
    /// The old one stops first: for what must never run twice.
    StopFirst,
}
