//! `mainstay down`

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use mainstay_engine::journal::KnownStack;
use mainstay_engine::sources;
use mainstay_model::compose::schema::suggest;
use mainstay_model::identity::StackName;
use mainstay_model::observed::{Observed, Scope};
use mainstay_model::plan::{Order, StackOrder};

use super::chosen::Chosen;
use super::up::{ServiceArg, services};
use super::{chosen, required, walk::Walk};
use crate::boot::{Boot, engine};
use crate::problem::{Outcome, Problem};

/// Take a stack's containers and networks away; volumes stay unless they are named.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay down                          the stack of this folder\n  mainstay down --stack nocodb           by name, without its files\n  mainstay down --volume db-data         and this volume, with its data"
)]
pub struct Down {
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<ServiceArg>,
    /// Remove this volume too, with its data; may be repeated
    #[arg(long, value_name = "NAME")]
    volume: Vec<String>,
    /// Not taken: volumes are removed by name only
    #[arg(long, short = 'v', hide = true)]
    volumes: bool,
    /// Seconds of grace before a container is killed, instead of its own
    #[arg(long, short = 't', value_name = "SECONDS")]
    timeout: Option<u64>,
}

impl Down {
    /// One order a stack, those that others require last.
    ///
    /// # Errors
    /// When a stack or a volume is not known.
    pub async fn orders(&self, boot: &Boot, known: &[KnownStack]) -> Result<Vec<Order>, Problem> {
        let chosen = chosen::stacks(boot)?;
        chosen::must_have(boot, &chosen, &services(&self.services)).await?;
        let names: Vec<StackName> = chosen.iter().map(|one| one.name.clone()).collect();
        if self.volumes {
            return Err(self.name_them(boot, &names).await);
        }
        let mut names = required::names_in_order(boot, names, known).await?;
        names.reverse();
        let mut orders = Vec::new();
        let mut asked_for: BTreeSet<&String> = self.volume.iter().collect();
        for stack in names {
            let volumes = self.volumes_of(boot, &stack, &mut asked_for).await?;
            orders.push(Order::Down(StackOrder {
                stack,
                services: services(&self.services),
                volumes,
                held: Vec::new(),
                timeout_secs: self.timeout,
                no_wait: false,
            }));
        }
        self.must_be_volumes(boot, &chosen, known, &asked_for).await?;
        // The plan says of these that they are gone already, or refuses what belongs to somebody else.
        if let Some(Order::Down(last)) = orders.last_mut() {
            last.volumes.extend(asked_for.into_iter().cloned());
        }
        Ok(orders)
    }

    /// The engine's names of the volumes that were asked for and that this stack has; found ones are crossed off.
    async fn volumes_of(
        &self,
        boot: &Boot,
        stack: &StackName,
        asked_for: &mut BTreeSet<&String>,
    ) -> Result<BTreeSet<String>, Problem> {
        if self.volume.is_empty() {
            return Ok(BTreeSet::new());
        }
        let observed = observe(boot, stack).await?;
        let mut volumes = BTreeSet::new();
        for volume in &observed.volumes {
            let found = self.volume.iter().find(|said| **said == volume.name || Some(*said) == volume.key.as_ref());
            if let Some(said) = found {
                asked_for.remove(said);
                volumes.insert(volume.name.clone());
            }
        }
        Ok(volumes)
    }

    /// A volume that is neither there nor in a stack's files is most likely a name mistyped. One that is in the files was
    /// removed before, and one that is there is somebody else's: of those the plan speaks.
    async fn must_be_volumes(
        &self,
        boot: &Boot,
        stacks: &[Chosen],
        known: &[KnownStack],
        asked_for: &BTreeSet<&String>,
    ) -> Result<(), Problem> {
        let Some(first) = stacks.first().filter(|_| !asked_for.is_empty()) else { return Ok(()) };
        let mut names: BTreeSet<String> = stacks.iter().flat_map(|stack| stack.volumes.clone()).collect();
        for stack in stacks.iter().filter(|stack| stack.services.is_none()) {
            let files = known.iter().find(|one| one.stack == stack.name).map(|one| chosen::find_known(boot, one));
            let loaded = files.and_then(|files| sources::load(&files).ok());
            names.extend(loaded.iter().flat_map(chosen::volumes_of));
        }
        let mut scope = Scope::of_stack(first.name.clone());
        scope.volumes.extend(asked_for.iter().map(|name| (*name).clone()));
        let there = engine::look(&boot.docker().await?, &scope).await?;
        let is_known = |name: &&&String| names.contains(**name) || there.volume_named(name).is_some();
        let Some(missing) = asked_for.iter().find(|name| !is_known(name)) else { return Ok(()) };
        for stack in stacks {
            names.extend(observe(boot, &stack.name).await?.volumes.into_iter().map(|volume| volume.name));
        }
        Err(no_such_volume(missing, &names))
    }

    /// The refusal of `--volumes`, with what could be named.
    async fn name_them(&self, boot: &Boot, names: &[StackName]) -> Problem {
        let mut flags = Vec::new();
        for stack in names {
            if let Ok(observed) = observe(boot, stack).await {
                flags.extend(observed.volumes.iter().map(|volume| format!("--volume {}", volume.name)));
            }
        }
        let problem = Problem::usage(
            "volumes-unnamed",
            "volumes hold data, so each one that goes must be named: `--volumes` alone removes nothing",
        );
        match flags.as_slice() {
            [] => problem.hint("name each with `--volume NAME`; this stack has none now"),
            _ => problem.hint(format!("this would name all of them: {}", flags.join(" "))),
        }
    }
}

fn no_such_volume(missing: &str, names: &BTreeSet<String>) -> Problem {
    let message = format!("there is no volume `{missing}`, and no Compose file here declares one");
    let problem = Problem::usage("no-such-volume", message);
    let all: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match suggest(missing, names.iter().map(String::as_str)) {
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None if all.is_empty() => problem.hint("this stack has no named volumes"),
        None => problem.hint(format!("the volumes of this stack are called {}", all.join(", "))),
    }
}

async fn observe(boot: &Boot, stack: &StackName) -> Result<Observed, Problem> {
    engine::look(&boot.docker().await?, &Scope::of_stack(stack.clone())).await
}

pub async fn run(boot: &Boot, args: Down) -> Outcome {
    if args.volumes {
        args.orders(boot, &[]).await?;
    }
    let walk = Walk::begin(boot, "down").await?;
    let orders = args.orders(boot, &walk.known).await?;
    walk.carry_out(orders).await?;
    Ok(ExitCode::SUCCESS)
}
