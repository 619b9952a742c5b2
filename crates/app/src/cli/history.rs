//! `mainstay history`

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mainstay_engine::journal::{Entry, EntryKind, HistoryFilter};
use mainstay_model::identity::{OperationId, StackName};

use super::chosen;
use crate::boot::Boot;
use crate::client::Memory;
use crate::problem::{Outcome, Problem};
use crate::ui::{Paint, Tone};

/// How often `--follow` asks for what is new.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// Show what happened: orders, repairs, what others did, and why.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay history                                 the newest 50 entries of every stack\n  mainstay history --stack nocodb --limit 10\n  mainstay history --operation ID --steps          every step of one operation\n  mainstay history --follow --json                 one JSON object a line, as it happens"
)]
pub struct History {
    /// Only what concerns this service
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Only this operation
    #[arg(long, value_name = "ID")]
    operation: Option<String>,
    /// The newest so many entries
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 50)]
    limit: u32,
    /// Go on with what happens from now on
    #[arg(long, short = 'f')]
    follow: bool,
    /// The steps of operations too
    #[arg(long)]
    steps: bool,
}

pub async fn run(boot: &Boot, args: History) -> Outcome {
    let mut filter = HistoryFilter {
        stack: stack(boot)?,
        service: args.service,
        operation: args.operation.map(OperationId),
        after: None,
        limit: Some(args.limit),
        steps: args.steps,
    };
    let memory = Memory::open(&boot.settings).await?;
    let mut entries = memory.history(&filter).await?;
    if entries.is_empty() && !args.follow && !boot.ui.json {
        boot.ui.talk("nothing is recorded");
    }
    loop {
        for entry in &entries {
            tell(boot, entry)?;
        }
        if !args.follow {
            return Ok(ExitCode::SUCCESS);
        }
        filter.after = entries.last().map(|entry| entry.id).or(filter.after).or(Some(0));
        filter.limit = None;
        tokio::time::sleep(FOLLOW_EVERY).await;
        entries = memory.history(&filter).await?;
    }
}

/// The stack to show; without `--stack` it is every stack, wherever the command is run.
fn stack(boot: &Boot) -> Result<Option<StackName>, Problem> {
    let nothing_said = boot.global.stack.is_empty() && boot.global.project_name.is_none();
    if nothing_said { Ok(None) } else { chosen::name(boot, "history").map(Some) }
}

fn tell(boot: &Boot, entry: &Entry) -> Result<(), Problem> {
    if boot.ui.json { boot.ui.json_line(entry) } else { boot.ui.data(&line(entry, boot.ui.out)) }
}

/// `2026-07-01 12:00:00  supabase  repair  attached … (because …)`
fn line(entry: &Entry, paint: Paint) -> String {
    let at = entry.at.get(..19).unwrap_or(&entry.at).replace('T', " ");
    let (tone, kind) = match entry.kind {
        EntryKind::Operation => (Tone::Bold, "operation"),
        EntryKind::Step => (Tone::Dim, "step"),
        EntryKind::Repair => (Tone::Good, "repair"),
        EntryKind::Event => (Tone::Accent, "event"),
        EntryKind::Problem => (Tone::Bad, "problem"),
    };
    let stack = entry.stack.as_ref().map_or("-", |stack| stack.as_str());
    let mut text = format!("{at}  {stack:<12}  {}  {}", paint.paint(tone, &format!("{kind:<9}")), entry.summary);
    if let Some(cause) = &entry.cause {
        text += &paint.paint(Tone::Dim, &format!(" (because {cause})"));
    }
    if let Some(operation) = entry.operation.as_ref().filter(|_| entry.kind == EntryKind::Operation) {
        text += &paint.paint(Tone::Dim, &format!(" [{operation}]"));
    }
    text
}
