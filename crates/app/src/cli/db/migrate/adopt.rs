//! `mainstay db migrate adopt`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::pg::{Adoption, Patience};

use super::super::recording::Recording;
use super::super::which::Which;
use super::Scene;
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::problem::{Outcome, Problem};

/// Write files into the ledger without running them: their work is in the database already.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay db migrate adopt 0001_init.sql 0002_users.sql\n  mainstay db migrate adopt --up-to 0040_orders.sql\n\nA row that is there without a hash gets one. Nothing is compared with the database: look first."
)]
pub struct Adopt {
    #[command(flatten)]
    which: Which,
    /// The files
    #[arg(value_name = "FILE", required_unless_present = "up_to")]
    migrations: Vec<String>,
    /// Every file up to this one
    #[arg(long, value_name = "FILE", conflicts_with = "migrations")]
    up_to: Option<String>,
}

pub async fn run(boot: &Boot, args: Adopt) -> Outcome {
    let scene = Scene::of(boot, &args.which).await?;
    let names = match &args.up_to {
        Some(last) => {
            let last = scene.file(last)?.name.clone();
            scene.set.names().into_iter().filter(|name| *name <= last.as_str()).map(str::to_owned).collect()
        }
        None => args.migrations,
    };
    // All are looked at before the first is written.
    let files = names.iter().map(|name| scene.file(name)).collect::<Result<Vec<_>, Problem>>()?;
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
