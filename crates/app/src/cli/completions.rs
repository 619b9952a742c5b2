//! `mainstay completions`

use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;
use crate::boot::Boot;
use crate::problem::Outcome;

/// Write the completions of a shell to stdout.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay completions bash > /etc/bash_completion.d/mainstay\n  mainstay completions fish > ~/.config/fish/completions/mainstay.fish"
)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(boot: &Boot, args: Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mainstay", &mut script);
    boot.ui.raw_data(&script)?;
    Ok(ExitCode::SUCCESS)
}
