//! `mainstay stop`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::journal::KnownStack;
use mainstay_model::plan::{Order, StackOrder};

use super::up::{ServiceArg, services};
use super::{chosen, required, walk::Walk};
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};

/// Stop a stack's containers and keep them, dependents before what they depend on.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay stop                                      the stack of this folder\n  mainstay stop --stack supabase --stack nocodb      required stacks go last\n  mainstay stop web --timeout 60"
)]
pub struct Stop {
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<ServiceArg>,
    /// Seconds of grace before a container is killed, instead of its own
    #[arg(long, short = 't', value_name = "SECONDS")]
    timeout: Option<u64>,
}

impl Stop {
    /// One order a stack, those that others require last.
    ///
    /// # Errors
    /// When a stack is not known.
    pub async fn orders(&self, boot: &Boot, known: &[KnownStack]) -> Result<Vec<Order>, Problem> {
        let mut names =
            required::names_in_order(boot, chosen::names_with(boot, &services(&self.services)).await?, known).await?;
        names.reverse();
        let order = |stack| {
            Order::Stop(StackOrder {
                stack,
                services: services(&self.services),
                volumes: Default::default(),
                held: Default::default(),
                timeout_secs: self.timeout,
                no_wait: false,
            })
        };
        Ok(names.into_iter().map(order).collect())
    }
}

pub async fn run(boot: &Boot, args: Stop) -> Outcome {
    let walk = Walk::begin(boot, "stop").await?;
    let orders = args.orders(boot, &walk.known).await?;
    walk.carry_out(orders).await?;
    Ok(ExitCode::SUCCESS)
}
