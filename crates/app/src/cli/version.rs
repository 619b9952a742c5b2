//! `mainstay version`

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::boot::Boot;
use crate::client::served::Served;
use crate::problem::Outcome;
use crate::wire::{self, EngineVersion};

/// How long the engine may take to say its version.
const PATIENCE: Duration = Duration::from_secs(2);

/// Show the versions of this program, of the server and of the Docker engine.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mainstay version\n  mainstay version --json")]
pub struct Version {}

#[derive(Serialize)]
struct Versions {
    version: &'static str,
    server: Option<wire::Version>,
    engine: Option<EngineVersion>,
}

pub async fn run(boot: &Boot, _args: Version) -> Outcome {
    let server = Served::find(&boot.settings).await.ok().flatten().map(|served| served.version);
    let engine = tokio::time::timeout(PATIENCE, boot.docker()).await;
    let engine = engine.ok().and_then(Result::ok).map(|docker| crate::boot::engine::version(&docker));
    let versions = Versions { version: env!("CARGO_PKG_VERSION"), server, engine };
    if boot.ui.json {
        boot.ui.json_document(&versions)?;
        return Ok(ExitCode::SUCCESS);
    }
    boot.ui.data(&format!("mainstay {}", versions.version))?;
    match &versions.server {
        Some(server) => boot.ui.data(&format!("server   {} (pid {})", server.version, server.pid))?,
        None => boot.ui.data("server   none runs for this state folder")?,
    }
    match &versions.engine {
        Some(engine) => boot.ui.data(&format!("engine   {} (API {})", engine.version, engine.api_version))?,
        None => boot.ui.data("engine   away")?,
    }
    Ok(ExitCode::SUCCESS)
}
