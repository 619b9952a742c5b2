//! `mainstay logs`

use clap::Args;

use super::up::ServiceArg;
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};

/// Show what a stack's containers write.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay logs                          all services, once\n  mainstay logs -f web                   go on with what comes\n  mainstay logs --since 10m --tail 100\n  mainstay logs --stack supabase --timestamps"
)]
pub struct Logs {
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<ServiceArg>,
    /// Go on with what comes
    #[arg(long, short = 'f')]
    follow: bool,
    /// From this time on: `10m`, `2h`, or an RFC 3339 time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only the last so many lines of each container, or `all`
    #[arg(long, short = 'n', value_name = "LINES", default_value = "all")]
    tail: String,
    /// The time of each line
    #[arg(long, short = 't')]
    timestamps: bool,
    /// No container's name in front of each line
    #[arg(long)]
    no_log_prefix: bool,
}

pub async fn run(_boot: &Boot, _args: Logs) -> Outcome {
    Err(Problem::world("not-yet", "logs are not built yet"))
}
