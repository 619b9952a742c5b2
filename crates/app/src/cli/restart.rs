//! `mainstay restart`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::journal::KnownStack;
use mainstay_model::identity::StackName;
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
    /// Restart the stacks that require this one too: stopped before it, started after it
    #[arg(long, conflicts_with = "services")]
    with_dependents: bool,
}

impl Restart {
    /// The chosen stacks, in groups that have nothing to do with each other, each stack after those that it requires.
    ///
    /// # Errors
    /// When a stack is not known.
    async fn groups(&self, boot: &Boot, known: &[KnownStack]) -> Result<Vec<Vec<StackName>>, Problem> {
        let mut names = chosen::names_with(boot, &services(&self.services)).await?;
        let dependents = required::dependents(&names, known);
        if self.with_dependents {
            names.extend(dependents);
        } else if let [_, ..] = dependents.as_slice() {
            let list: Vec<String> = dependents.iter().map(|name| format!("`{name}`")).collect();
            let list = list.join(", ");
            boot.ui.note(&format!("stacks that require this run on: {list} (`--with-dependents` restarts them too)"));
        }
        required::groups_in_order(boot, names, known).await
    }

    /// One order a stack, as far as that can be told before the first one is carried out: in truth all stacks of a group
    /// are stopped before the first of it starts.
    ///
    /// # Errors
    /// When a stack is not known.
    pub async fn orders(&self, boot: &Boot, known: &[KnownStack]) -> Result<Vec<Order>, Problem> {
        let groups = self.groups(boot, known).await?;
        for group in groups.iter().filter(|group| self.is_across(group)) {
            let list: Vec<String> = group.iter().rev().map(|name| format!("`{name}`")).collect();
            let list = list.join(", ");
            boot.ui
                .note(&format!("{list} lean on each other: all are stopped in this order, then started in the other"));
        }
        Ok(groups.concat().iter().map(|stack| Order::Restart(self.order(stack))).collect())
    }

    /// Services that are named drag others of their own stack along, which only a restart of that stack knows.
    fn is_across(&self, group: &[StackName]) -> bool {
        group.len() > 1 && self.services.is_empty()
    }

    fn order(&self, stack: &StackName) -> StackOrder {
        StackOrder {
            stack: stack.clone(),
            services: services(&self.services),
            volumes: Default::default(),
            held: Default::default(),
            timeout_secs: self.timeout,
            no_wait: self.no_wait,
        }
    }

    /// Stacks that lean on each other go down before what they require and come up after it. Each of the two ways is
    /// planned when it is begun, since the second one depends on how the first one ended. Cut off in the middle, the
    /// same command goes on: it starts what stands still.
    async fn across(&self, walk: &Walk<'_>, group: &[StackName]) -> Result<(), Problem> {
        walk.carry_out(group.iter().rev().map(|stack| Order::Stop(self.order(stack))).collect()).await?;
        walk.carry_out(group.iter().map(|stack| Order::Start(self.order(stack))).collect()).await?;
        Ok(())
    }
}

pub async fn run(boot: &Boot, args: Restart) -> Outcome {
    let walk = Walk::begin(boot, "restart").await?;
    if boot.settings.dry_run {
        walk.carry_out(args.orders(boot, &walk.known).await?).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let groups = args.groups(boot, &walk.known).await?;
    let (across, alone): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| args.is_across(group));
    walk.carry_out(alone.concat().iter().map(|stack| Order::Restart(args.order(stack))).collect()).await?;
    for group in &across {
        args.across(&walk, group).await?;
    }
    Ok(ExitCode::SUCCESS)
}
