//! `mainstay db`: what a stack's databases need.

mod backup;
mod backups;
mod drift;
mod drill;
pub mod found;
mod migrate;
mod recording;
mod remember;
mod restore;
pub mod retention;
pub mod shelf;
pub mod status;
pub mod travel;
mod trouble;
pub mod which;

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::boot::Boot;
use crate::problem::Outcome;

/// Migrate a database, compare it with its migrations, back it up, prove the backups, restore.
#[derive(Debug, Args)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  mainstay db migrate status                      which files are applied, pending, changed\n  mainstay db migrate plan                        what would run, and what is wrong with it\n  DATABASE_URL=postgres://… mainstay db migrate apply --dir ./migrations\n  mainstay db drift                               what the schema is, against what the files make\n  mainstay db backup                              all of it, sealed, read back\n  mainstay db backups                             how old, how large, when proven\n  mainstay db drill                               the newest backup, restored elsewhere and compared\n  mainstay db restore                             the whole database, or `--table public.guests`\n  mainstay db status                              last backup, last proof, and what is wrong\n\nA database is declared under `x-mainstay.databases`, or named by DATABASE_URL or PG* (docs/MIGRATIONS.md,\ndocs/DRIFT.md, docs/BACKUPS.md, docs/RESTORE.md)."
)]
pub struct Db {
    #[command(subcommand)]
    room: Room,
}

#[derive(Debug, Subcommand)]
enum Room {
    Migrate(migrate::Migrate),
    Drift(drift::Drift),
    Backup(backup::Backup),
    Backups(backups::Backups),
    Drill(drill::DrillArgs),
    Restore(Box<restore::Restore>),
    Retention(retention::Retention),
    Status(status::Status),
}

/// Whether the environment says that a database may be migrated whatever it is, or that it is none of production.
pub fn is_confirmed(boot: &Boot) -> bool {
    CONSENTS.iter().any(|name| is_set(boot, name))
}

/// Whether the environment says in so many words that it is none of production.
pub fn is_no_production(boot: &Boot) -> bool {
    is_set(boot, ALLOW_NON_PROD)
}

fn is_set(boot: &Boot, name: &str) -> bool {
    boot.environment.get(name).is_some_and(|value| value == "1" || value == "true")
}

/// Somebody's yes to what is about to happen.
pub const CONFIRM_PROD: &str = "CONFIRM_PROD";
const ALLOW_NON_PROD: &str = "ALLOW_NON_PROD";
/// The variables that say so.
pub const CONSENTS: [&str; 2] = [CONFIRM_PROD, ALLOW_NON_PROD];

pub async fn run(boot: &Boot, args: Db) -> Outcome {
    match args.room {
        Room::Migrate(args) => migrate::run(boot, args).await,
        Room::Backup(args) => backup::run(boot, args).await,
        Room::Backups(args) => backups::run(boot, args).await,
        Room::Drill(args) => drill::run(boot, args).await,
        Room::Restore(args) => restore::run(boot, *args).await,
        Room::Retention(args) => retention::run(boot, args).await,
        Room::Status(args) => status::run(boot, args).await,
        Room::Drift(args) => drift::run(boot, args).await,
    }
}

/// `30s`, `10m`, or a number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    seconds
        .or_else(|| mainstay_model::compose::duration::parse(text).ok())
        .ok_or_else(|| "a time such as `30s` or `10m`".to_owned())
}
