//! `mainstay init`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use mainstay_engine::starter::{self, StarterError};
use mainstay_model::starter::{COMPOSE_FILES, Kind, NoStarter, Starter, StarterFile, decide};
use serde::Serialize;

use crate::boot::Boot;
use crate::problem::{Kind as ProblemKind, Outcome, Problem};
use crate::ui::show::count;
use crate::ui::{Tone, ask};

/// Write what an app needs to become a stack: a Compose file, a Dockerfile, workflows to build and promote.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay init                        for the app in this folder\n  mainstay init ./shop --dry-run       show every file, and write none\n  mainstay init --kind static          when there is more than one thing that it could be\n  mainstay init --no-workflows         without GitHub Actions\n  mainstay init --force                also over files that are there\n\nKnown: an existing Dockerfile, Node.js (package.json), Rust (Cargo.toml), Python (pyproject.toml,\nrequirements.txt), a static site (index.html). A file that is there is kept; docs/INIT.md says more."
)]
pub struct Init {
    /// The app's folder
    #[arg(value_name = "FOLDER", default_value = ".", hide_default_value = true)]
    folder: PathBuf,
    /// What the app is: `dockerfile`, `node`, `rust`, `python` or `static`. Default: what is found first, in this order
    #[arg(long, value_enum, value_name = "KIND", hide_possible_values = true)]
    kind: Option<KindArg>,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
    /// No workflows for GitHub Actions
    #[arg(long)]
    no_workflows: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindArg {
    Dockerfile,
    Node,
    Rust,
    Python,
    Static,
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Kind {
        match kind {
            KindArg::Dockerfile => Kind::Dockerfile,
            KindArg::Node => Kind::Node,
            KindArg::Rust => Kind::Rust,
            KindArg::Python => Kind::Python,
            KindArg::Static => Kind::Static,
        }
    }
}

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Fate {
    Write,
    /// It is there and stays.
    Keep,
    Overwrite,
}

/// The answer of `--json`.
#[derive(Serialize)]
struct Told<'a> {
    kind: Kind,
    name: &'a str,
    port: u16,
    files: Vec<ToldFile<'a>>,
    notes: &'a [String],
    written: bool,
}

#[derive(Serialize)]
struct ToldFile<'a> {
    fate: Fate,
    #[serde(flatten)]
    file: &'a StarterFile,
}

pub async fn run(boot: &Boot, args: Init) -> Outcome {
    let folder = boot.environment.working_directory.join(&args.folder);
    if !folder.is_dir() {
        let message = format!("`{}`: there is no such folder", args.folder.display());
        return Err(Problem::usage("no-such-folder", message));
    }
    let mut starter = decide(&starter::look(&folder)?, args.kind.map(Into::into))?;
    if args.no_workflows {
        starter.files.retain(|file| !file.path.starts_with(".github/"));
    }
    let fates: Vec<Fate> = starter.files.iter().map(|file| fate(&folder, file, args.force)).collect();
    show(boot, &starter, &fates, &folder);
    let to_write = fates.iter().filter(|fate| **fate != Fate::Keep).count();
    if boot.settings.dry_run {
        show_contents(boot, &starter, &fates)?;
        return Ok(ExitCode::SUCCESS);
    }
    if to_write == 0 {
        boot.ui.talk("everything is there already; `--force` writes it anew");
    } else {
        consent(boot, to_write)?;
    }
    for (file, fate) in starter.files.iter().zip(&fates).filter(|(_, fate)| **fate != Fate::Keep) {
        starter::write(&folder, file, *fate == Fate::Overwrite)?;
    }
    if boot.ui.json {
        told(boot, &starter, &fates, true)?;
    } else if to_write > 0 {
        boot.ui.talk(&next(&args.folder, &starter));
    }
    Ok(ExitCode::SUCCESS)
}

/// A Compose file under any of its names is the stack's, and another one beside it would hide it.
fn fate(folder: &Path, file: &StarterFile, force: bool) -> Fate {
    let is_there = |name: &str| folder.join(name).symlink_metadata().is_ok();
    if is_there(&file.path) {
        return if force { Fate::Overwrite } else { Fate::Keep };
    }
    let is_compose = file.path == COMPOSE_FILES[0];
    if is_compose && COMPOSE_FILES.iter().any(|name| is_there(name)) { Fate::Keep } else { Fate::Write }
}

fn show(boot: &Boot, starter: &Starter, fates: &[Fate], folder: &Path) {
    let ui = &boot.ui;
    ui.talk(&format!("this is {}; it is taken to listen on {}", starter.what, starter.port));
    let width = starter.files.iter().map(|file| file.path.len()).max().unwrap_or_default();
    for (file, fate) in starter.files.iter().zip(fates) {
        let (tone, word) = match fate {
            Fate::Write => (Tone::Good, "write"),
            Fate::Keep => (Tone::Dim, "keep "),
            Fate::Overwrite => (Tone::Warn, "over "),
        };
        let what = match fate {
            Fate::Keep => kept(folder, file),
            Fate::Write | Fate::Overwrite => file.what.clone(),
        };
        ui.talk(&format!("  {}  {:width$}  {what}", ui.err.paint(tone, word), file.path));
    }
    for note in &starter.notes {
        ui.note(note);
    }
}

fn kept(folder: &Path, file: &StarterFile) -> String {
    let other = COMPOSE_FILES.iter().find(|name| folder.join(name).symlink_metadata().is_ok());
    match other {
        Some(other) if file.path == COMPOSE_FILES[0] && *other != file.path => format!("`{other}` is there"),
        _ => "is there".to_owned(),
    }
}

fn show_contents(boot: &Boot, starter: &Starter, fates: &[Fate]) -> Result<(), Problem> {
    if boot.ui.json {
        return told(boot, starter, fates, false);
    }
    for (file, _) in starter.files.iter().zip(fates).filter(|(_, fate)| **fate != Fate::Keep) {
        boot.ui.data(&boot.ui.out.paint(Tone::Bold, &format!("--- {}", file.path)))?;
        boot.ui.data(&file.content)?;
    }
    Ok(())
}

fn told(boot: &Boot, starter: &Starter, fates: &[Fate], written: bool) -> Result<(), Problem> {
    let files = starter.files.iter().zip(fates).map(|(file, fate)| ToldFile { fate: *fate, file }).collect();
    let Starter { kind, name, port, notes, .. } = starter;
    boot.ui.json_document(&Told { kind: *kind, name, port: *port, files, notes, written })
}

/// Only a person is asked. Without one nothing is lost: what is there is kept.
fn consent(boot: &Boot, to_write: usize) -> Result<(), Problem> {
    if boot.settings.yes || !boot.ui.can_ask() {
        return Ok(());
    }
    if ask::yes_or_no(&boot.ui, &format!("write {}?", count(to_write, "file"))) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::Consent, "not-consented", "nothing was written"))
}

fn next(folder: &Path, starter: &Starter) -> String {
    let place = if folder == Path::new(".") { String::new() } else { format!(" --stack {}", named(folder)) };
    let mut text = format!(
        "\nlook at the files, then:\n  mainstay plan{place}    what `up` would do\n  mainstay up{place}      build and start it"
    );
    if starter.files.iter().any(|file| file.path.ends_with("promote.yaml")) {
        text += "\nfor releases from GitHub: the head of promote.yaml says what it needs (docs/INIT.md)";
    }
    text
}

/// `--stack` takes a folder by its slash.
fn named(folder: &Path) -> String {
    let text = folder.display().to_string();
    if text.contains('/') { text } else { format!("./{text}") }
}

impl From<NoStarter> for Problem {
    fn from(none: NoStarter) -> Problem {
        let problem = Problem::files("no-starter", none.to_string());
        match none {
            NoStarter::NothingKnown => problem
                .hint("go to the app's folder, or name it: `mainstay init FOLDER`")
                .hint("an app of another sort needs a Dockerfile; with one, `mainstay init` writes the rest"),
            NoStarter::Unclear { hint, .. } => problem.hint(hint),
            NoStarter::NotOfKind { .. } => problem.hint("leave `--kind` out to see what it is taken for"),
            NoStarter::Unreadable { .. } => problem,
        }
    }
}

impl From<StarterError> for Problem {
    fn from(error: StarterError) -> Problem {
        let problem = Problem::world("starter", error.to_string());
        match &error {
            StarterError::Unreadable { source, .. } => problem.caused_by(source),
            StarterError::Unwritable { source, .. } => {
                problem.caused_by(source).hint("what was written before it is there; run it again to go on")
            }
        }
    }
}
