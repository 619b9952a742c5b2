//! `mainstay releases`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::KeeperError;
use mainstay_engine::journal::{Reading, Release, ReleaseState};
use mainstay_model::identity::StackName;
use serde::Serialize;

use super::chosen;
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};
use crate::ui::since::{time, took};
use crate::ui::{Cell, Table, Tone};

/// List the releases: when, by whom, what changed, how long each took, and what became of it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay releases                         of every stack, the newest first\n  mainstay releases --stack shop --limit 5\n  mainstay releases --json > releases.jsonl the release log, an object a line\n\nA release is committed whole, or taken back; of one that was taken back the logs of its containers are kept in the\nfolder `logs` of the state folder."
)]
pub struct Releases {
    /// The newest so many
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 20)]
    limit: u32,
}

/// One release as `--json` gives it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    release: &'a Release,
    took_ms: Option<i64>,
    serves: bool,
}

pub async fn run(boot: &Boot, args: Releases) -> Outcome {
    chosen::state_dir_must_exist(boot)?;
    let stack = stack(boot)?;
    let unreadable = |source| Problem::from(KeeperError::Journal { doing: "read", source });
    // The folder's own file, whoever writes to it.
    let reading = Reading::open(&boot.settings.state_dir).map_err(unreadable)?;
    let releases = reading.releases(stack.as_ref(), args.limit).map_err(unreadable)?;
    if boot.ui.json {
        for release in &releases {
            let told = Told { release, took_ms: took_ms(release), serves: serves(release, &releases) };
            boot.ui.json_line(&told)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if releases.is_empty() {
        boot.ui.talk("no release was made here yet");
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["STACK", "RELEASE", "WHEN", "TOOK", "STATE", "BY", "CHANGES"]);
    for release in &releases {
        table.row(row(release, serves(release, &releases)));
    }
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))?;
    Ok(ExitCode::SUCCESS)
}

fn row(release: &Release, serves: bool) -> Vec<Cell> {
    let state = match release.state {
        ReleaseState::Committed if serves => Cell::new(Tone::Good, "serves"),
        ReleaseState::Committed => "committed".into(),
        ReleaseState::Undone => Cell::new(Tone::Bad, "taken back"),
        ReleaseState::Failed => Cell::new(Tone::Bad, "failed"),
        ReleaseState::Begun => Cell::new(Tone::Warn, "under way"),
    };
    let elapsed = took_ms(release).and_then(|ms| u64::try_from(ms).ok()).map_or_else(String::new, took);
    let at = release.began.get(..19).unwrap_or(&release.began).replace('T', " ");
    vec![
        release.stack.to_string().into(),
        release.number.to_string().into(),
        at.into(),
        elapsed.into(),
        state,
        release.actor.replace('`', "").into(),
        release.changes.join("; ").replace('`', "").into(),
    ]
}

/// Whether it is the newest of its stack that was committed.
fn serves(release: &Release, all: &[Release]) -> bool {
    let newest = all.iter().find(|one| one.stack == release.stack && one.state == ReleaseState::Committed);
    newest.is_some_and(|one| one.number == release.number)
}

fn took_ms(release: &Release) -> Option<i64> {
    let ended = time(release.ended.as_deref()?)?;
    Some(ended.as_millisecond() - time(&release.began)?.as_millisecond())
}

/// The stack to show; without `--stack` it is every stack, wherever the command is run.
fn stack(boot: &Boot) -> Result<Option<StackName>, Problem> {
    let nothing_said = boot.global.stack.is_empty() && boot.global.project_name.is_none();
    if nothing_said { Ok(None) } else { chosen::name(boot, "releases").map(Some) }
}
