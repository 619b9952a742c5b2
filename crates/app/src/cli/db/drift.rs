//! `mainstay db drift`

mod expectation;
pub mod replayed;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use mainstay_engine::pg::{Migrator, Patience};
use mainstay_model::postgres::migration::Status;
use mainstay_model::postgres::schema::{Severity, compare};

use self::replayed::{Replayed, Scratching};
use super::travel::{File, Typed};
use super::which::Which;
use crate::boot::Boot;
use crate::problem::{Kind, Outcome, Problem};

/// Compare the schema as it is with what the migrations make of an empty database. Changes nothing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay db drift\n  mainstay db drift --check --level not-ready        ends with 6 when a program would fail\n  mainstay db drift --ignore 'public.bookings_p*'\n  mainstay db drift --json | jq '.differences[] | select(.grade == \"missing\")'\n  mainstay db drift --write-expectation schema.json  for a service's readiness, at build time\n  mainstay db drift --expectation schema.json        the same questions as the service asks, without running files\n\nThe files run on a scratch database that goes afterwards: in a container of the database's own image without\na network, or as `--scratch` says. The ledger is not believed (docs/DRIFT.md)."
)]
pub struct Drift {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    scratching: Scratching,
    /// Show and judge only what is at least so bad
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = Level::Note)]
    level: Level,
    /// End with 6 when there is anything to show
    #[arg(long)]
    check: bool,
    /// Write what a service needs of the schema, and which file brings it; the database is not compared
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check", "expectation"])]
    write_expectation: Option<PathBuf>,
    /// With `--write-expectation`: the command that the service names when a migration is missing
    #[arg(long, value_name = "TEXT", requires = "write_expectation", default_value = "mainstay db migrate apply")]
    command: String,
    /// Ask only for what is in this file, which `--write-expectation` wrote; no files are run
    #[arg(long, value_name = "FILE")]
    expectation: Option<PathBuf>,
}

/// A severity as the flag takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Level {
    Note,
    Warning,
    NotReady,
    Critical,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Severity {
        match level {
            Level::Note => Severity::Note,
            Level::Warning => Severity::Warning,
            Level::NotReady => Severity::NotReady,
            Level::Critical => Severity::Critical,
        }
    }
}

impl Drift {
    pub fn typed(&self) -> Typed<'_> {
        let file = match (&self.expectation, &self.write_expectation) {
            (Some(_), _) => Some(File::Expectation),
            (None, Some(_)) => Some(File::WriteExpectation),
            (None, None) => None,
        };
        Typed { file, only_looks: true, ..self.scratching.typed(self.which.typed()) }
    }
}

pub async fn run(boot: &Boot, args: Drift) -> Outcome {
    boot.refuse_dry_run("db drift")?;
    if let Some(file) = &args.expectation {
        return expectation::check(boot, &args.which, file, args.check).await;
    }
    let chosen = args.which.choose(boot).await?;
    let replayed = Replayed::of(boot, &chosen, &args.scratching).await?;
    if let Some(file) = &args.write_expectation {
        return expectation::write(boot, &chosen, &replayed, file, &args.command);
    }
    let Replayed { sides, judged, set, .. } = &replayed;
    let migrator =
        Migrator::new(chosen.server.to_look_at(), chosen.ledger.clone(), Patience::default(), boot.environment.user());
    let status = Status::of(set, &migrator.rows().await?);
    let mut differences = compare(&sides.replay, &sides.live, judged);
    differences.retain(|one| one.severity >= args.level.into());
    if boot.ui.json {
        boot.ui.json_document(&show::told(&chosen, &replayed, &status, &differences))?;
    } else {
        show::show(boot, &chosen, &replayed, &status, &differences)?;
    }
    if args.check && !differences.is_empty() {
        let message = show::tally(&differences);
        return Err(Problem::new(Kind::Drift, "schema-drift", message)
            .hint("what is meant to be so is passed over: `--ignore PATTERN`, `drift: { ignore: [PATTERN] }`"));
    }
    Ok(ExitCode::SUCCESS)
}
