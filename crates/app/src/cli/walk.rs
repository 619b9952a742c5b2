//! The walk of every command that changes something: plan, show, consent, apply, report.

use std::cell::OnceCell;
use std::time::Instant;

use mainstay_engine::journal::{KnownStack, new_operation_id};
use mainstay_model::identity::StackName;
use mainstay_model::operation::{Event, Verdict};
use mainstay_model::plan::{Impact, Order, Plan, consent};
use tokio::sync::mpsc;

use super::db;
use crate::boot::Boot;
use crate::boot::interrupt::{Interrupt, Signals};
use crate::client::{Client, ClientError};
use crate::problem::{Kind, Problem};
use crate::ui::progress::{self, Progress, Tally};
use crate::ui::since::took;
use crate::ui::{Tone, Ui, ask, report, show};
use crate::wire::PlanAnswer;

/// How often a plan may change under an order before it is given up.
const ATTEMPTS: u32 = 3;

impl Job {
    /// What a person has to agree to, in words that name the stack.
    fn needs_consent(&self, boot: &Boot) -> Vec<String> {
        let migrations = consent::needed_for_migrations(&self.order, &self.plan);
        let needed = consent::needed(&self.order, &self.plan);
        let all = needed.into_iter().chain(migrations.filter(|_| !db::is_confirmed(boot)));
        all.map(|reason| format!("`{}` of `{}`: {reason}", self.plan.verb, self.plan.stack)).collect()
    }
}

/// The walk with one client, over as many orders as a command has.
pub struct Walk<'a> {
    pub boot: &'a Boot,
    pub client: Client,
    /// The stacks that the journal knows.
    pub known: Vec<KnownStack>,
    /// As it was typed, for what is said about going on.
    command: String,
    /// Heard from the first apply to the end of the command: a Ctrl-C between two orders counts as well.
    interrupt: OnceCell<Interrupt>,
}

/// An order with the plan that was shown for it.
struct Job {
    order: Order,
    plan: Plan,
}

impl<'a> Walk<'a> {
    /// Finds the server, or takes its place.
    ///
    /// # Errors
    /// When neither is possible.
    pub async fn begin(boot: &'a Boot, command: &str) -> Result<Walk<'a>, Problem> {
        let actor = format!("`mainstay {command}` by {}", boot.environment.user());
        let client = Client::open(boot, actor.into()).await?;
        if let (Client::Hosted(keeper), false) = (&client, boot.settings.dry_run) {
            for told in keeper.settle_releases().await? {
                boot.ui.note(&told);
            }
        }
        let known = client.memory().stacks().await?;
        Ok(Walk { boot, client, known, command: command.to_owned(), interrupt: OnceCell::new() })
    }

    /// Plans and shows all orders, asks once, and carries them out one after the other. Gives the plans that were
    /// applied.
    ///
    /// # Errors
    /// The first problem; orders after it are not begun.
    pub async fn carry_out(&self, orders: Vec<Order>) -> Result<Vec<Plan>, Problem> {
        let mut jobs = Vec::new();
        for order in orders {
            let plan = self.plan(&order).await?;
            refuse(&plan)?;
            self.show(&plan)?;
            jobs.push(Job { order, plan });
        }
        if self.boot.settings.dry_run {
            self.boot.ui.talk("nothing was changed (`--dry-run`)");
            return Ok(Vec::new());
        }
        self.consent(&jobs).await?;
        let mut plans = Vec::new();
        for job in jobs {
            self.go_on_with(job.order.stack())?;
            plans.push(self.apply(job).await?);
        }
        Ok(plans)
    }

    /// From here on Ctrl-C is heard, and not only from the first apply on.
    pub fn listen(&self) {
        self.interrupt.get_or_init(|| Interrupt::listen(&self.boot.ui));
    }

    async fn plan(&self, order: &Order) -> Result<Plan, Problem> {
        let planning = self.client.plan(order);
        let Some(interrupt) = self.interrupt.get() else { return planning.await };
        tokio::select! {
            planned = planning => planned,
            () = interrupt.token().cancelled() => Err(self.not_begun(order.stack())),
        }
    }

    /// After a Ctrl-C nothing more is begun.
    fn go_on_with(&self, stack: &StackName) -> Result<(), Problem> {
        let is_over = self.interrupt.get().is_some_and(|interrupt| interrupt.token().is_cancelled());
        if is_over { Err(self.not_begun(stack)) } else { Ok(()) }
    }

    fn not_begun(&self, stack: &StackName) -> Problem {
        let command = &self.command;
        Problem::new(Kind::Interrupted, "cancelled", format!("`{command}` was cancelled before it came to `{stack}`"))
            .hint(format!("`mainstay {command}` again goes on from here"))
    }

    fn show(&self, plan: &Plan) -> Result<(), Problem> {
        let ui = &self.boot.ui;
        if ui.json {
            if self.boot.settings.dry_run {
                ui.json_line(&PlanAnswer::from(plan.clone()))?;
            }
            return Ok(());
        }
        if self.boot.settings.dry_run {
            // Then the plan is what was asked for.
            ui.data(&show::plan(plan, ui.out, ui.width))?;
        } else if show::has_news(plan) {
            ui.talk(&show::plan(plan, ui.err, ui.err_width));
        }
        Ok(())
    }

    /// Consent to all plans that need it: `--yes`, or a person's answer.
    async fn consent(&self, jobs: &[Job]) -> Result<(), Problem> {
        let need: Vec<String> = jobs.iter().flat_map(|job| job.needs_consent(self.boot)).collect();
        if need.is_empty() || self.boot.settings.yes {
            return Ok(());
        }
        if !self.boot.ui.can_ask() {
            let is_shown = !self.boot.ui.quiet && !self.boot.ui.json;
            let shown = if is_shown { " above" } else { " (`--dry-run`)" };
            let mut problem = Problem::new(
                Kind::Consent,
                "consent-needed",
                "this needs your consent, and there is no terminal to ask on; nothing was changed",
            )
            .hint(format!("look at the plan{shown}; when it is what you want, run the same command with `--yes`"));
            problem.causes = need;
            return Err(problem);
        }
        let question = format!("{}\nGo on?", need.join("\n"));
        if ask_person(&self.boot.ui, question).await? {
            return Ok(());
        }
        Err(Problem::new(Kind::Consent, "declined", "you said no; nothing was changed"))
    }

    /// Applies the plan that was shown; when the world moved meanwhile, shows the new one and asks again.
    async fn apply(&self, mut job: Job) -> Result<Plan, Problem> {
        let consented = job.plan.impact();
        for _ in 0..ATTEMPTS {
            let started = Instant::now();
            let (result, tally) = self.run(&job).await;
            match result {
                Ok(verdict) => {
                    self.tell(&job.plan, verdict, &tally, started)?;
                    return Ok(job.plan);
                }
                Err(ClientError::Problem(problem)) => return Err(problem),
                Err(ClientError::PlanChanged(plan)) => {
                    let agreed = job.needs_consent(self.boot);
                    job.plan = *plan;
                    self.again(&job, consented, &agreed).await?;
                }
            }
        }
        Err(Problem::world(
            "plan-changes",
            format!("the world of `{}` changes faster than a plan can be carried out", job.plan.stack),
        )
        .hint("see who changes it: `mainstay history --follow`"))
    }

    /// `agreed` are the reasons for which the plan before it needed consent.
    async fn again(&self, job: &Job, consented: Impact, agreed: &[String]) -> Result<(), Problem> {
        let plan = &job.plan;
        self.boot.ui.talk("the world changed since this plan was shown; the plan is now:");
        refuse(plan)?;
        self.show(plan)?;
        let asks_more = job.needs_consent(self.boot).iter().any(|reason| !agreed.contains(reason));
        if self.boot.settings.yes && (plan.impact() > consented || asks_more) {
            return Err(Problem::new(
                Kind::Consent,
                "graver-plan",
                format!("the new plan for `{}` is graver than the one that `--yes` was given to", plan.stack),
            )
            .hint("run the command again to consent to the new plan"));
        }
        self.consent(std::slice::from_ref(job)).await
    }

    /// One apply with its events on the screen.
    async fn run(&self, job: &Job) -> (Result<Verdict, ClientError>, Tally) {
        let interrupt = self.interrupt.get_or_init(|| Interrupt::listen(&self.boot.ui));
        let (events, mut heard) = mpsc::unbounded_channel();
        let digest = job.plan.digest();
        let apply =
            self.client.apply(job.order.clone(), &digest, new_operation_id(), events, interrupt.token().clone());
        let mut apply = std::pin::pin!(apply);
        let mut screen = Progress::new(&self.boot.ui, &job.plan);
        let mut reveal = std::pin::pin!(tokio::time::sleep(progress::PATIENCE));
        let (mut revealed, mut stopping) = (false, false);
        let result = loop {
            tokio::select! {
                biased;
                () = interrupt.token().cancelled(), if !stopping => {
                    stopping = true;
                    screen.say("stopping: what runs is ended and recorded; press Ctrl-C again to leave at once");
                }
                Some(event) = heard.recv() => self.hear(&mut screen, &event),
                () = &mut reveal, if !revealed => {
                    revealed = true;
                    screen.reveal();
                }
                result = &mut apply => break result,
            }
        };
        while let Ok(event) = heard.try_recv() {
            self.hear(&mut screen, &event);
        }
        (result, screen.finish())
    }

    fn hear(&self, screen: &mut Progress, event: &Event) {
        screen.hear(event);
        if self.boot.ui.json {
            // A reader that went away stops no operation.
            let _ = self.boot.ui.json_line(event);
        }
    }

    /// The one report of an operation that ended.
    fn tell(&self, plan: &Plan, verdict: Verdict, tally: &Tally, started: Instant) -> Result<(), Problem> {
        let ui = &self.boot.ui;
        let elapsed = took(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        let mark = ui.err.paint(Tone::Good, "✔");
        match verdict {
            Verdict::Unchanged => {
                ui.talk(&format!("{mark} {}", nothing_to_do(plan)));
                Ok(())
            }
            Verdict::Done => {
                let steps = show::count(tally.done, "step");
                ui.talk(&format!("{mark} {} of `{}` is done: {steps} in {elapsed}", plan.noun(), plan.stack));
                Ok(())
            }
            Verdict::Failed => Err(failed(plan, tally, &self.command)),
            Verdict::Cancelled => Err(cancelled(plan, tally, &self.command)),
        }
    }
}

fn refuse(plan: &Plan) -> Result<(), Problem> {
    if plan.refusals().next().is_some() { Err(Problem::refused(plan)) } else { Ok(()) }
}

/// `nothing to do: all 3 services of `x` are as declared`.
fn nothing_to_do(plan: &Plan) -> String {
    match (plan.verb.as_str(), plan.unchanged.len()) {
        ("up" | "promote" | "rollback", 1..) => {
            let services = show::count(plan.unchanged.len(), "service");
            let are = if plan.unchanged.len() == 1 { "is" } else { "are" };
            format!("nothing to do: {services} of `{}` {are} as declared", plan.stack)
        }
        (verb, _) => format!("nothing to do for `{verb}` of `{}`", plan.stack),
    }
}

async fn ask_person(ui: &Ui, question: String) -> Result<bool, Problem> {
    let asking = ui.clone();
    let mut signals = Signals::listen();
    let asked = tokio::task::spawn_blocking(move || ask::yes_or_no(&asking, &question));
    tokio::select! {
        answer = asked => Ok(answer.unwrap_or(false)),
        () = signals.next() => {
            // The terminal has written `^C` behind the question.
            ui.say("");
            Err(Problem::new(Kind::Interrupted, "interrupted", "nothing was changed"))
        }
    }
}

fn failed(plan: &Plan, tally: &Tally, command: &str) -> Problem {
    let first = tally.failures.first().map(|(_, failure)| failure).or(tally.afterwards.as_ref());
    let mut problem = match first {
        Some(failure) => Problem::failed(failure),
        None => Problem::new(Kind::Failed, "failed", format!("`{}` of `{}` failed", plan.verb, plan.stack)),
    };
    // Each failure comes with what explains it; the first one stands last, beside the way on.
    let others = tally.failures.iter().skip(1).map(|(_, failure)| report::plain(&Problem::failed(failure)));
    problem.exhibit = Some(others.collect::<Vec<_>>().join("\n")).filter(|others| !others.is_empty());
    if let (Some(afterwards), false) = (&tally.afterwards, tally.failures.is_empty()) {
        let said = std::iter::once(&afterwards.message).filter(|message| !message.is_empty());
        problem.causes.extend(said.chain(&afterwards.causes).cloned());
        problem.hints.extend(afterwards.hints.iter().cloned());
    }
    if tally.taken_back {
        // It would show what the old containers say: the new ones are gone, and what they said is kept.
        problem.hints.retain(|hint| !hint.contains("`mainstay logs "));
    } else {
        problem.hints.push(left_behind(plan, tally, command));
    }
    problem.operation = tally.operation.clone();
    problem
}

fn cancelled(plan: &Plan, tally: &Tally, command: &str) -> Problem {
    let mut problem =
        Problem::new(Kind::Interrupted, "cancelled", format!("`{}` of `{}` was cancelled", plan.verb, plan.stack));
    match &tally.afterwards {
        Some(afterwards) if tally.taken_back => problem.hints.extend(afterwards.hints.iter().cloned()),
        _ => problem.hints.push(left_behind(plan, tally, command)),
    }
    problem.operation = tally.operation.clone();
    problem
}

/// What was done, what was not, and how to go on.
fn left_behind(plan: &Plan, tally: &Tally, command: &str) -> String {
    let total = tally.total.max(plan.steps.len());
    let open = total.saturating_sub(tally.done + tally.failures.len());
    format!(
        "of {}, {} done, {} failed, {open} not run; `mainstay {command}` again goes on from here",
        show::count(total, "step"),
        tally.done,
        tally.failures.len(),
    )
}
