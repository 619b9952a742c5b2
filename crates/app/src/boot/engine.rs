//! The way to the Docker engine, for every command that needs it.

use mainstay_engine::docker::Docker;
use mainstay_engine::{World as _, WorldError};
use mainstay_model::observed::{Observed, Scope};

use crate::problem::Problem;
use crate::wire::EngineVersion;

/// Connects to the engine at `host`, or at the default place.
///
/// # Errors
/// When there is no engine, or `host` is no address of one.
pub async fn connect(host: Option<&str>) -> Result<Docker, Problem> {
    Docker::check_address(host.unwrap_or_default()).map_err(not_an_address)?;
    Docker::connect(host).await.map_err(|error| {
        let mut problem = Problem::from(error);
        if problem.hints.is_empty() {
            problem.hints.push("is Docker running? `--docker-host` and `DOCKER_HOST` name another engine".to_owned());
        }
        problem
    })
}

/// Nothing was asked: it is the command line, or `DOCKER_HOST`, that cannot be right.
fn not_an_address(error: WorldError) -> Problem {
    let mut problem = Problem::usage("docker-host", error.message);
    problem.hints = error.hints;
    problem
}

/// One scoped snapshot.
///
/// # Errors
/// When the engine cannot be asked.
pub async fn look(docker: &Docker, scope: &Scope) -> Result<Observed, Problem> {
    Ok(docker.look(scope).await?)
}

/// What the engine said of itself.
pub fn version(docker: &Docker) -> EngineVersion {
    let facts = docker.facts();
    EngineVersion { version: facts.version.clone(), api_version: facts.api_version.clone() }
}
