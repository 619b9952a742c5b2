//! `mainstay plan`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use mainstay_engine::journal::{Logged, ReleaseState};
use mainstay_engine::keeper::{add_preflight, last_of, scope_of};
use mainstay_engine::{Machine, World as _};
use mainstay_model::compose::schema::suggest;
use mainstay_model::plan::{Finding, Level, Order, Plan, decide};

use super::chosen;
use super::down::Down;
use super::edge;
use super::generated;
use super::migrations;
use super::required::Wanted;
use super::restart::Restart;
use super::serving;
use super::start::Start;
use super::stop::Stop;
use super::up::{ServiceArg, Up, services};
use crate::boot::Boot;
use crate::client::Memory;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::show;
use crate::wire::PlanAnswer;

/// Show what a command would do, and change nothing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay plan                      what `up` would do\n  mainstay plan web                  what `up web` would do\n  mainstay plan up web --build       with flags of `up`\n  mainstay plan down                 what `down` would take away\n  mainstay plan --check              exit code 6 when there is something to do\n  mainstay plan --json | jq .steps   one JSON document a stack"
)]
pub struct PlanArgs {
    /// Only these services and what they depend on, as in `mainstay up SERVICE`
    #[arg(value_name = "SERVICE")]
    services: Vec<ServiceArg>,
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

/// The names of [`Verb`].
const VERBS: [&str; 5] = ["up", "down", "start", "stop", "restart"];

impl PlanArgs {
    /// Whether the planned command needs no files.
    pub fn is_about_names(&self) -> bool {
        matches!(self.verb, Some(Verb::Down(_) | Verb::Start(_) | Verb::Stop(_) | Verb::Restart(_)))
    }
}

pub async fn run(boot: &Boot, args: PlanArgs) -> Outcome {
    let orders = match args.verb {
        Some(verb) if !args.services.is_empty() => return Err(verb_behind_services(&verb)),
        Some(verb) => verb.orders(boot).await?,
        None => plain_orders(boot, args.services).await?,
    };
    let machine = boot.machine(boot.docker().await?);
    let mut something_to_do = false;
    for order in orders {
        let plan = plan_of(boot, &machine, &order).await?;
        something_to_do |= !plan.is_empty();
        show_one(boot, &plan)?;
        if plan.refusals().next().is_some() {
            return Err(refused(boot, &plan));
        }
    }
    let code = if args.check && something_to_do { Kind::Drift.exit_code() } else { 0 };
    Ok(ExitCode::from(code))
}

impl Verb {
    async fn orders(self, boot: &Boot) -> Result<Vec<Order>, Problem> {
        match self {
            Verb::Up(up) => up_orders(boot, &up).await,
            Verb::Down(args) => args.orders(boot, &known_or_nothing(boot).await).await,
            Verb::Start(args) => args.orders(boot, &known_or_nothing(boot).await).await,
            Verb::Stop(args) => args.orders(boot, &known_or_nothing(boot).await).await,
            Verb::Restart(args) => args.orders(boot, &known_or_nothing(boot).await).await,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Verb::Up(_) => "up",
            Verb::Down(_) => "down",
            Verb::Start(_) => "start",
            Verb::Stop(_) => "stop",
            Verb::Restart(_) => "restart",
        }
    }
}

/// `mainstay plan web` is `mainstay plan up web`; what is no service may be a command mistyped.
async fn plain_orders(boot: &Boot, services: Vec<ServiceArg>) -> Result<Vec<Order>, Problem> {
    let meant = match services.as_slice() {
        [one] => suggest(one.0.as_str(), VERBS.into_iter()),
        _ => None,
    };
    let orders = up_orders(boot, &Up { services, ..Up::default() }).await;
    orders.map_err(|problem| match meant {
        Some(verb) if problem.code == "no-such-service" => {
            problem.hint(format!("or did you mean `mainstay plan {verb}`?"))
        }
        _ => problem,
    })
}

fn verb_behind_services(verb: &Verb) -> Problem {
    let verb = verb.name();
    Problem::usage("command-line", format!("`{verb}` stands behind a service"))
        .hint(format!("write the command first: `mainstay plan {verb} SERVICE`"))
}

async fn up_orders(boot: &Boot, up: &Up) -> Result<Vec<Order>, Problem> {
    let known = known_or_nothing(boot).await;
    let reads = chosen::read(boot, &known, &services(&up.services))?;
    let wanted = up.wanted(boot, reads, &known).await?;
    let away = if up.needs_edge(&wanted) { edge::order_if_away(boot).await? } else { None };
    let edge_comes = away.is_some();
    let memory = Memory::open(&boot.settings).await;
    let mut orders: Vec<Order> = away.into_iter().collect();
    for one in wanted {
        let read = migrations::carried(boot, generated::shown(boot, one.read).await?)?;
        let order = up.order(boot, &Wanted { read, ..one }, edge_comes);
        orders.push(match &memory {
            Ok(memory) => serving::laid_over(boot, memory, order, None).await?,
            Err(_) => order,
        });
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
async fn plan_of(boot: &Boot, machine: &Machine, order: &Order) -> Result<Plan, Problem> {
    let observed = machine.look(&scope_of(order)).await?;
    let mut plan = decide(order, &observed);
    let memory = Memory::open(&boot.settings).await.ok();
    let serving = match &memory {
        Some(memory) => memory.release_that_serves(order.stack()).await?,
        None => None,
    };
    let newest = match &memory {
        Some(memory) => memory.releases(Some(order.stack()), 1).await?,
        None => Vec::new(),
    };
    plan.findings.extend(newest.iter().filter_map(left_open));
    let last = serving.map(|release| last_of(release, &boot.secrets()));
    add_preflight(machine, order, &observed, last.as_ref(), &mut plan).await?;
    Ok(plan)
}

/// Said of a release that has not ended: what is there now is not what the ordered command will plan from.
fn left_open(newest: &Logged) -> Option<Finding> {
    let release = &newest.release;
    (release.state == ReleaseState::Begun).then(|| {
        Finding {
        level: Level::Warning,
        code: "release-open".into(),
        message: format!("release {} of `{}` has begun and not ended", release.number, release.stack),
        hint: Some(
            "it is under way, or was cut off; then the next command takes it back or finishes it first, and plans from \
             there: `mainstay start` does so alone"
                .into(),
        ),
    }
    })
}

/// The plan that was just shown has the reasons; only programs get them again with the report.
fn refused(boot: &Boot, plan: &Plan) -> Problem {
    let mut problem = Problem::refused(plan);
    if !boot.ui.json {
        problem.causes.clear();
        problem.hints = vec!["the plan says why, and what to do about it".to_owned()];
    }
    problem
}

fn show_one(boot: &Boot, plan: &Plan) -> Result<(), Problem> {
    let ui = &boot.ui;
    if ui.json {
        return ui.json_line(&PlanAnswer::from(plan.clone()));
    }
    ui.data(&show::plan(plan, ui.out, ui.width))
}
