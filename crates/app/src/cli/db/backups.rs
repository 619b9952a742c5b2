//! `mainstay db backups`

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use mainstay_engine::pg::backup::{Listing, Shelved as Kept, Unusable};
use mainstay_model::postgres::backup::retention::Standing;
use serde::Serialize;

use super::shelf::{Opening, Shelved};
use super::travel::Typed;
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};
use crate::ui::meter::size;
use crate::ui::show::count;
use crate::ui::since::{ago, took};
use crate::ui::{Cell, Table, Tone};

/// List the backups of a database: how old, how large, why, and when each was proven.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay db backups\n  mainstay db backups --to s3://backups/crm --json | jq -r '.backups[0].id'\n  mainstay db backups --identity recovery.txt\n\nA backup is proven by a drill: it was restored, and everything in it was compared."
)]
pub struct Backups {
    #[command(flatten)]
    shelved: Shelved,
    #[command(flatten)]
    opening: Opening,
}

/// As `--json` gives it.
#[derive(Serialize)]
struct Told<'l> {
    of: &'l str,
    place: &'l str,
    backups: Vec<ToldBackup<'l>>,
    unusable: &'l [Unusable],
}

#[derive(Serialize)]
struct ToldBackup<'l> {
    id: &'l str,
    snapshot_at: &'l str,
    reason: String,
    bytes: u64,
    plain_bytes: u64,
    server: &'l str,
    standing: Standing,
    /// The last drill that held.
    proven_at: Option<&'l str>,
    restore_ms: Option<u64>,
}

impl Backups {
    pub fn typed(&self) -> Typed<'_> {
        Typed { file: self.opening.file(), only_looks: true, ..self.shelved.typed() }
    }
}

pub async fn run(boot: &Boot, args: Backups) -> Outcome {
    boot.refuse_dry_run("db backups")?;
    let shelf = args.shelved.find(boot).await?;
    let vault = args.opening.apply(boot, shelf.vault)?;
    let listing = vault.list().await?;
    if boot.ui.json {
        let backups = listing.backups.iter().map(told).collect();
        let told = Told { of: vault.of(), place: vault.place(), backups, unusable: &listing.unusable };
        boot.ui.json_document(&told)?;
        return Ok(ExitCode::SUCCESS);
    }
    boot.ui.talk(&format!("{} at {}", vault.of(), vault.place()));
    show(boot, &listing)?;
    Ok(ExitCode::SUCCESS)
}

fn told(one: &Kept) -> ToldBackup<'_> {
    let proven = one.proven();
    ToldBackup {
        id: one.manifest.id.as_str(),
        snapshot_at: &one.manifest.snapshot_at,
        reason: one.manifest.reason.to_string(),
        bytes: one.manifest.stored.bytes,
        plain_bytes: one.manifest.stored.plain_bytes,
        server: &one.manifest.contents.server.version,
        standing: one.standing(),
        proven_at: proven.map(|proof| proof.ended_at.as_str()),
        restore_ms: proven.and_then(|proof| proof.restore_ms),
    }
}

fn show(boot: &Boot, listing: &Listing) -> Result<(), Problem> {
    if listing.backups.is_empty() && listing.unusable.is_empty() {
        boot.ui.talk("none yet; `mainstay db backup` makes one");
        return Ok(());
    }
    let now = Timestamp::now();
    let mut table = Table::new(&["BACKUP", "AGE", "SIZE", "PROVEN", "RESTORED IN", "REASON"]);
    table.yields(&["RESTORED IN"], &["REASON"]);
    for one in &listing.backups {
        let (tone, proven) = match (one.standing(), one.proofs.last()) {
            (Standing::Proven, Some(proof)) => (Tone::Good, format!("{} ago", ago(&proof.ended_at, now))),
            (Standing::Failed, Some(proof)) => (Tone::Bad, format!("failed {} ago", ago(&proof.ended_at, now))),
            _ => (Tone::Warn, "not yet".to_owned()),
        };
        let restored = one.proven().and_then(|proof| proof.restore_ms).map(took).unwrap_or_default();
        table.row(vec![
            one.manifest.id.as_str().into(),
            ago(&one.manifest.snapshot_at, now).into(),
            size(one.manifest.stored.bytes).into(),
            Cell::new(tone, proven),
            restored.into(),
            one.manifest.reason.to_string().into(),
        ]);
    }
    for one in &listing.unusable {
        let cells =
            [one.id.as_str().into(), "".into(), "".into(), Cell::new(Tone::Bad, "unusable"), "".into(), "".into()];
        table.row(cells.into());
    }
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))?;
    for one in &listing.unusable {
        boot.ui.warn(&format!("{}: {}", one.id, one.why));
    }
    boot.ui.talk(&count(listing.backups.len(), "backup"));
    Ok(())
}
