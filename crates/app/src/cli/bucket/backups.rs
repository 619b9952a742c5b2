//! `mainstay bucket backups`

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use mainstay_engine::bucket::Listing;
use mainstay_model::postgres::backup::retention::Standing;
use serde::Serialize;

use super::which::one;
use crate::boot::Boot;
use crate::cli::db::shelf::Opening;
use crate::problem::{Outcome, Problem};
use crate::ui::meter::size;
use crate::ui::since::ago;
use crate::ui::{Cell, Table, Tone};

/// List the backups of a bucket: how old, how large, why, and when each was read back.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay bucket backups artifacts\n  mainstay bucket backups --json | jq -r '.backups[0].id'\n  mainstay bucket backups --identity recovery.txt"
)]
pub struct Backups {
    /// The name under `x-mainstay.buckets`; default: the only one
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    opening: Opening,
}

/// As `--json` gives it.
#[derive(Serialize)]
struct Told {
    of: String,
    place: String,
    backups: Vec<Row>,
    unusable: Vec<Unusable>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    ended_at: String,
    reason: String,
    objects: usize,
    bytes: u64,
    standing: Standing,
    proven_at: Option<String>,
}

#[derive(Serialize)]
struct Unusable {
    id: String,
    why: String,
}

pub async fn run(boot: &Boot, args: Backups) -> Outcome {
    boot.refuse_dry_run("bucket backups")?;
    let chosen = one(boot, args.name.as_ref()).await?;
    let mut cabinet = chosen.cabinet(boot)?;
    if let Some(seals) = args.opening.seals(boot)? {
        cabinet = cabinet.opened_with(&seals);
    }
    let listing = cabinet.list().await?;
    if boot.ui.json {
        boot.ui.json_document(&told(&listing, cabinet.of(), cabinet.place()))?;
        return Ok(ExitCode::SUCCESS);
    }
    boot.ui.talk(&format!("{} at {}", cabinet.of(), cabinet.place()));
    show(boot, &listing)?;
    Ok(ExitCode::SUCCESS)
}

fn told(listing: &Listing, of: &str, place: &str) -> Told {
    let row = |one: &mainstay_engine::bucket::Shelved| Row {
        id: one.manifest.id.to_string(),
        ended_at: one.manifest.ended_at.clone(),
        reason: one.manifest.reason.to_string(),
        objects: one.manifest.objects.len(),
        bytes: one.manifest.bytes(),
        standing: one.standing(),
        proven_at: one.proofs.iter().rev().find(|proof| proof.is_proven()).map(|proof| proof.ended_at.clone()),
    };
    Told {
        of: of.to_owned(),
        place: place.to_owned(),
        backups: listing.backups.iter().map(row).collect(),
        unusable: listing.unusable.iter().map(|(id, why)| Unusable { id: id.to_string(), why: why.clone() }).collect(),
    }
}

fn show(boot: &Boot, listing: &Listing) -> Result<(), Problem> {
    if listing.backups.is_empty() && listing.unusable.is_empty() {
        boot.ui.talk("none yet; `mainstay bucket backup` makes one");
        return Ok(());
    }
    let now = Timestamp::now();
    let mut table = Table::new(&["BACKUP", "AGE", "OBJECTS", "SIZE", "PROVEN", "REASON"]);
    table.yields(&["OBJECTS"], &["REASON"]);
    for one in &listing.backups {
        let (tone, proven) = match (one.standing(), one.proofs.last()) {
            (Standing::Proven, Some(proof)) => (Tone::Good, format!("{} ago", ago(&proof.ended_at, now))),
            (Standing::Failed, Some(proof)) => (Tone::Bad, format!("failed {} ago", ago(&proof.ended_at, now))),
            _ => (Tone::Warn, "not yet".to_owned()),
        };
        table.row(vec![
            one.manifest.id.as_str().into(),
            ago(&one.manifest.ended_at, now).into(),
            one.manifest.objects.len().to_string().into(),
            size(one.manifest.bytes()).into(),
            Cell::new(tone, proven),
            one.manifest.reason.to_string().into(),
        ]);
    }
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))?;
    for (id, why) in &listing.unusable {
        boot.ui.warn(&format!("{id}: {why}"));
    }
    Ok(())
}
