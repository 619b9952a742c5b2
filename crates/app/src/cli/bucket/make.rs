//! `mainstay bucket make`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::bucket::Made;
use serde::Serialize;

use super::which::choose;
use crate::boot::Boot;
use crate::problem::{Kind, Outcome, Problem};

/// Make the buckets that are missing, private, and set what is declared of them.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay bucket make\n  mainstay bucket make artifacts --json\n  mainstay bucket make --dry-run            says what is missing\n\nWhat is there as declared is left alone. It ends with 1 when somebody without keys may list one."
)]
pub struct Make {
    /// The names under `x-mainstay.buckets`; default: all
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    bucket: &'a str,
    is_new: bool,
    cors_set: bool,
    is_public: bool,
}

pub async fn run(boot: &Boot, args: Make) -> Outcome {
    let chosen = choose(boot, &args.names).await?;
    let mut public = Vec::new();
    let mut done = Vec::new();
    for one in &chosen {
        let server = one.server(boot).await?;
        if boot.settings.dry_run {
            let words = if server.is_there().await? { "is there" } else { "would be made" };
            boot.ui.talk(&format!("{}  `{}` {words}", one.name, one.wish.bucket));
            continue;
        }
        let made = server.make(one.wish.cors.as_deref()).await?;
        boot.ui.talk(&format!("✔ {}  {}", one.name, words(&one.wish.bucket, made)));
        if made.is_public {
            public.push(format!("`{}`", one.wish.bucket));
        }
        let Made { is_new, cors_set, is_public } = made;
        done.push((one, Row { name: &one.name, bucket: &one.wish.bucket, is_new, cors_set, is_public }));
    }
    if boot.ui.json {
        let rows: Vec<&Row> = done.iter().map(|(_, row)| row).collect();
        boot.ui.json_document(&rows)?;
    }
    if public.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let message = format!("everybody can list {}, without keys", public.join(", "));
    Err(Problem::new(Kind::Failed, "bucket-public", message)
        .hint("take the public access away at the server: Mainstay does not change who may read what is there"))
}

fn words(bucket: &str, made: Made) -> String {
    match (made.is_new, made.cors_set) {
        (true, true) => format!("made `{bucket}`, with its CORS rules"),
        (true, false) => format!("made `{bucket}`"),
        (false, true) => format!("`{bucket}`: CORS rules set"),
        (false, false) => format!("`{bucket}` is there as declared"),
    }
}
