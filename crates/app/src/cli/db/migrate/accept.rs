//! `mainstay db migrate accept`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::pg::Patience;

use super::super::recording::Recording;
use super::super::travel::Typed;
use super::super::which::Which;
use super::Scene;
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::problem::{Outcome, Problem};

/// Take the text that a file has now for the one that was applied.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay db migrate accept 0007_guests.sql --reason 'only a comment was mended'\n\nBoth hashes, who and why are kept in the ledger's `notes`. Nothing is run."
)]
pub struct Accept {
    #[command(flatten)]
    which: Which,
    /// The file
    #[arg(value_name = "FILE")]
    migration: String,
    /// Why that is right; it is kept
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Accept {
    pub fn typed(&self) -> Typed<'_> {
        self.which.typed()
    }
}

pub async fn run(boot: &Boot, args: Accept) -> Outcome {
    let reason = args.reason.split_whitespace().collect::<Vec<_>>().join(" ");
    if reason.is_empty() {
        return Err(Problem::usage("no-reason", "`--reason` says nothing").hint("say why the change is right"));
    }
    let scene = Scene::of(boot, &args.which).await?;
    let file = scene.file(boot, &args.migration)?;
    boot.ui.talk(&scene.shown());
    if boot.settings.dry_run {
        boot.ui.talk(&format!("would accept {} as {}", file.name, &file.sha256[..12]));
        return Ok(ExitCode::SUCCESS);
    }
    let interrupt = Interrupt::listen(&boot.ui);
    let recording = Recording::new(boot, &scene.chosen, "accept", vec![file.name.clone()]);
    let accepted = scene.migrator(boot, Patience::default()).accept(file, &reason, interrupt.token()).await;
    match &accepted {
        Ok(Some(_)) => recording.ends(std::slice::from_ref(&file.name), None).await,
        Ok(None) => {}
        Err(error) => recording.ends(&[], Some(error)).await,
    }
    let accepted = accepted?;
    boot.ui.talk(&match accepted {
        Some(accepted) => {
            let short = |hash: &str| hash.chars().take(12).collect::<String>();
            format!("✔ {}  accepted: {} -> {}", file.name, short(&accepted.before), short(&accepted.after))
        }
        None => format!("– {}  was not changed since it was applied, or has no hash", file.name),
    });
    Ok(ExitCode::SUCCESS)
}
