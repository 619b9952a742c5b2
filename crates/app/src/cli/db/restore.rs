//! `mainstay db restore`

mod back;
mod named;
mod plan;
mod tables;
mod whole;

use std::time::Duration;

use clap::{ArgAction, Args};
use mainstay_engine::pg::Server;
use mainstay_engine::pg::restore::{Guard, RestoreError};
use mainstay_model::identity::BackupId;

use super::drill;
use super::shelf::{Opening, Shelved};
use super::travel::Typed;
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::problem::{Kind, Outcome, Problem};

/// For so long another restore, backup, migration or cleanup is waited for.
const PATIENCE: Duration = Duration::from_mins(5);

/// Restore a backup: the whole database beside the one that lives and then in its place, or some of its tables.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay db restore --dry-run                   what would be done, and what was written since\n  mainstay db restore 20261126-030000-x7k2ma\n  mainstay db restore --table public.guests --table public.bookings\n  mainstay db restore --into crm_look             a new database beside it, to look at\n  mainstay db restore --back                      the one before the last restore takes its place again\n  mainstay db restore --confirm 3f9a1c07b2de      exactly the plan that was shown\n\nFirst a backup of the present state is made. The backup is restored into a new database and compared with\nits manifest; only then the names are swapped, in one transaction, and the old database is kept. A table\nis restored into a throw-away server first, and its rows are moved in one transaction. Without `--env`, or\nwith `--env prod`, it is production: CONFIRM_PROD=1 with `--yes`, or `--confirm` (docs/RESTORE.md)."
)]
pub struct Restore {
    #[command(flatten)]
    shelved: Shelved,
    #[command(flatten)]
    opening: Opening,
    /// Which backup; default: the newest that was not made before a migration or a restore
    #[arg(value_name = "ID")]
    id: Option<BackupId>,
    /// Only this table, with all that is its own; may be repeated
    #[arg(long = "table", short = 't', value_name = "SCHEMA.TABLE", conflicts_with_all = ["into", "in_place", "back"])]
    tables: Vec<String>,
    /// Into a new database of this name, and leave it at that
    #[arg(long, value_name = "NAME", conflicts_with_all = ["in_place", "back"])]
    into: Option<String>,
    /// Over the database itself, in one transaction; to be given twice
    #[arg(long, action = ArgAction::Count, conflicts_with = "back")]
    in_place: u8,
    /// Let the database that was kept before the last restore, or the one of this name, take its place again
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", conflicts_with = "id")]
    back: Option<String>,
    /// The digest of the plan that was shown: exactly that is done, or nothing
    #[arg(long, value_name = "DIGEST")]
    confirm: Option<String>,
    /// How long transactions under way may go on before their sessions are ended; another restore, backup or migration is
    /// waited for 5m, or so long when that is longer
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = super::duration)]
    wait: Duration,
    /// Make no backup of the present state first, such as of a database that cannot be read
    #[arg(long)]
    no_backup: bool,
}

impl Restore {
    pub fn typed(&self) -> Typed<'_> {
        Typed { file: self.opening.file(), ..self.shelved.typed() }
    }
}

pub async fn run(boot: &Boot, args: Restore) -> Outcome {
    let shelf = args.shelved.find(boot).await?;
    if args.in_place == 1 {
        return Err(Problem::usage(
            "in-place-once",
            "`--in-place` overwrites the database that lives, and nothing of it is kept; it has to be said twice",
        )
        .hint("better: leave it out, and the database before is kept under another name")
        .hint("if that is what you want: `--in-place --in-place`"));
    }
    if let Some(name) = &args.back {
        return back::run(boot, &args, &shelf, name).await;
    }
    let vault = args.opening.apply(boot, shelf.vault.clone())?;
    // What was taken before an operation is the way back from it: that is asked for by its id.
    let kept = drill::chosen(&vault, args.id.as_ref(), |one| !one.reason.is_way_back()).await?;
    if let Some(table) = args.tables.iter().find(|table| !named::may_be_in(&kept.manifest, table)) {
        return Err(Problem::usage("no-such-table", format!("the backup {} has no table `{table}`", kept.manifest.id))
            .hint("name it with its schema, as SQL does: `--table public.guests`, `--table '\"we ird\".\"tab\"\"le\"'`")
            .hint("views are made of their tables: restore those"));
    }
    let task = Task { boot, args: &args, shelf: &shelf, vault: &vault, manifest: &kept.manifest };
    if args.tables.is_empty() { whole::run(&task).await } else { tables::run(&task).await }
}

/// Nobody else is at the database as long as this is held.
async fn alone(boot: &Boot, args: &Restore, server: &Server, interrupt: &Interrupt) -> Result<Guard, Problem> {
    let mut told = |holder: String| boot.ui.talk(&format!("waiting for {holder}"));
    Ok(Guard::take(server, patience(args), interrupt.token(), &mut told).await?)
}

/// How long another restore, backup, migration or cleanup is waited for.
fn patience(args: &Restore) -> Duration {
    args.wait.max(PATIENCE)
}

/// What the ways of restoring share.
struct Task<'t> {
    boot: &'t Boot,
    args: &'t Restore,
    shelf: &'t super::shelf::Shelf,
    vault: &'t mainstay_engine::pg::backup::Vault,
    manifest: &'t mainstay_model::postgres::backup::Manifest,
}

/// The code of a restore in place that is not what was backed up, or could not be compared.
const OVERWRITTEN: &str = "restored-different";

fn overwritten(error: RestoreError) -> Problem {
    let before =
        "the state before it: `mainstay db backups` lists a backup `before restore`, unless `--no-backup` was said";
    let RestoreError::Different(differences) = error else {
        let message =
            format!("the database is overwritten with the backup, and could not be compared with it: {error}");
        return Problem::new(Kind::Failed, OVERWRITTEN, message).hint(before);
    };
    let message = "the database is overwritten with the backup, and is not what was backed up";
    let mut problem = Problem::new(Kind::Failed, OVERWRITTEN, message);
    problem.exhibit = Some(drill::shown(&differences));
    problem
        .hint("`--in-place` leaves what the backup has not: drop what is too much, or restore without `--in-place`")
        .hint(before)
}

impl From<RestoreError> for Problem {
    fn from(error: RestoreError) -> Self {
        let gone = error.no_such_database().map(str::to_owned);
        let problem = match error {
            RestoreError::Backup(error) => error.into(),
            RestoreError::Pg(error) => error.into(),
            RestoreError::World(error) => error.into(),
            RestoreError::Tool { doing, words } => {
                let mut problem =
                    Problem::new(Kind::Failed, "restore-failed", format!("{doing} failed; the database is as it was"));
                problem.exhibit = Some(words);
                problem
            }
            RestoreError::Different(differences) => {
                let message = "what was restored is not what was backed up; the database is as it was";
                let mut problem = Problem::new(Kind::Failed, "restore-different", message);
                problem.exhibit = Some(drill::shown(&differences));
                problem.hint("`mainstay db drill ID` says more; `mainstay db backups` shows which one was proven")
            }
            RestoreError::Overwritten(error) => overwritten(*error),
            RestoreError::Refused { message, causes, hints } => {
                let mut problem = Problem::new(Kind::Failed, "restore-refused", message);
                problem.exhibit = (!causes.is_empty())
                    .then(|| causes.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"));
                problem.hints = hints;
                problem
            }
        };
        match gone {
            None => problem,
            Some(name) => problem.hint(format!("or make it anew from the backup: `mainstay db restore --into {name}`")),
        }
    }
}
