//! `mainstay start`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::journal::KnownStack;
use mainstay_model::plan::{Order, StackOrder};

use super::up::{ServiceArg, services};
use super::{chosen, required, walk::Walk};
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};

/// Start a stack's stopped containers, in the order in which they depend on each other.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay start                                     the stack of this folder\n  mainstay start --stack supabase --stack nocodb     required stacks come first\n  mainstay start web --no-wait"
)]
pub struct Start {
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<ServiceArg>,
    /// Do not wait until services are ready
    #[arg(long)]
    no_wait: bool,
}

impl Start {
    /// One order a stack, each after those that it requires.
    ///
    /// # Errors
    /// When a stack is not known.
    pub async fn orders(&self, boot: &Boot, known: &[KnownStack]) -> Result<Vec<Order>, Problem> {
        let names =
            required::names_in_order(boot, chosen::names_with(boot, &services(&self.services)).await?, known).await?;
        let order = |stack| {
            Order::Start(StackOrder {
                stack,
                services: services(&self.services),
                volumes: Default::default(),
                held: Default::default(),
                timeout_secs: None,
                no_wait: self.no_wait,
            })
        };
        Ok(names.into_iter().map(order).collect())
    }
}

pub async fn run(boot: &Boot, args: Start) -> Outcome {
    let walk = Walk::begin(boot, "start").await?;
    let orders = args.orders(boot, &walk.known).await?;
    walk.carry_out(orders).await?;
    Ok(ExitCode::SUCCESS)
}
