//! `mainstay plan`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use mainstay_engine::docker::Docker;
use mainstay_model::declared::Declared;
use mainstay_model::observed::Scope;
use mainstay_model::plan::{Order, Plan, decide};

use super::chosen;
use super::down::Down;
use super::generated;
use super::required::Wanted;
use super::restart::Restart;
use super::start::Start;
use super::stop::Stop;
use super::up::{Up, services};
use crate::boot::{Boot, engine};
use crate::client::Memory;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::show;
use crate::wire::PlanAnswer;

/// Show what a command would do, and change nothing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay plan                      what `up` would do\n  mainstay plan up web --build       the same for one service\n  mainstay plan down                 what `down` would take away\n  mainstay plan --check              exit code 6 when there is something to do\n  mainstay plan --json | jq .steps   one JSON document a stack"
)]
pub struct PlanArgs {
    /// End with 6 when there is something to do
    #[arg(long, visible_alias = "detailed-exitcode", global = true)]
    check: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// The commands that have plans.
#[derive(Debug, Subcommand)]
enum Verb {
    Up(Up),
    Down(Down),
    Start(Start),
    Stop(Stop),
    Restart(Restart),
}

pub async fn run(boot: &Boot, args: PlanArgs) -> Outcome {
    let orders = match args.verb.unwrap_or_else(|| Verb::Up(Up::default())) {
        Verb::Up(up) => up_orders(boot, &up).await?,
        Verb::Down(args) => args.orders(boot, &known_or_nothing(boot).await).await?,
        Verb::Start(args) => args.orders(boot, &known_or_nothing(boot).await).await?,
        Verb::Stop(args) => args.orders(boot, &known_or_nothing(boot).await).await?,
        Verb::Restart(args) => args.orders(boot, &known_or_nothing(boot).await).await?,
    };
    let docker = boot.docker().await?;
    let mut something_to_do = false;
    for order in orders {
        let plan = plan_of(&docker, &order).await?;
        something_to_do |= !plan.is_empty();
        show_one(boot, &plan)?;
        if plan.refusals().next().is_some() {
            return Err(Problem::refused(&plan));
        }
    }
    let code = if args.check && something_to_do { Kind::Drift.exit_code() } else { 0 };
    Ok(ExitCode::from(code))
}

async fn up_orders(boot: &Boot, up: &Up) -> Result<Vec<Order>, Problem> {
    let known = known_or_nothing(boot).await;
    let reads = chosen::read(boot, &known, &services(&up.services))?;
    let wanted = up.wanted(boot, reads, &known).await?;
    let mut orders = Vec::new();
    for one in wanted {
        let read = generated::shown(boot, one.read).await?;
        orders.push(up.order(boot, &Wanted { read, ..one }));
    }
    Ok(orders)
}

/// The stacks of the journal where it can be read; a plan is possible without.
async fn known_or_nothing(boot: &Boot) -> Vec<mainstay_engine::journal::KnownStack> {
    match Memory::open(&boot.settings).await {
        Ok(memory) => memory.stacks().await.unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

/// Looks and decides without a keeper: a plan takes no lock, so that it can be had while another command runs.
async fn plan_of(docker: &Docker, order: &Order) -> Result<Plan, Problem> {
    let scope = match order {
        Order::Up { declared, .. } => Scope::of(declared.as_ref() as &Declared),
        other => Scope::of_stack(other.stack().clone()),
    };
    Ok(decide(order, &engine::look(docker, &scope).await?))
}

fn show_one(boot: &Boot, plan: &Plan) -> Result<(), Problem> {
    let ui = &boot.ui;
    if ui.json {
        return ui.json_line(&PlanAnswer::from(plan.clone()));
    }
    ui.data(&show::plan(plan, ui.out, ui.width))
}
