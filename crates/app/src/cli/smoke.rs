//! `mainstay smoke`

mod lines;
mod ways;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Args;
use mainstay_engine::smoke::{Heard, Patience, Smoke};
use mainstay_engine::sources::Read;
use mainstay_model::identity::StackName;
use mainstay_model::smoke::{Check, Report, Whence};
use serde::Serialize;

use super::{chosen, generated};
use crate::boot::Boot;
use crate::client::Memory;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::show::count;
use lines::Lines;

/// Ask a stack's smoke checks: does each address answer as declared?
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay smoke                          every check of the stack of this folder\n  mainstay smoke api                      the check that is named `api`\n  mainstay smoke supabase.pontea          those with this in their URL\n  mainstay smoke --once --env prod        no second attempts\n  mainstay smoke --edge 10.0.0.7:443      at an edge that is not Mainstay's own\n  mainstay smoke --json | jq '.[] | select(.holds | not)'\n\nA check is asked again until it holds or its `within` is over. Ends with 0 when every check holds, with 1 when one\ndoes not. docs/SMOKE.md says how checks are written."
)]
pub struct SmokeArgs {
    /// Only checks with this name, or with this in their URL; default: all
    #[arg(value_name = "NAME|URL")]
    only: Vec<String>,
    /// Ask each check once and do not wait for it to hold
    #[arg(long)]
    once: bool,
    /// Where the edge listens for HTTPS; default: where the edge of this machine is published
    #[arg(long, value_name = "ADDRESS")]
    edge: Option<String>,
    /// A root certificate to trust besides the system's; default: that of the edge of this machine
    #[arg(long, value_name = "FILE")]
    edge_root: Option<PathBuf>,
}

impl SmokeArgs {
    /// Whether it needs a file of the machine on which it is typed.
    pub fn reads_a_file(&self) -> bool {
        self.edge_root.is_some()
    }

    /// Whether it asks where the declared routes are served, and nowhere else.
    pub fn asks_this_edge(&self) -> bool {
        self.edge.is_none() && self.edge_root.is_none()
    }
}

/// One check, and whose it is.
#[derive(Clone)]
struct Asked {
    stack: StackName,
    check: Check,
}

/// One report as `--json` gives it.
#[derive(Serialize)]
struct Told<'a> {
    stack: &'a StackName,
    #[serde(flatten)]
    report: &'a Report,
}

pub async fn run(boot: &Boot, args: SmokeArgs) -> Outcome {
    boot.refuse_dry_run("smoke")?;
    let reads = reads(boot).await?;
    let mut all = Vec::new();
    let mut names = Vec::new();
    for read in reads {
        names.push(format!("`{}`", read.declared.stack));
        all.extend(checks(boot, read).await?);
    }
    if all.is_empty() {
        let declare = if names.len() == 1 { "declares" } else { "declare" };
        boot.ui.talk(&format!("{} {declare} no smoke checks (docs/SMOKE.md)", names.join(", ")));
        return no_checks(boot, &args);
    }
    let asked = meant(all, &args.only)?;
    let reports = ask(boot, &args, &asked).await?;
    if boot.ui.json {
        let told = asked.iter().zip(&reports).map(|(asked, report)| Told { stack: &asked.stack, report });
        boot.ui.json_document(&told.collect::<Vec<_>>())?;
    }
    match reports.iter().filter(|report| !report.holds).count() {
        0 => {
            let hold = if reports.len() == 1 { "holds" } else { "hold" };
            boot.ui.talk(&format!("{} {hold}", count(reports.len(), "check")));
            Ok(ExitCode::SUCCESS)
        }
        failed => Err(failure(failed, reports.len())),
    }
}

fn failure(failed: usize, all: usize) -> Problem {
    let do_not = if failed == 1 { "does not hold" } else { "do not hold" };
    let problem = Problem::new(Kind::Failed, "smoke-failed", format!("{failed} of {} {do_not}", count(all, "check")));
    problem.hint("`mainstay ps` shows what runs, `mainstay logs SERVICE` what it says")
}

/// Nothing is declared; a check that was named is then a mistake, and data is still data.
fn no_checks(boot: &Boot, args: &SmokeArgs) -> Outcome {
    if let Some(word) = args.only.first() {
        return Err(Problem::usage("no-such-check", format!("there is no check `{word}`")));
    }
    if boot.ui.json {
        boot.ui.json_document(&Vec::<Told<'_>>::new())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The stacks that are meant, as their files declare them.
///
/// # Errors
/// When they are not found or are refused.
pub async fn reads(boot: &Boot) -> Result<Vec<Read>, Problem> {
    let none = std::collections::BTreeSet::new();
    if let Some(reads) = chosen::read_early(boot, &none)? {
        return Ok(reads);
    }
    let known = Memory::open(&boot.settings).await?.stacks().await?;
    chosen::read(boot, &known, &none)
}

/// The checks of a stack, with made-up values in their places.
async fn checks(boot: &Boot, read: Read) -> Result<Vec<Asked>, Problem> {
    if read.declared.smoke.is_empty() {
        return Ok(Vec::new());
    }
    let declared = generated::shown(boot, read).await?.declared;
    let stack = declared.stack;
    Ok(declared.smoke.into_iter().map(|check| Asked { stack: stack.clone(), check }).collect())
}

/// Those that the words mean; every word must mean one.
fn meant(all: Vec<Asked>, words: &[String]) -> Result<Vec<Asked>, Problem> {
    if words.is_empty() {
        return Ok(all);
    }
    // A name means its check alone, also where others have it in their URLs.
    let means = |word: &String, check: &Check| match all.iter().any(|one| one.check.is_named(word)) {
        true => check.is_named(word),
        false => check.has_in_url(word),
    };
    if let Some(word) = words.iter().find(|word| !all.iter().any(|one| means(word, &one.check))) {
        let mut problem = Problem::usage("no-such-check", format!("no check is named `{word}` or has it in its URL"));
        const SHOWN: usize = 8;
        for one in all.iter().take(SHOWN) {
            let name = one.check.name.as_ref().map_or(String::new(), |name| format!("`{name}`: "));
            problem = problem.hint(format!("there is {name}{}", one.check.shown()));
        }
        return Err(problem);
    }
    Ok(all.iter().filter(|one| words.iter().any(|word| means(word, &one.check))).cloned().collect())
}

async fn ask(boot: &Boot, args: &SmokeArgs, asked: &[Asked]) -> Result<Vec<Report>, Problem> {
    let checks: Vec<Check> = asked.iter().map(|one| one.check.clone()).collect();
    let ways = ways::find(boot, args, &checks).await?;
    if ways.edge.is_none() && checks.iter().any(|check| check.from == Whence::Edge) {
        boot.ui.note("no edge runs here (`mainstay edge up` brings it up): what is to be asked at the edge is asked by DNS, as a visitor would");
    }
    let smoke = Smoke::new(ways)?;
    let patience = if args.once { Patience::Once } else { Patience::AsDeclared };
    let lines = Mutex::new(Lines::new(&boot.ui, asked));
    let told = |heard: Heard<'_>| {
        if let Ok(mut lines) = lines.lock() {
            lines.hear(heard);
        }
    };
    let reports = smoke.run(&checks, patience, &told).await;
    lines.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).closed()?;
    Ok(reports)
}
