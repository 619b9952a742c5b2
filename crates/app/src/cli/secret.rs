//! `mainstay secret`: values that a stack needs and nobody else may see.

mod about;
mod generate;
mod kit;
mod ls;
mod recovery_key;
mod rm;
mod set;
mod settle;

use clap::{Args, Subcommand};

use crate::boot::Boot;
use crate::problem::{Outcome, Problem};

pub use settle::{check, settled};

/// Keep the values that a stack needs and nobody else may see.
#[derive(Debug, Args)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  mainstay secret set STRIPE_KEY < key.txt   never as an argument: others could read it there\n  mainstay secret set STRIPE_KEY             asks, without showing what is typed\n  mainstay secret ls                         what is kept, missing, too short, unused\n  mainstay secret generate                   whatever the files say how to make\n  mainstay secret kit kit.txt                the key of this host, to be kept elsewhere\n  mainstay secret recovery-key recovery.txt  a second key for backups\n\nValues are sealed on this host, for each stack and each `--env` by themselves, and reach\n`${NAME}`, a bare `environment: [NAME]`, and `secrets: { x: { environment: NAME } }`.\nThe environment and `.env` win over them (docs/SECRETS.md)."
)]
pub struct Secret {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Set(set::Set),
    Ls(ls::Ls),
    Rm(rm::Rm),
    Generate(generate::Generate),
    Kit(kit::Kit),
    RestoreKit(kit::RestoreKit),
    RecoveryKey(recovery_key::RecoveryKey),
}

impl Secret {
    /// Why it is for the machine that it is about, and what to do instead.
    pub fn stays(&self) -> Option<(&'static str, &'static str)> {
        match &self.verb {
            Verb::Kit(_) => Some(("writes the key of the host, which must not travel", "run it there, by hand")),
            Verb::RestoreKit(_) => Some(("reads the key of the host, which must not travel", "run it there, by hand")),
            Verb::RecoveryKey(_) => {
                Some(("writes a key that must not stay on the host, and must not travel", "run it there, by hand"))
            }
            Verb::Set(args) if args.reads_a_file() => Some((
                "would read the file of `--from-file` there, and it is here",
                "pipe it in: `mainstay --host URL secret set NAME < FILE`",
            )),
            Verb::Set(_) | Verb::Ls(_) | Verb::Rm(_) | Verb::Generate(_) => None,
        }
    }
}

pub async fn run(boot: &Boot, args: Secret) -> Outcome {
    match args.verb {
        Verb::Set(args) => set::run(boot, args).await,
        Verb::Ls(args) => ls::run(boot, args).await,
        Verb::Rm(args) => rm::run(boot, args).await,
        Verb::Generate(args) => generate::run(boot, args).await,
        Verb::Kit(args) => kit::run(boot, args),
        Verb::RestoreKit(args) => kit::restore(boot, args),
        Verb::RecoveryKey(args) => recovery_key::run(boot, args),
    }
}

/// A value on the command line, which is not repeated.
fn in_argv(verb: &str, name: &str) -> Problem {
    let message = "a value on the command line can be read by everybody on this machine, and stays in the shell's \
                   history; nothing was kept";
    Problem::usage("secret-in-argv", message)
        .hint(format!("from a file: `mainstay secret {verb} {name} --from-file FILE`, or `… {verb} {name} < FILE`"))
        .hint(format!("typed, without being shown: `mainstay secret {verb} {name}`"))
        .hint("take that value as known to others: use a new one")
}

/// `` `A`, `B` ``.
fn listed<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
