//! `mainstay bucket`: the buckets of a stack, and their backups.

mod backup;
mod backups;
mod drill;
mod ls;
mod make;
mod restore;
mod retention;
mod which;

use clap::{Args, Subcommand};
use mainstay_engine::NotReached;
use mainstay_engine::bucket::BucketError;

use crate::boot::Boot;
use crate::problem::{Kind, Outcome, Problem};

/// Make, back up, read back and restore the buckets of an S3 server.
#[derive(Debug, Args)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  mainstay bucket ls                         what is declared, and how it stands\n  mainstay bucket make                       whatever is missing, private, with its CORS rules\n  mainstay bucket backup artifacts           only what changed is read and stored\n  mainstay bucket drill artifacts            read it all back, and compare\n  mainstay bucket restore artifacts --prefix installers/\n\nBuckets are declared under `x-mainstay.buckets` (docs/BUCKETS.md)."
)]
pub struct BucketArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Ls(ls::Ls),
    Make(make::Make),
    Backup(backup::Backup),
    Backups(backups::Backups),
    Drill(drill::Drill),
    Restore(restore::Restore),
    Retention(retention::Retention),
}

pub async fn run(boot: &Boot, args: BucketArgs) -> Outcome {
    match args.verb {
        Verb::Ls(args) => ls::run(boot, args).await,
        Verb::Make(args) => make::run(boot, args).await,
        Verb::Backup(args) => backup::run(boot, args).await,
        Verb::Backups(args) => backups::run(boot, args).await,
        Verb::Drill(args) => drill::run(boot, args).await,
        Verb::Restore(args) => restore::run(boot, args).await,
        Verb::Retention(args) => retention::run(boot, args).await,
    }
}

impl From<BucketError> for Problem {
    fn from(error: BucketError) -> Self {
        let (kind, code) = match &error {
            BucketError::NotReached(NotReached::NotRunning { .. }) => (Kind::World, "bucket-not-running"),
            BucketError::NotReached(NotReached::NoAddress { .. }) => (Kind::World, "bucket-without-address"),
            BucketError::Secrets(_) | BucketError::Lock { .. } => (Kind::World, "bucket-key"),
            BucketError::NoSuchBackup { .. } | BucketError::NoBackup { .. } => (Kind::Usage, "no-such-backup"),
            BucketError::Damaged { .. } | BucketError::Unreadable { .. } => (Kind::Failed, "backup-damaged"),
            BucketError::Objects { .. } => (Kind::Failed, "bucket-unreadable"),
            BucketError::OneKey { .. } => (Kind::Usage, "one-key"),
            BucketError::Zone(_) => (Kind::Files, "bad-zone"),
            BucketError::Busy { .. } => (Kind::World, "bucket-busy"),
            BucketError::World(_) | BucketError::Blob(_) | BucketError::Away { .. } | BucketError::Refused { .. } => {
                (Kind::World, "bucket")
            }
        };
        if let BucketError::World(error) = error {
            return error.into();
        }
        let mut problem = Problem::new(kind, code, error.to_string());
        for hint in error.hints() {
            problem = problem.hint(hint);
        }
        problem
    }
}
