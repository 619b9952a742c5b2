//! `mainstay db migrate`: the verbs, and what they share.

mod accept;
mod adopt;
mod apply;
mod plan;
mod rehearse;
mod status;

use clap::{Args, Subcommand};
use mainstay_engine::pg::{Migrator, Patience};
use mainstay_model::postgres::migration::{MigrationFile, MigrationPlan, MigrationSet, Refusal};

use super::duration;
use super::travel::Typed;
use super::which::{Chosen, Which, files};
use crate::boot::Boot;
use crate::cli::sent;
use crate::problem::{Outcome, Problem};

/// Apply files of SQL, each once, and know which were.
#[derive(Debug, Args)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  mainstay db migrate status --check              ends with 6 when something is pending\n  mainstay db migrate plan\n  mainstay db migrate rehearse                    on a copy of the last backup: durations, locks\n  CONFIRM_PROD=1 mainstay db migrate apply\n  mainstay db migrate adopt 0001_init.sql         its work was done by hand\n\nFiles are applied in the byte order of their names, each in one transaction with its row in the\nledger. With `migrations: { release: true }` every `mainstay up` applies what is pending (docs/MIGRATIONS.md)."
)]
pub struct Migrate {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Status(status::StatusArgs),
    Plan(plan::PlanArgs),
    Apply(apply::Apply),
    Rehearse(Box<rehearse::Rehearse>),
    Adopt(adopt::Adopt),
    Accept(accept::Accept),
}

impl Migrate {
    pub fn typed(&self) -> Typed<'_> {
        match &self.verb {
            Verb::Status(args) => args.typed(),
            Verb::Plan(args) => args.typed(),
            Verb::Apply(args) => args.typed(),
            Verb::Rehearse(args) => args.typed(),
            Verb::Adopt(args) => args.typed(),
            Verb::Accept(args) => args.typed(),
        }
    }
}

pub async fn run(boot: &Boot, args: Migrate) -> Outcome {
    match args.verb {
        Verb::Status(args) => status::run(boot, args).await,
        Verb::Plan(args) => plan::run(boot, args).await,
        Verb::Apply(args) => apply::run(boot, args).await,
        Verb::Rehearse(args) => rehearse::run(boot, *args).await,
        Verb::Adopt(args) => adopt::run(boot, args).await,
        Verb::Accept(args) => accept::run(boot, args).await,
    }
}

/// A database, its files, and what migrates it.
struct Scene {
    chosen: Chosen,
    set: MigrationSet,
}

impl Scene {
    async fn of(boot: &Boot, which: &Which) -> Result<Scene, Problem> {
        let chosen = which.choose(boot).await?;
        let files = files(&chosen.dir)?;
        let set = MigrationSet::read(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
        Ok(Scene { chosen, set })
    }

    fn migrator(&self, boot: &Boot, patience: Patience) -> Migrator {
        let Chosen { server, ledger, .. } = &self.chosen;
        Migrator::new(server.clone(), ledger.clone(), patience, boot.environment.user())
    }

    /// `database `crm` at 10.0.0.7:5432 as `postgres`, ledger public.schema_migrations`.
    fn shown(&self) -> String {
        let name = self.chosen.server.name();
        format!(
            "database `{}` at {}:{} as `{}`, ledger {}",
            name.database, name.host, name.port, name.user, self.chosen.ledger
        )
    }

    /// The file that a person named; the folder in front of it is no matter.
    fn file(&self, boot: &Boot, told: &str) -> Result<&MigrationFile, Problem> {
        let name = told.rsplit('/').next().unwrap_or(told);
        if let Some(file) = self.set.files.get(name) {
            return Ok(file);
        }
        if let Some(faults) = self.set.faulty.get(name) {
            let refusals: Vec<Refusal> = faults.iter().cloned().map(Refusal::Fault).collect();
            return Err(refused(&refusals));
        }
        let folder = sent::shown(boot, &self.chosen.dir);
        Err(Problem::usage("no-such-file", format!("{folder} has no migration `{name}`"))
            .hint("`mainstay db migrate status` lists them"))
    }
}

/// Every refusal at once, each with what to do about it.
pub(super) fn refused(refusals: &[Refusal]) -> Problem {
    let lines: Vec<String> = refusals.iter().map(|one| format!("  {one}\n    {}", one.hint())).collect();
    let message = match refusals {
        [_] => "one thing stands in the way; nothing was applied".to_owned(),
        _ => format!("{} things stand in the way; nothing was applied", refusals.len()),
    };
    let mut problem = Problem::files("migrations-refused", message);
    problem.exhibit = Some(lines.join("\n"));
    problem
}

fn must_be_possible(plan: &MigrationPlan) -> Result<(), Problem> {
    if plan.refusals.is_empty() { Ok(()) } else { Err(refused(&plan.refusals)) }
}
