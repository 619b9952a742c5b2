//! `mainstay watch`, and `up --watch`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use futures_util::{FutureExt as _, StreamExt as _};
use mainstay_engine::docker::{Docker, ExecOptions};
use mainstay_engine::sources::Read;
use mainstay_engine::watch::{Changes, Listener, Move, Rule, initial, rules_of, work_of};
use mainstay_model::declared::watch::Hook;
use mainstay_model::declared::watched;
use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::observed::{Container, Scope, State};
use mainstay_model::plan::{Order, StackOrder};
use serde::Serialize;

use super::required::Wanted;
use super::up::{self, ServiceArg, Up, services};
use super::{chosen, generated, serving, walk::Walk};
use crate::boot::interrupt::Signals;
use crate::boot::{Boot, engine};
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::since::took;
use crate::ui::{Tone, report};

/// So many paths are named in a line.
const NAMED: usize = 3;

/// Bring the stack up and keep its containers up to date with the files that you edit.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay watch                   what `develop.watch` of every service says, until Ctrl-C\n  mainstay watch web               only of `web`\n  mainstay watch --no-up           the stack is up already\n  mainstay watch --env dev         with compose.dev.yaml and .env.dev\n\nA rule syncs files into the containers, restarts them, or builds the image anew (docs/WATCH.md).\nOne line is told for everything that is done; with `--json`, an object on stdout."
)]
pub struct Watch {
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<ServiceArg>,
    /// Do not bring the stack up first
    #[arg(long)]
    no_up: bool,
}

pub async fn run(boot: &Boot, args: Watch) -> Outcome {
    boot.refuse_dry_run("watch")?;
    let up = (!args.no_up).then(|| Up { services: args.services.clone(), ..Up::default() });
    follow(boot, services(&args.services), up).await
}

/// Brings up what is asked for, and follows the rules of these services, or of all.
///
/// # Errors
/// When there is nothing to follow, or it cannot be brought up. What fails later is told, and the next change may mend it.
pub async fn follow(boot: &Boot, services: BTreeSet<ServiceName>, up: Option<Up>) -> Outcome {
    // What is wrong with the files is told once: here, or by the `up`.
    let reader = if up.is_some() { boot.quietly() } else { boot.clone() };
    let read = one_read(&reader, &services).await?;
    let (rules, missing) = rules_of(&read.declared, chosen_rules(&read, &services)?);
    for path in missing {
        boot.ui.warn(&format!("`{path}` is to be watched, and nothing is there"));
    }
    // Heard from here on, so that nothing is lost that changes while the stack comes up.
    let mut listener = Listener::listen(&rules)?;
    if let Some(up) = up {
        up::bring(boot, "watch", up, None).await?;
    }
    let follower = Follower { boot, stack: read.declared.stack, rules };
    let mut signals = Signals::listen();
    follower.sync_or_end(&mut signals, initial(&follower.rules), Vec::new()).await?;
    follower.tell_what_is_watched();
    loop {
        let changes = tokio::select! {
            changes = listener.next() => changes?,
            () = signals.next() => return Ok(ended(boot)),
        };
        match follower.answer(&mut signals, changes).await {
            Ok(()) => {}
            Err(problem) if problem.kind == Kind::Interrupted => return Ok(ended(boot)),
            Err(problem) => report::report(&boot.ui, &problem),
        }
    }
}

fn ended(boot: &Boot) -> ExitCode {
    boot.ui.talk("no longer watching; the stack runs on");
    ExitCode::from(Kind::Interrupted.exit_code())
}

fn cancelled() -> Problem {
    Problem::new(Kind::Interrupted, "cancelled", "`watch` was ended")
}

async fn one_read(boot: &Boot, services: &BTreeSet<ServiceName>) -> Result<Read, Problem> {
    let reads = match chosen::read_early(boot, services)? {
        Some(reads) => reads,
        None => {
            let known = crate::client::Memory::open(&boot.settings).await?.stacks().await?;
            chosen::read(boot, &known, services)?
        }
    };
    let [read] = <[Read; 1]>::try_from(reads)
        .map_err(|_| Problem::usage("one-stack", "`watch` is about one stack").hint("give `--stack` once"))?;
    Ok(read)
}

/// The rules of these services, or of all.
fn chosen_rules(
    read: &Read,
    services: &BTreeSet<ServiceName>,
) -> Result<BTreeMap<ServiceName, Vec<mainstay_model::declared::watch::Watch>>, Problem> {
    let declared = &read.declared;
    if let Some(missing) = services.iter().find(|service| !declared.services.contains_key(service)) {
        let stack = std::iter::once(&declared.stack);
        return Err(chosen::no_such_service(stack, missing, declared.services.keys()));
    }
    let mut rules = watched(&read.loaded);
    rules.retain(|service, _| services.is_empty() || services.contains(service));
    if rules.is_empty() {
        let of = match services.is_empty() {
            true => format!("no service of `{}`", declared.stack),
            false => "none of these services".to_owned(),
        };
        return Err(Problem::files("nothing-to-watch", format!("{of} has a rule under `develop.watch` to follow"))
            .hint(
                "say what is to be watched: `develop: { watch: [{ path: ./src, action: sync, target: /app/src }] }`",
            ));
    }
    Ok(rules)
}

/// One thing that was done, as `--json` tells it.
#[derive(Serialize)]
struct Told<'a> {
    action: &'a str,
    service: &'a ServiceName,
    paths: Vec<String>,
}

struct Follower<'b> {
    boot: &'b Boot,
    stack: StackName,
    rules: Vec<Rule>,
}

impl Follower<'_> {
    fn tell_what_is_watched(&self) {
        let services: BTreeSet<String> = self.rules.iter().map(|rule| format!("`{}`", rule.service)).collect();
        let services: Vec<String> = services.into_iter().collect();
        self.boot.ui.talk(&format!("watching for {}; Ctrl-C ends it", services.join(", ")));
    }

    async fn answer(&self, signals: &mut Signals, changes: Changes) -> Result<(), Problem> {
        let work = work_of(&self.rules, &changes);
        if !work.rebuild.is_empty() {
            let services: BTreeSet<ServiceName> = work.rebuild.keys().cloned().collect();
            self.rebuild(signals, &services, &work.rebuild).await?;
            let mut again = initial(&self.rules);
            again.retain(|service, _| services.contains(service));
            self.sync_or_end(signals, again, Vec::new()).await?;
        }
        // A restart comes after what it is for.
        let (now, later): (Vec<_>, Vec<_>) =
            work.exec.into_iter().partition(|(service, _)| !work.restart.contains_key(service));
        self.sync_or_end(signals, work.sync, now).await?;
        if !work.restart.is_empty() {
            self.restart(signals, &work.restart).await?;
            self.sync_or_end(signals, BTreeMap::new(), later).await?;
        }
        Ok(())
    }

    /// Files and programs in containers, until Ctrl-C.
    async fn sync_or_end(
        &self,
        signals: &mut Signals,
        sync: BTreeMap<ServiceName, BTreeSet<Move>>,
        exec: Vec<(ServiceName, Hook)>,
    ) -> Result<(), Problem> {
        tokio::select! {
            done = self.in_containers(sync, exec) => done,
            () = signals.next() => Err(cancelled()),
        }
    }

    async fn in_containers(
        &self,
        sync: BTreeMap<ServiceName, BTreeSet<Move>>,
        exec: Vec<(ServiceName, Hook)>,
    ) -> Result<(), Problem> {
        if sync.is_empty() && exec.is_empty() {
            return Ok(());
        }
        let docker = self.boot.docker().await?;
        let observed = engine::look(&docker, &Scope::of_stack(self.stack.clone())).await?;
        let running = |service: &ServiceName| -> Vec<Container> {
            let all = observed.of_service(service).into_iter();
            all.filter(|container| container.state == State::Running).cloned().collect()
        };
        for (service, moves) in sync {
            let containers = running(&service);
            if containers.is_empty() {
                self.boot.ui.warn(&format!("`{service}` does not run, so nothing was synced into it"));
                continue;
            }
            let mut removed = 0;
            for container in &containers {
                removed = docker.sync(&container.id, &container.name, moves.iter().cloned().collect()).await?.removed;
            }
            let gone = if removed > 0 { format!(" ({removed} removed)") } else { String::new() };
            self.tell("sync", &service, moves.iter().map(|one| one.from.as_path()), &gone)?;
        }
        for (service, hook) in exec {
            for container in running(&service) {
                self.run_in(&docker, &service, &container, &hook).await?;
            }
        }
        Ok(())
    }

    async fn run_in(
        &self,
        docker: &Docker,
        service: &ServiceName,
        container: &Container,
        hook: &Hook,
    ) -> Result<(), Problem> {
        let options = ExecOptions {
            command: hook.command.clone(),
            env: hook.environment.clone().into_iter().collect(),
            user: hook.user.clone(),
            working_dir: hook.working_dir.clone(),
            privileged: hook.privileged,
            ..ExecOptions::default()
        };
        let mut exec = docker.exec(&container.id, options).await?;
        let mut said = String::new();
        while let Some(piece) = exec.output.next().await {
            said.push_str(&String::from_utf8_lossy(&piece?.bytes));
        }
        let code = exec.exit_code().await?;
        self.tell("exec", service, std::iter::empty(), &format!("`{}`", hook.command.join(" ")))?;
        said.lines().for_each(|line| self.boot.ui.talk(&format!("  {line}")));
        if code != 0 {
            return Err(Problem::new(
                Kind::Failed,
                "exec-failed",
                format!("`{}` in `{}` ended with {code}", hook.command.join(" "), container.name),
            ));
        }
        Ok(())
    }

    /// A walk that hears Ctrl-C from its beginning on: what came before is in `signals`.
    async fn begin<'w>(&self, boot: &'w Boot, signals: &mut Signals) -> Result<Walk<'w>, Problem> {
        let walk = Walk::begin(boot, "watch").await?;
        walk.listen();
        if signals.next().now_or_never().is_some() { Err(cancelled()) } else { Ok(walk) }
    }

    async fn rebuild(
        &self,
        signals: &mut Signals,
        services: &BTreeSet<ServiceName>,
        because: &BTreeMap<ServiceName, BTreeSet<PathBuf>>,
    ) -> Result<(), Problem> {
        // That a container gives way to one of the new image is what the rule says.
        let (boot, began) = (self.boot.agreed().quietly(), Instant::now());
        let walk = self.begin(&boot, signals).await?;
        self.tell_all("rebuild", because)?;
        let read = one_read(&boot, services).await?;
        let read = generated::settled(&boot, read).await?;
        let up = Up {
            services: services.iter().cloned().map(ServiceArg).collect(),
            no_deps: true,
            build: true,
            ..Up::default()
        };
        let order = up.order(&boot, &Wanted { read, needed_by: None }, false);
        let order = serving::laid_over(&boot, &walk.client.memory(), order, None).await?;
        walk.carry_out(vec![order]).await?;
        self.tell_done(services, "runs the new image", began);
        Ok(())
    }

    async fn restart(
        &self,
        signals: &mut Signals,
        because: &BTreeMap<ServiceName, BTreeSet<PathBuf>>,
    ) -> Result<(), Problem> {
        let (boot, began) = (self.boot.agreed().quietly(), Instant::now());
        let walk = self.begin(&boot, signals).await?;
        self.tell_all("restart", because)?;
        let services: BTreeSet<ServiceName> = because.keys().cloned().collect();
        let order = StackOrder {
            stack: self.stack.clone(),
            services: services.clone(),
            volumes: BTreeSet::new(),
            held: Vec::new(),
            timeout_secs: None,
            no_wait: false,
        };
        walk.carry_out(vec![Order::Restart(order)]).await?;
        self.tell_done(&services, "runs again", began);
        Ok(())
    }

    fn tell_done(&self, services: &BTreeSet<ServiceName>, what: &str, began: Instant) {
        let ui = &self.boot.ui;
        let elapsed = took(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        for service in services {
            ui.talk(&format!("{}       {service}  {what} ({elapsed})", ui.err.paint(Tone::Good, "✔")));
        }
    }

    fn tell_all(&self, action: &str, because: &BTreeMap<ServiceName, BTreeSet<PathBuf>>) -> Result<(), Problem> {
        because
            .iter()
            .try_for_each(|(service, paths)| self.tell(action, service, paths.iter().map(PathBuf::as_path), ""))
    }

    /// One line for one thing.
    fn tell<'p>(
        &self,
        action: &str,
        service: &ServiceName,
        paths: impl Iterator<Item = &'p Path>,
        more: &str,
    ) -> Result<(), Problem> {
        let base = &self.boot.environment.working_directory;
        let paths: Vec<String> =
            paths.map(|path| path.strip_prefix(base).unwrap_or(path).display().to_string()).collect();
        if self.boot.ui.json {
            return self.boot.ui.json_line(&Told { action, service, paths });
        }
        let mut named = paths[..paths.len().min(NAMED)].join(", ");
        if paths.len() > NAMED {
            named += &format!(" and {} more", paths.len() - NAMED);
        }
        let action = self.boot.ui.err.paint(Tone::Accent, &format!("{action:<8}"));
        self.boot.ui.talk(&format!("{action}{service}  {named}{more}"));
        Ok(())
    }
}
