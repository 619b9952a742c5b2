//! `mainstay bucket backup`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::bucket::{Backed, News};
use mainstay_model::postgres::backup::Reason;
use serde::Serialize;

use super::which::{Chosen, choose};
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::meter::{Meter, rate, size};
use crate::ui::show::count;
use crate::ui::since::took;

/// Back buckets up: what changed since the last backup is read, and every content is stored once.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay bucket backup\n  mainstay bucket backup artifacts --reason 'before the move'\n  mainstay bucket backup --json | jq -r '.[].id'\n\nNothing counts as a backup until its list is written, at the very end. What was deleted in the bucket\nstays in the backups that have it (docs/BUCKETS.md)."
)]
pub struct Backup {
    /// The names under `x-mainstay.buckets`; default: all that declare a `backup`
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Why, for the list of backups
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    id: String,
    objects: usize,
    bytes: u64,
    read: usize,
    read_bytes: u64,
    stored_bytes: u64,
    vanished: usize,
    to: String,
}

pub async fn run(boot: &Boot, args: Backup) -> Outcome {
    boot.refuse_dry_run("bucket backup")?;
    let mut chosen = choose(boot, &args.names).await?;
    if args.names.is_empty() {
        chosen.retain(|one| one.wish.backup.is_some());
        if chosen.is_empty() {
            return Err(Problem::usage("no-backup-declared", "no bucket of this stack declares a `backup`")
                .hint("declare it: `backup: { to: s3://BUCKET/PREFIX }`"));
        }
    }
    let mut rows = Vec::new();
    for one in &chosen {
        let reason = Reason::Manual(args.reason.clone());
        let (backed, to) = back_up(boot, one, reason).await?;
        rows.push(Row {
            name: one.name.clone(),
            id: backed.manifest.id.to_string(),
            objects: backed.manifest.objects.len(),
            bytes: backed.manifest.bytes(),
            read: backed.read,
            read_bytes: backed.read_bytes,
            stored_bytes: backed.stored_bytes,
            vanished: backed.vanished,
            to,
        });
    }
    if boot.ui.json {
        boot.ui.json_document(&rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes one, telling how far it is.
///
/// # Errors
/// When it is not made; nothing counts as a backup then.
pub(super) async fn back_up(boot: &Boot, one: &Chosen, reason: Reason) -> Result<(Backed, String), Problem> {
    let cabinet = one.cabinet(boot)?;
    let bucket = one.objects(boot).await?;
    let _turn = cabinet.turn(&boot.settings.state_dir)?;
    let meter = Meter::new(&boot.ui);
    let told = |news: News| meter.set(|| progress(&one.name, news, &meter));
    let about = (one.declared.stack.as_str(), one.env.as_deref(), one.name.as_str());
    let interrupt = Interrupt::listen(&boot.ui);
    let backed = tokio::select! {
        backed = cabinet.back_up(&bucket, about, reason, told) => backed?,
        () = interrupt.token().cancelled() => {
            return Err(Problem::new(Kind::Interrupted, "interrupted", format!("the backup of {} was broken off", one.of()))
                .hint("nothing counts as a backup; the next one reads again what changed since the last that does"));
        }
    };
    let elapsed = u64::try_from(meter.elapsed().as_millis()).unwrap_or(u64::MAX);
    drop(meter);
    one.remember(boot, &cabinet).await;
    boot.ui.talk(&format!(
        "✔ {}  {}  {}, {}; read {} ({}), stored {}  {}",
        one.name,
        backed.manifest.id,
        count(backed.manifest.objects.len(), "object"),
        size(backed.manifest.bytes()),
        count(backed.read, "object"),
        size(backed.read_bytes),
        size(backed.stored_bytes),
        took(elapsed)
    ));
    if backed.vanished > 0 {
        boot.ui.note(&format!("{} went while the backup was made", count(backed.vanished, "object")));
    }
    Ok((backed, cabinet.place().to_owned()))
}

fn progress(name: &str, news: News, meter: &Meter) -> String {
    format!(
        "{name}: {} of {}, {} of {}, {}",
        news.objects,
        count(news.of_objects, "object"),
        size(news.bytes),
        size(news.of_bytes),
        rate(news.bytes, meter.elapsed())
    )
}
