//! `mainstay history`

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use mainstay_engine::journal::{Entry, EntryKind, HistoryFilter};
use mainstay_model::identity::{OperationId, StackName};

use super::{chosen, recorded};
use crate::boot::Boot;
use crate::client::Memory;
use crate::problem::{Outcome, Problem};
use crate::ui::{Paint, Tone};

/// How long a server takes to end at most.
const LAST_BREATH: Duration = Duration::from_secs(10);

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
    chosen::state_dir_must_exist(boot)?;
    let mut memory = Memory::open(&boot.settings).await?;
    let entries = memory.history(&filter).await?;
    if entries.is_empty() {
        recorded::must_be_known(boot, &memory, &filter).await?;
    }
    if entries.is_empty() && !args.follow && !boot.ui.json {
        boot.ui.talk("nothing is recorded");
    }
    entries.iter().try_for_each(|entry| tell(boot, entry))?;
    if !args.follow {
        return Ok(ExitCode::SUCCESS);
    }
    filter.go_on_after(&entries);
    loop {
        let mut follow = memory.follow(&boot.settings, &filter).await?;
        while let Some(entries) = follow.next().await? {
            entries.iter().try_for_each(|entry| tell(boot, entry))?;
            filter.go_on_after(&entries);
        }
        // The server went away, and the journal is still there.
        memory = after_the_server(boot).await?;
    }
}

/// One that is just ending may take a connection and break it off.
async fn after_the_server(boot: &Boot) -> Result<Memory, Problem> {
    let began = Instant::now();
    loop {
        match Memory::open(&boot.settings).await {
            Err(problem) if problem.code == "server-lost" && began.elapsed() < LAST_BREATH => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            opened => return opened,
        }
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
