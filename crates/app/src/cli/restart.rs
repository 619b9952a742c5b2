//! `mainstay restart`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::journal::KnownStack;
use mainstay_model::plan::{Order, StackOrder};

use super::up::{ServiceArg, services};
use super::{chosen, required, walk::Walk};
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};

/// Stop and start a stack's containers, in the order in which they depend on each other.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay restart web                               one service\n  mainstay restart --stack supabase                  stacks that require it run on\n  mainstay restart --stack supabase --with-dependents"
)]
pub struct Restart {
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<ServiceArg>,
    /// Seconds of grace before a container is killed, instead of its own
    #[arg(long, short = 't', value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Do not wait until services are ready
    #[arg(long)]
    no_wait: bool,
    /// Restart the stacks that require this one too, after it
    #[arg(long, conflicts_with = "services")]
    with_dependents: bool,
}

impl Restart {
    /// One order a stack, each after those that it requires.
    ///
    /// # Errors
    /// When a stack is not known.
    pub async fn orders(&self, boot: &Boot, known: &[KnownStack]) -> Result<Vec<Order>, Problem> {
        let mut names = chosen::names_with(boot, &services(&self.services)).await?;
        let dependents = required::dependents(&names, known);
        if self.with_dependents {
            names.extend(dependents);
        } else if let [_, ..] = dependents.as_slice() {
            let list: Vec<String> = dependents.iter().map(|name| format!("`{name}`")).collect();
            let list = list.join(", ");
            boot.ui.note(&format!("stacks that require this run on: {list} (`--with-dependents` restarts them too)"));
        }
        let names = required::names_in_order(boot, names, known).await?;
        let order = |stack| {
            Order::Restart(StackOrder {
                stack,
                services: services(&self.services),
                volumes: Default::default(),
                timeout_secs: self.timeout,
                no_wait: self.no_wait,
            })
        };
        Ok(names.into_iter().map(order).collect())
    }
}

pub async fn run(boot: &Boot, args: Restart) -> Outcome {
    let walk = Walk::begin(boot, "restart").await?;
    let orders = args.orders(boot, &walk.known).await?;
    walk.carry_out(orders).await?;
    Ok(ExitCode::SUCCESS)
}
