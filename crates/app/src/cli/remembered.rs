//! The environment that a stack was brought up with, for a command that does not name one.
//!
//! Without this, `up --env prod` and then `promote` in the same folder would mean two different stacks of one name, and
//! the second would take the first one's routes off the air.

use mainstay_engine::sources;
use mainstay_model::compose::LoadOptions;
use mainstay_model::identity::StackName;

use super::chosen;
use crate::boot::Boot;
use crate::client::Memory;

/// `--env none`: without any, whatever is remembered.
const NONE: &str = "none";

/// How the command goes on: with the environment that its one stack is up with, when nobody named another.
pub async fn with_environment(boot: &Boot) -> Boot {
    let mut boot = boot.clone();
    match boot.global.env.as_deref() {
        Some(NONE) => boot.global.env = None,
        Some(_) => {}
        None => {
            if let Some((stack, env)) = find(&boot).await {
                boot.ui.note(&format!("with `--env {env}`, as `{stack}` was brought up; `--env {NONE}` goes without"));
                boot.global.env = Some(env);
            }
        }
    }
    boot
}

/// Nothing that is wrong matters here: the command itself finds it again and tells it.
async fn find(boot: &Boot) -> Option<(String, String)> {
    if !boot.settings.state_dir.is_dir() || boot.global.stack.len() > 1 {
        return None;
    }
    let find = match boot.global.stack.is_empty() {
        true => Ok(chosen::find_here(boot, LoadOptions::default())),
        false => chosen::find_named(boot, LoadOptions::default()),
    };
    let name = match find {
        Ok(find) => sources::name(&find).ok()??,
        // By its name alone: what is remembered of it says the rest as well.
        Err(_) => StackName::new(boot.global.stack.first()?.as_str()).ok()?,
    };
    let known = Memory::open(&boot.settings).await.ok()?.stacks().await.ok()?;
    let known = known.into_iter().find(|one| one.stack == name && !one.held.is_empty())?;
    Some((known.stack.to_string(), known.env?))
}
