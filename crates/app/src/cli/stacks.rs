//! `mainstay stacks`

use std::process::ExitCode;

use clap::Args;

use super::chosen;
use crate::boot::Boot;
use crate::client::Memory;
use crate::problem::Outcome;
use crate::ui::since::ago;
use crate::ui::{Cell, Table, Tone};

/// List the stacks that were brought up here: where their files are, what they require, and whether they are held.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mainstay stacks\n  mainstay stacks --json | jq -r '.[].directory'")]
pub struct Stacks {}

pub async fn run(boot: &Boot, _args: Stacks) -> Outcome {
    chosen::state_dir_must_exist(boot)?;
    let stacks = Memory::open(&boot.settings).await?.stacks().await?;
    if boot.ui.json {
        boot.ui.json_document(&stacks)?;
        return Ok(ExitCode::SUCCESS);
    }
    if stacks.is_empty() {
        boot.ui.talk("no stack was brought up here yet");
        return Ok(ExitCode::SUCCESS);
    }
    let now = jiff::Timestamp::now();
    let mut table = Table::new(&["STACK", "LAST UP", "REQUIRES", "DIRECTORY"]);
    for known in &stacks {
        let requires: Vec<&str> = known.requires.iter().map(|name| name.as_str()).collect();
        let up = match &known.up_at {
            _ if known.held.is_empty() => Cell::new(Tone::Dim, "not held"),
            Some(at) => format!("{} ago", ago(at, now)).replace("just now ago", "just now").into(),
            None => Cell::new(Tone::Warn, "never whole"),
        };
        table.row(vec![known.stack.to_string().into(), up, requires.join(", ").into(), known.directory.clone().into()]);
    }
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))?;
    Ok(ExitCode::SUCCESS)
}
