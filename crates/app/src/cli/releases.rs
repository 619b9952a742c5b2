//! `mainstay releases`

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use mainstay_engine::journal::{Logged, Phase, Release, ReleaseState};
use mainstay_model::identity::{OperationId, ServiceName, StackName};
use mainstay_model::postgres::migration::SchemaLevel;
use serde::Serialize;

use super::chosen;
use super::way_back::{WayBack, short};
use crate::boot::Boot;
use crate::client::Memory;
use crate::problem::{Outcome, Problem};
use crate::ui::since::{time, took};
use crate::ui::{Cell, Table, Tone};

/// List the releases: when, by whom, what changed, what became of each, and whether it can be gone back to.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay releases                          of every stack, the newest first\n  mainstay releases --stack shop --limit 5\n  mainstay releases 7                        all of release 7 of the stack of this folder\n  mainstay releases --json > releases.jsonl  the release log, an object a line (docs/RELEASES.md)\n\nA release is committed whole, or taken back; of one that was taken back the logs of its\ncontainers are kept in the folder `logs` of the state folder. BACK tells whether\n`mainstay rollback --to NUMBER` can go to it, SCHEMA which migration was the last at its end."
)]
pub struct Releases {
    /// Only this one, in full
    #[arg(value_name = "NUMBER")]
    number: Option<u32>,
    /// The newest so many
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 20)]
    limit: u32,
}

impl Releases {
    /// Whether one release is meant, which is one stack's.
    pub fn is_about_one(&self) -> bool {
        self.number.is_some()
    }
}

/// One release as `--json` gives it; docs/RELEASES.md says what each means.
#[derive(Serialize)]
struct Told<'a> {
    stack: &'a StackName,
    number: u32,
    operation: &'a OperationId,
    state: ReleaseState,
    serves: bool,
    actor: &'a str,
    env: Option<&'a str>,
    began: &'a str,
    ended: Option<&'a str>,
    took_ms: Option<i64>,
    phases_ms: &'a BTreeMap<Phase, u64>,
    changes: &'a [String],
    schemas: &'a BTreeMap<String, SchemaLevel>,
    images: &'a BTreeMap<String, String>,
    image_ids: &'a BTreeMap<String, String>,
    promoted: BTreeMap<&'a ServiceName, &'a str>,
    back_to: Option<u32>,
    can_go_back: bool,
    why_not: Option<&'a str>,
    fingerprint: &'a str,
}

/// One release with what is not in the journal.
struct Row<'a> {
    logged: &'a Logged,
    serves: bool,
    /// Why it cannot be gone back to.
    why_not: Option<String>,
}

pub async fn run(boot: &Boot, args: Releases) -> Outcome {
    chosen::state_dir_must_exist(boot)?;
    let stack = stack(boot, args.number).await?;
    let memory = Memory::open(&boot.settings).await?;
    let limit = if args.number.is_some() { u32::MAX } else { args.limit };
    let log = memory.releases(stack.as_ref(), limit).await?;
    let mut serving: BTreeMap<&StackName, Option<u32>> = BTreeMap::new();
    for one in &log {
        if !serving.contains_key(&one.release.stack) {
            let serves = memory.release_that_serves(&one.release.stack).await?;
            let serves = serves.filter(|release| release.down_at.is_none());
            serving.insert(&one.release.stack, serves.map(|release| release.number));
        }
    }
    let shown: Vec<&Logged> =
        log.iter().filter(|one| args.number.is_none_or(|number| one.release.number == number)).collect();
    let way_back = WayBack::of(boot, &shown.iter().map(|one| &one.release).collect::<Vec<_>>()).await;
    let rows = shown.into_iter().map(|logged| {
        let release = &logged.release;
        let serves = serving.get(&release.stack).copied().flatten() == Some(release.number);
        Row { logged, serves, why_not: way_back.stands_in_the_way(release, serves) }
    });
    let rows: Vec<Row<'_>> = rows.collect();
    if let (Some(number), true) = (args.number, rows.is_empty()) {
        let stack = stack.map(|stack| stack.to_string()).unwrap_or_default();
        return Err(Problem::usage("no-such-release", format!("`{stack}` has no release {number}"))
            .hint("`mainstay releases` lists what there is"));
    }
    if boot.ui.json {
        rows.iter().try_for_each(|row| boot.ui.json_line(&row.told()))?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.number.is_some() {
        rows.iter().try_for_each(|row| boot.ui.data(&row.in_full()))?;
        return Ok(ExitCode::SUCCESS);
    }
    if rows.is_empty() {
        boot.ui.talk("no release was made here yet");
        return Ok(ExitCode::SUCCESS);
    }
    // Most stacks have no migrations.
    let is_migrated = rows.iter().any(|row| !row.logged.release.schemas.is_empty());
    let schema = is_migrated.then_some("SCHEMA");
    let heads = ["STACK", "RELEASE", "WHEN", "TOOK", "STATE", "BACK", "BY"].into_iter().chain(schema);
    let mut table = Table::new(&heads.chain(["CHANGES"]).collect::<Vec<_>>());
    match is_migrated {
        true => table.yields(&["BY", "TOOK"], &["SCHEMA", "CHANGES"]),
        false => table.yields(&["BY", "TOOK"], &["CHANGES"]),
    }
    rows.iter().for_each(|row| table.row(row.cells(is_migrated)));
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))?;
    Ok(ExitCode::SUCCESS)
}

impl Row<'_> {
    fn told(&self) -> Told<'_> {
        let Logged { release, phases_ms } = self.logged;
        Told {
            stack: &release.stack,
            number: release.number,
            operation: &release.operation,
            state: release.state,
            serves: self.serves,
            actor: &release.actor,
            env: release.env.as_deref(),
            began: &release.began,
            ended: release.ended.as_deref(),
            took_ms: took_ms(release),
            phases_ms,
            changes: &release.changes,
            schemas: &release.schemas,
            images: &release.images,
            image_ids: &release.image_ids,
            promoted: release.promoted.iter().map(|(service, one)| (service, one.image.as_str())).collect(),
            back_to: release.back_to,
            can_go_back: self.why_not.is_none(),
            why_not: self.why_not.as_deref(),
            fingerprint: &release.fingerprint,
        }
    }

    fn state(&self) -> (Tone, &'static str) {
        match self.logged.release.state {
            ReleaseState::Committed if self.serves => (Tone::Good, "serves"),
            ReleaseState::Committed => (Tone::Plain, "committed"),
            ReleaseState::Undone => (Tone::Bad, "taken back"),
            ReleaseState::Failed => (Tone::Bad, "failed"),
            ReleaseState::Begun => (Tone::Warn, "not ended"),
        }
    }

    fn cells(&self, with_schema: bool) -> Vec<Cell> {
        let release = &self.logged.release;
        let (tone, state) = self.state();
        let back = match (&self.why_not, release.state) {
            (None, _) => "yes",
            // What became of it says why.
            (Some(_), ReleaseState::Committed) if !self.serves => "no",
            _ => "",
        };
        let mut cells: Vec<Cell> = vec![
            release.stack.to_string().into(),
            release.number.to_string().into(),
            at(&release.began).into(),
            elapsed(release).into(),
            Cell::new(tone, state),
            back.into(),
            release.actor.replace('`', "").into(),
        ];
        if with_schema {
            cells.push(schema(release).into());
        }
        cells.push(release.changes.join("; ").replace('`', "").into());
        cells
    }

    /// A line for each thing that is known of it.
    fn in_full(&self) -> String {
        let Logged { release, phases_ms } = self.logged;
        let mut lines = vec![format!("release {} of `{}`: {}", release.number, release.stack, self.state().1)];
        let mut line = |word: &str, text: String| lines.push(format!("  {word:<12} {text}"));
        line("when", format!("{} UTC", at(&release.began)));
        line("by", release.actor.replace('`', ""));
        if let Some(env) = &release.env {
            line("environment", env.clone());
        }
        line("took", elapsed(release));
        for (phase, ms) in phases_ms {
            line("", format!("{:<12} {}", word(*phase), took(*ms)));
        }
        for (number, change) in release.changes.iter().enumerate() {
            line(if number == 0 { "changes" } else { "" }, change.replace('`', ""));
        }
        for (number, (database, level)) in release.schemas.iter().enumerate() {
            line(if number == 0 { "schema" } else { "" }, format!("{database}: {level}"));
        }
        for (number, (service, image)) in release.images.iter().enumerate() {
            let id = release.image_ids.get(service).map(|id| format!(" ({})", short(id))).unwrap_or_default();
            line(if number == 0 { "images" } else { "" }, format!("{service}: {image}{id}"));
        }
        for (number, (service, promoted)) in release.promoted.iter().enumerate() {
            let pin = promoted.pin.as_ref().map(|pin| format!(" ({})", pin.text())).unwrap_or_default();
            line(if number == 0 { "promoted" } else { "" }, format!("{service}: {}{pin}", promoted.image));
        }
        line("operation", release.operation.to_string());
        line(
            "way back",
            match &self.why_not {
                None => format!("mainstay rollback --stack {} --to {}", release.stack, release.number),
                Some(why) => format!("none: {}", why.replace('`', "")),
            },
        );
        lines.join("\n")
    }
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Materials => "materials",
        Phase::BackUp => "back up",
        Phase::Migrate => "migrate",
        Phase::Start => "start",
        Phase::Proof => "proof",
        Phase::SmokeBefore => "smoke before",
        Phase::Commit => "commit",
        Phase::SmokeAfter => "smoke after",
        Phase::ClearAway => "clear away",
    }
}

/// The last migration of each database; the database's name where there are several.
fn schema(release: &Release) -> String {
    let last = |level: &SchemaLevel| level.last.clone().unwrap_or_else(|| "-".into());
    let each = release.schemas.iter().map(|(name, level)| match release.schemas.len() {
        1 => last(level),
        _ => format!("{name} {}", last(level)),
    });
    each.collect::<Vec<_>>().join(", ")
}

fn at(began: &str) -> String {
    began.get(..19).unwrap_or(began).replace('T', " ")
}

fn elapsed(release: &Release) -> String {
    took_ms(release).and_then(|ms| u64::try_from(ms).ok()).map_or_else(String::new, took)
}

fn took_ms(release: &Release) -> Option<i64> {
    let ended = time(release.ended.as_deref()?)?;
    Some(ended.as_millisecond() - time(&release.began)?.as_millisecond())
}

/// The stack to show. Without `--stack` it is every stack, wherever the command is run; but a number is one stack's.
async fn stack(boot: &Boot, number: Option<u32>) -> Result<Option<StackName>, Problem> {
    let nothing_said = boot.global.stack.is_empty() && boot.global.project_name.is_none();
    match (nothing_said, number) {
        (true, None) => Ok(None),
        (false, None) => chosen::name(boot, "releases").map(Some),
        (_, Some(_)) => chosen::name_and_files(boot, "releases").await.map(|(stack, _)| Some(stack)),
    }
}
