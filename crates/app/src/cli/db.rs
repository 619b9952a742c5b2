//! `mainstay db`: what a stack's databases need.

mod migrate;
mod recording;
mod trouble;
mod which;

use clap::{Args, Subcommand};

use crate::boot::Boot;
use crate::problem::Outcome;

/// Migrate a database: files of SQL, applied once each, with a ledger.
#[derive(Debug, Args)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  mainstay db migrate status                      which files are applied, pending, changed\n  mainstay db migrate plan                        what would run, and what is wrong with it\n  DATABASE_URL=postgres://… mainstay db migrate apply --dir ./migrations\n\nA database is declared under `x-mainstay.databases`, or named by DATABASE_URL or PG* (docs/MIGRATIONS.md)."
)]
pub struct Db {
    #[command(subcommand)]
    room: Room,
}

#[derive(Debug, Subcommand)]
enum Room {
    Migrate(migrate::Migrate),
}

/// Whether the environment says that a database may be migrated whatever it is, or that it is none of production.
pub fn is_confirmed(boot: &Boot) -> bool {
    let is_set = |name: &str| boot.environment.get(name).is_some_and(|value| value == "1" || value == "true");
    is_set("CONFIRM_PROD") || is_set("ALLOW_NON_PROD")
}

pub async fn run(boot: &Boot, args: Db) -> Outcome {
    match args.room {
        Room::Migrate(args) => migrate::run(boot, args).await,
    }
}
