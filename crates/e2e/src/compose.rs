//! `docker compose` v2: the other program that works on the same stacks.

use std::path::Path;
use std::process::Command;

use crate::scene::Ran;

/// Runs Docker Compose on a stack's folder, with nothing of the caller's environment that would bend it.
#[track_caller]
pub fn compose_v2(folder: &Path, args: &[&str]) -> Ran {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/compose-v2.sh");
    let found = Command::new(script).output().expect("scripts/compose-v2.sh runs");
    let error = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success(), "no Docker Compose to compare with: {error}");
    let program = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).env_remove("COMPOSE_FILE").env_remove("COMPOSE_PROJECT_NAME");
    Ran::of(command)
}
