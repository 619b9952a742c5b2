//! `mainstay db backup verify`

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use mainstay_model::identity::BackupId;
use serde::Serialize;

use super::super::shelf::{Opening, Shelved};
use super::super::travel::Typed;
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};
use crate::ui::meter::{Meter, rate, size};
use crate::ui::since::took;

/// Read backups back, open them, and hold every hash against their manifests. Restores nothing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay db backup verify 20261126-030000-x7k2ma\n  mainstay db backup verify                        the newest\n  mainstay db backup verify --all --json\n  mainstay db backup verify --identity recovery.txt   with the key that is kept elsewhere\n\nIt finds every byte that is not as it was stored. Whether it can be restored, only a drill tells."
)]
pub(super) struct Verify {
    #[command(flatten)]
    shelved: Shelved,
    /// Which; default: the newest
    #[arg(value_name = "ID", conflicts_with = "all")]
    ids: Vec<BackupId>,
    /// Every one
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    opening: Opening,
}

/// As `--json` gives it.
#[derive(Serialize)]
struct Told {
    id: String,
    whole: bool,
    bytes: u64,
    problem: Option<String>,
    took_ms: u64,
}

impl Verify {
    pub(super) fn typed(&self) -> Typed<'_> {
        Typed { file: self.opening.file(), only_looks: true, ..self.shelved.typed() }
    }
}

pub(super) async fn run(boot: &Boot, args: Verify) -> Outcome {
    boot.refuse_dry_run("db backup verify")?;
    let shelf = args.shelved.find(boot).await?;
    let vault = args.opening.apply(boot, shelf.vault)?;
    let mut told = Vec::new();
    let mut first: Option<Problem> = None;
    let ids = if args.ids.is_empty() {
        let listing = vault.list().await?;
        let mut ids: Vec<BackupId> = listing.backups.iter().map(|one| one.manifest.id.clone()).collect();
        ids.extend(listing.unusable.into_iter().map(|one| one.id));
        ids.sort();
        ids.reverse();
        if !args.all {
            ids.truncate(1);
        }
        ids
    } else {
        args.ids
    };
    if ids.is_empty() {
        let (of, place) = (vault.of().to_owned(), vault.place().to_owned());
        return Err(mainstay_engine::pg::backup::BackupError::NoBackup { of, place }.into());
    }
    for id in ids {
        let began = Instant::now();
        let meter = Meter::new(&boot.ui);
        let verified = async {
            let shelved = vault.get(&id).await?;
            let whole = shelved.manifest.stored.plain_bytes;
            let say = |bytes| {
                meter.set(|| format!("{id}: {} of {}, {}", size(bytes), size(whole), rate(bytes, meter.elapsed())))
            };
            vault.verify(&shelved.manifest, say).await.map(|()| shelved.manifest.stored.bytes)
        };
        let verified = verified.await;
        drop(meter);
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match verified {
            Ok(bytes) => {
                boot.ui.talk(&format!("✔ {id}  {} as stored, {}", size(bytes), took(took_ms)));
                told.push(Told { id: id.to_string(), whole: true, bytes, problem: None, took_ms });
            }
            Err(error) => {
                let problem = Some(error.to_string());
                told.push(Told { id: id.to_string(), whole: false, bytes: 0, problem, took_ms });
                let problem = Problem::from(error);
                match &first {
                    None => first = Some(problem),
                    Some(_) => boot.ui.warn_of(&problem),
                }
            }
        }
    }
    if boot.ui.json {
        boot.ui.json_document(&told)?;
    }
    first.map_or(Ok(ExitCode::SUCCESS), Err)
}
