//! The way to the Docker engine, for every command that needs it.

use mainstay_engine::WorldError;
use mainstay_engine::docker::Docker;
use mainstay_model::observed::{Observed, Scope};

use crate::problem::Problem;
use crate::wire::EngineVersion;

/// Connects to the engine at `host`, or at the default place.
///
/// # Errors
/// When there is no engine.
pub async fn connect(host: Option<&str>) -> Result<Docker, Problem> {
    let _ = host;
    Ok(Docker {})
}

/// One scoped snapshot.
///
/// # Errors
/// When the engine cannot be reached.
pub async fn look(docker: &Docker, scope: &Scope) -> Result<Observed, Problem> {
    let _ = (docker, scope);
    Err(WorldError::new("not built yet").into())
}

/// What the engine said of itself.
pub fn version(docker: &Docker) -> EngineVersion {
    let _ = docker;
    EngineVersion { version: String::new(), api_version: String::new() }
}
