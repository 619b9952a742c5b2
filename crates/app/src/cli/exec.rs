//! `mainstay exec`

use clap::Args;

use super::up::ServiceArg;
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};

/// Run a command in a service's running container.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay exec db psql -U postgres\n  mainstay exec -T db pg_dump -U postgres shop > shop.sql\n  mainstay exec -u root -w /srv -e DEBUG=1 web sh\n\nThe exit code is the command's own."
)]
pub struct Exec {
    /// No terminal for the command, even when there is one here
    #[arg(long, short = 'T')]
    no_tty: bool,
    /// As this user
    #[arg(long, short = 'u', value_name = "USER")]
    user: Option<String>,
    /// With this variable; may be repeated
    #[arg(short = 'e', value_name = "NAME=VALUE")]
    variables: Vec<String>,
    /// In this folder
    #[arg(long, short = 'w', value_name = "DIR")]
    workdir: Option<String>,
    /// In the container of this number
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    index: u32,
    /// The service
    #[arg(value_name = "SERVICE")]
    service: ServiceArg,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

pub async fn run(_boot: &Boot, _args: Exec) -> Outcome {
    Err(Problem::world("not-yet", "exec is not built yet"))
}
