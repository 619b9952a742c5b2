//! `mainstay bridge`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::tokens::Scope;
use tokio_util::sync::CancellationToken;

use crate::boot::Boot;
use crate::problem::{Outcome, Problem};
use crate::remote::there::powers::Powers;
use crate::remote::there::{There, typed};

/// Take one command on standard input: the other end of `--host ssh://…`, which starts it there.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  command=\"mainstay bridge --scope release:shop\",restrict ssh-ed25519 AAAA… ci\n\nThat is a line of ~/.ssh/authorized_keys: this key may promote one stack, and nothing else, with\n`--host` or as `ssh HOST mainstay promote …`. A command runs as a process of its own with the state folder of this user (docs/REMOTE.md)."
)]
pub struct Bridge {
    /// Only what this scope allows: `read`, `read:STACK`, `release:STACK` or `admin`; may be repeated
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<Scope>,
}

pub async fn run(boot: &Boot, args: Bridge) -> Outcome {
    let typed = typed(&boot.environment.variables).filter(|_| !args.scope.is_empty());
    if boot.ui.in_is_terminal && typed.is_none() {
        return Err(Problem::usage("no-bridge", "this is the other end of `--host`, and there is nobody at this one")
            .hint("run a command on this machine from another one: `mainstay --host ssh://USER@HOST ps`"));
    }
    let scopes = (!args.scope.is_empty()).then_some(args.scope);
    let powers = Powers { who: boot.environment.user(), scopes };
    let there = There { settings: boot.settings.clone(), powers, stopping: CancellationToken::new() };
    if let Some(line) = typed {
        return there.run_typed(line).await;
    }
    there.serve(tokio::io::stdin(), tokio::io::stdout()).await;
    Ok(ExitCode::SUCCESS)
}
