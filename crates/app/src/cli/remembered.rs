//! The environment that a stack was brought up with, for a command that does not name one.
//!
//! Without this, `up --env prod` and then `promote` in the same folder would mean two different stacks of one name, and
//! the second would take the first one's routes off the air.

use super::chosen;
use crate::boot::Boot;
use crate::client::Memory;
use crate::problem::Problem;

/// `--env none`: without any, whatever is remembered.
pub const NONE: &str = "none";

/// How the command goes on: with the environment that its stacks are up with, when nobody named another.
///
/// # Errors
/// When several stacks are named whose environments differ: one for all of them would be wrong for some.
pub async fn with_environment(boot: &Boot) -> Result<Boot, Problem> {
    let mut boot = boot.clone();
    match boot.global.env.as_deref() {
        Some(NONE) => (boot.global.env, boot.global.no_env) = (None, true),
        Some(_) => {}
        None => {
            let stacks = find(&boot).await;
            must_be_said_of_sent_files(&boot, &stacks)?;
            boot.global.env = one_for_all(&boot, &stacks)?;
        }
    }
    Ok(boot)
}

/// The files of an environment did not come along when none was named, and those of this host are not what was meant.
fn must_be_said_of_sent_files(boot: &Boot, stacks: &[(String, Option<String>)]) -> Result<(), Problem> {
    let is_sent = boot.environment.carried.as_ref().is_some_and(|carried| carried.sent.is_some());
    match stacks {
        [(stack, Some(env))] if is_sent => {
            let message =
                format!("`{stack}` is up with `--env {env}`, and the files that were sent are those without it");
            Err(Problem::usage("which-environment", message)
                .hint(format!("say which is meant: `--env {env}`, or `--env {NONE}`")))
        }
        _ => Ok(()),
    }
}

fn one_for_all(boot: &Boot, stacks: &[(String, Option<String>)]) -> Result<Option<String>, Problem> {
    let told =
        |env: &Option<String>| env.as_deref().map_or("without one".to_owned(), |env| format!("with `--env {env}`"));
    let Some((first, env)) = stacks.first() else { return Ok(None) };
    if let Some((other, another)) = stacks.iter().find(|(_, another)| another != env) {
        let message = format!("`{first}` was brought up {}, and `{other}` {}", told(env), told(another));
        return Err(Problem::usage("environments-differ", message)
            .hint(format!("one after the other, or say which for all of them: `--env NAME`, `--env {NONE}`")));
    }
    if let Some(env) = env {
        let names: Vec<String> = stacks.iter().map(|(stack, _)| format!("`{stack}`")).collect();
        let were = if names.len() == 1 { "was" } else { "were" };
        boot.ui.note(&format!(
            "with `--env {env}`, as {} {were} brought up; `--env {NONE}` goes without",
            names.join(", ")
        ));
    }
    Ok(env.clone())
}

/// The stacks that are up, of those that are meant. Nothing that is wrong matters here: the command itself finds it again
/// and tells it.
async fn find(boot: &Boot) -> Vec<(String, Option<String>)> {
    if !boot.settings.state_dir.is_dir() {
        return Vec::new();
    }
    let names = chosen::names_without_environment(boot);
    let Ok(memory) = Memory::open(&boot.settings).await else { return Vec::new() };
    let known = memory.stacks().await.unwrap_or_default();
    let known = names.iter().filter_map(|name| known.iter().find(|one| one.stack == *name && !one.held.is_empty()));
    known.map(|one| (one.stack.to_string(), one.env.clone())).collect()
}
