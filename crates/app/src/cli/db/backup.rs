//! `mainstay db backup`

mod verify;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use mainstay_engine::pg::backup::{Alone, BackupEvent, Order, Source, back_up};
use mainstay_model::postgres::backup::{Manifest, Reason};
use serde::Serialize;

use super::shelf::{Shelf, Shelved};
use super::status::remember;
use super::travel::Typed;
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::problem::{Outcome, Problem};
use crate::ui::Ui;
use crate::ui::meter::{Meter, rate, size};
use crate::ui::show::count;
use crate::ui::since::took;

/// Back a database up: all of it in one snapshot, sealed for two keys, read back after it was stored.
#[derive(Debug, Args)]
#[command(
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  mainstay db backup                              as declared\n  mainstay db backup --reason 'before the import'\n  mainstay db backup --to ./backups --database crm\n  DATABASE_URL=postgres://… mainstay db backup --to s3://backups/elsewhere\n  mainstay db backup verify 20261126-030000-x7k2ma\n\nA server of this stack is dumped by the `pg_dump` of its own container; one elsewhere by that of an image of\nits version. It is a backup once its manifest is there; after Ctrl-C, or any failure, there is none\n(docs/BACKUPS.md)."
)]
pub struct Backup {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    shelved: Shelved,
    /// Why, for whoever reads the list
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How long to wait for another backup, migration, restore or cleanup of the database
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = super::duration)]
    wait: Duration,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Verify(verify::Verify),
}

impl Backup {
    pub fn typed(&self) -> Typed<'_> {
        match &self.verb {
            Some(Verb::Verify(args)) => args.typed(),
            None => self.shelved.typed(),
        }
    }
}

pub async fn run(boot: &Boot, args: Backup) -> Outcome {
    if let Some(Verb::Verify(args)) = args.verb {
        return verify::run(boot, args).await;
    }
    let shelf = args.shelved.find(boot).await?;
    if boot.settings.dry_run {
        boot.ui.talk(&format!("would back up {} to {}", shelf.vault.of(), shelf.vault.place()));
        return Ok(ExitCode::SUCCESS);
    }
    let interrupt = Interrupt::listen(&boot.ui);
    let manifest =
        make(boot, &shelf, Reason::Manual(args.reason), Alone::Yes { patience: args.wait }, &interrupt).await?;
    if boot.ui.json {
        boot.ui.json_document(&Told::of(&manifest, shelf.vault.place()))?;
    } else {
        boot.ui.data(manifest.id.as_str())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes one, telling how far it is.
///
/// # Errors
/// Whatever keeps it from being one.
pub async fn make(
    boot: &Boot,
    shelf: &Shelf,
    reason: Reason,
    alone: Alone,
    interrupt: &Interrupt,
) -> Result<Manifest, Problem> {
    let reached = shelf.found.reach(boot).await?;
    let image = shelf.found.declared.as_ref().and_then(|entry| entry.database.image.clone());
    let docker = boot.docker().await?;
    let source = Source::open(&docker, reached, image.as_deref(), shelf.vault.of()).await?;
    let order = Order {
        stack: shelf.stack.clone(),
        env: shelf.env.clone(),
        database: shelf.name.clone(),
        reason,
        made_by: env!("CARGO_PKG_VERSION").to_owned(),
        alone,
    };
    let meter = Meter::new(&boot.ui);
    let told = |event: BackupEvent| tell(&meter, event);
    let made = back_up(&source, &shelf.vault, &order, interrupt.token(), &told).await;
    drop(meter);
    source.give_back().await;
    // A person who asks for one sees that it fails; only a good one changes what is wrong.
    let manifest = made?;
    remember(boot, shelf).await;
    say(&boot.ui, &manifest, shelf.vault.place());
    Ok(manifest)
}

fn tell(meter: &Meter, event: BackupEvent) {
    match event {
        BackupEvent::Waiting { holder } => meter.say(&format!("waiting for {holder}")),
        BackupEvent::Swept { ids } => {
            meter.say(&format!("cleared away what {} had left", count(ids.len(), "broken-off attempt")));
        }
        BackupEvent::Began { .. } => {}
        BackupEvent::Dumped { bytes } => {
            meter.set(|| format!("dumped {}, {}", size(bytes), rate(bytes, meter.elapsed())));
        }
        BackupEvent::Digested { tables, of } => meter.set(|| format!("read {tables} of {}", count(of, "table"))),
        BackupEvent::ReadBack { bytes, of } => meter.set(|| format!("read back {} of {}", size(bytes), size(of))),
    }
}

fn say(ui: &Ui, manifest: &Manifest, place: &str) {
    let rows: u64 = manifest.contents.tables.values().filter_map(|table| Some(table.digest.as_ref()?.rows)).sum();
    ui.talk(&format!(
        "✔ {} backed up to {place} in {}: {} in {}, {} stored",
        manifest.of(),
        took(manifest.durations.total_ms),
        count(usize::try_from(rows).unwrap_or(usize::MAX), "row"),
        count(manifest.contents.tables.len(), "table"),
        size(manifest.stored.bytes)
    ));
}

/// As `--json` gives it.
#[derive(Serialize)]
struct Told<'m> {
    id: &'m str,
    database: &'m str,
    stack: Option<&'m str>,
    reason: String,
    place: &'m str,
    snapshot_at: &'m str,
    bytes: u64,
    sha256: &'m str,
    plain_bytes: u64,
    plain_sha256: &'m str,
    compression: String,
    recipients: &'m [String],
    tables: usize,
    server: &'m str,
    durations: &'m mainstay_model::postgres::backup::Durations,
}

impl<'m> Told<'m> {
    fn of(manifest: &'m Manifest, place: &'m str) -> Told<'m> {
        let stored = &manifest.stored;
        Told {
            id: manifest.id.as_str(),
            database: &manifest.database,
            stack: manifest.stack.as_deref(),
            reason: manifest.reason.to_string(),
            place,
            snapshot_at: &manifest.snapshot_at,
            bytes: stored.bytes,
            sha256: &stored.sha256,
            plain_bytes: stored.plain_bytes,
            plain_sha256: &stored.plain_sha256,
            compression: stored.compression.to_string(),
            recipients: &stored.recipients,
            tables: manifest.contents.tables.len(),
            server: &manifest.contents.server.version,
            durations: &manifest.durations,
        }
    }
}
