//! `mainstay db migrate adopt`

mod detect;
mod import;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use mainstay_engine::pg::{Adopting, Adoption, Patience};
use mainstay_model::postgres::migration::Tool;

use super::super::drift::replayed::Scratching;
use super::super::recording::Recording;
use super::super::travel::Typed;
use super::super::which::Which;
use super::Scene;
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::ask;
use crate::ui::show::count;

/// Write the rows of files without running them: their work is in the database already.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay db migrate adopt 0001_init.sql 0002_users.sql\n  mainstay db migrate adopt --up-to 0040_orders.sql\n  mainstay db migrate adopt --detect              looks which files' work is there, and asks\n  mainstay db migrate adopt --detect --dry-run\n  mainstay db migrate adopt --from sqlx           takes over what another tool's ledger says\n\nA row that is there without a hash gets one, when its file is named. Without `--detect`, nothing is compared\nwith the database: look first (docs/DRIFT.md)."
)]
pub struct Adopt {
    #[command(flatten)]
    which: Which,
    /// The files
    #[arg(value_name = "FILE", required_unless_present_any = ["up_to", "detect", "from"])]
    migrations: Vec<String>,
    /// Every file up to this one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["migrations", "detect", "from"])]
    up_to: Option<String>,
    /// Run the files on a scratch database, compare after each, and adopt those whose work is there
    #[arg(long, conflicts_with_all = ["migrations", "from"])]
    detect: bool,
    /// Take over the ledger of another tool
    #[arg(long, value_enum, value_name = "TOOL", conflicts_with = "migrations")]
    from: Option<From>,
    /// With `--from`: the table of that ledger; default: the tool's own
    #[arg(long, value_name = "SCHEMA.TABLE", requires = "from")]
    from_table: Option<String>,
    #[command(flatten)]
    scratching: Scratching,
}

/// A tool as the flag takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum From {
    Sqlx,
    Dbmate,
    Goose,
    Flyway,
    Supabase,
}

impl std::convert::From<From> for Tool {
    fn from(from: From) -> Tool {
        match from {
            From::Sqlx => Tool::Sqlx,
            From::Dbmate => Tool::Dbmate,
            From::Goose => Tool::Goose,
            From::Flyway => Tool::Flyway,
            From::Supabase => Tool::Supabase,
        }
    }
}

impl Adopt {
    pub fn typed(&self) -> Typed<'_> {
        if self.detect { self.scratching.typed(self.which.typed()) } else { self.which.typed() }
    }
}

pub async fn run(boot: &Boot, args: Adopt) -> Outcome {
    if let Some(from) = args.from {
        return import::run(boot, &args.which, from.into(), args.from_table.as_deref()).await;
    }
    if args.detect {
        return detect::run(boot, &args.which, &args.scratching).await;
    }
    let scene = Scene::of(boot, &args.which).await?;
    let names = match &args.up_to {
        Some(last) => {
            let last = scene.file(boot, last)?.name.clone();
            scene.set.names().into_iter().filter(|name| *name <= last.as_str()).map(str::to_owned).collect()
        }
        None => args.migrations,
    };
    // All are looked at before the first is written.
    let files = names.iter().map(|name| scene.file(boot, name)).collect::<Result<Vec<_>, Problem>>()?;
    boot.ui.talk(&scene.shown());
    let migrator = scene.migrator(boot, Patience::default());
    let interrupt = Interrupt::listen(&boot.ui);
    if boot.settings.dry_run {
        files.iter().for_each(|file| boot.ui.talk(&format!("would adopt {}", file.name)));
        return Ok(ExitCode::SUCCESS);
    }
    let names = files.iter().map(|file| file.name.clone()).collect();
    let recording = Recording::new(boot, &scene.chosen, "adopt", names);
    let mut done = Vec::new();
    let mut failure = None;
    for file in files {
        match migrator.adopt(file, interrupt.token()).await {
            Ok(Adoption::Adopted) => {
                boot.ui.talk(&format!("✔ {}  adopted", file.name));
                done.push(file.name.clone());
            }
            Ok(Adoption::WasThere) => boot.ui.talk(&format!("– {}  is in the ledger already", file.name)),
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    if !done.is_empty() || failure.is_some() {
        recording.ends(&done, failure.as_ref()).await;
    }
    failure.map_or(Ok(ExitCode::SUCCESS), |error| Err(error.into()))
}

/// Writes what was shown, when a person agrees to it.
async fn adopt_all(boot: &Boot, scene: &Scene, all: &[Adopting<'_>]) -> Outcome {
    if all.is_empty() {
        boot.ui.talk("nothing to adopt");
        return Ok(ExitCode::SUCCESS);
    }
    let what = count(all.len(), "file");
    if boot.settings.dry_run {
        boot.ui.talk(&format!("would adopt {what}"));
        return Ok(ExitCode::SUCCESS);
    }
    if !boot.settings.yes {
        let question = format!("write the rows of {what} without running them?");
        if !boot.ui.can_ask() {
            let message = format!("{what} would be adopted; nothing was written");
            return Err(Problem::new(Kind::Consent, "adopt", message).hint("to adopt them: `--yes`"));
        }
        if !ask::yes_or_no(&boot.ui, &question) {
            return Err(Problem::new(Kind::Consent, "adopt", "nothing was written"));
        }
    }
    let names: Vec<String> = all.iter().map(|one| one.name.to_owned()).collect();
    let recording = Recording::new(boot, &scene.chosen, "adopt", names.clone());
    let interrupt = Interrupt::listen(&boot.ui);
    let written = scene.migrator(boot, Patience::default()).adopt_all(all, interrupt.token()).await;
    let done = if written.is_ok() { names.as_slice() } else { &[] };
    recording.ends(done, written.as_ref().err()).await;
    let written = written?;
    boot.ui.talk(&format!("adopted {}", count(usize::try_from(written).unwrap_or(all.len()), "file")));
    Ok(ExitCode::SUCCESS)
}
