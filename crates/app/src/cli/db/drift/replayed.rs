//! What the files make, beside what is there: for every command that compares the two.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use mainstay_engine::Progress;
use mainstay_engine::pg::{PgError, ReplayEvent, ScratchError, Sides, Wanted, Ways, major, sides};
use mainstay_model::declared::{DriftRules, ScratchWish};
use mainstay_model::postgres::migration::{MigrationFile, MigrationSet, Refusal};
use mainstay_model::postgres::schema::{Ignore, Judged};

use super::super::migrate::refused;
use super::super::travel::Typed;
use super::super::which::{Chosen, files};
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::cli::sent;
use crate::problem::{Kind, Problem};
use crate::ui::show::count;

/// Commands of `psql` that `pg_dump` puts around a dump, and that say nothing of a schema.
const AROUND_A_DUMP: &[&str] = &["\\restrict ", "\\unrestrict "];

/// Where files are run, and what is compared.
#[derive(Debug, Args)]
pub struct Scratching {
    /// Run the files in a container of this image, or, with `server`, in a database of its own on the server; default: as declared,
    /// else the image that the database runs in, else postgres of its version
    #[arg(long, value_name = "IMAGE|server")]
    scratch: Option<String>,
    /// A file of SQL that makes what was there before the first migration, such as a `pg_dump --schema-only`
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// Pass over what this names, with its parts: `public.old_*`; may be repeated
    #[arg(long, value_name = "PATTERN")]
    ignore: Vec<String>,
    /// A schema that is judged; may be repeated. Default: as declared, else those that the files touch
    #[arg(long, value_name = "NAME")]
    schema: Vec<String>,
    /// Whose privileges are compared; default: the role that connects
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
}

impl Scratching {
    /// With what these flags add.
    pub fn typed<'a>(&'a self, typed: Typed<'a>) -> Typed<'a> {
        let flags = [
            (self.scratch.is_some(), "--scratch"),
            (self.before.is_some(), "--before"),
            (self.role.is_some(), "--role"),
        ];
        let elsewhere = flags.into_iter().find_map(|(is_given, flag)| is_given.then_some(flag));
        let before = self.before.as_deref();
        Typed { replays: true, before, elsewhere: typed.elsewhere.or(elsewhere), ..typed }
    }
}

/// Both sides, and what of them is judged.
pub struct Replayed {
    pub sides: Sides,
    pub judged: Judged,
    pub set: MigrationSet,
}

impl Replayed {
    /// Runs the files on a scratch database, which is gone afterwards, and looks at the real one.
    ///
    /// # Errors
    /// When the files cannot be run, or a side cannot be seen.
    pub async fn of(boot: &Boot, chosen: &Chosen, args: &Scratching) -> Result<Replayed, Problem> {
        let read = files(&chosen.dir)?;
        let set = MigrationSet::read(read.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
        let faults: Vec<Refusal> = set.faulty.values().flatten().cloned().map(Refusal::Fault).collect();
        if !faults.is_empty() {
            return Err(refused(&faults));
        }
        let declared = chosen.found.declared.as_ref().map(|entry| &entry.database);
        let rules = declared.and_then(|database| database.drift.clone()).unwrap_or_default();
        let before = before(boot, args, &rules)?;
        let ways = ways(boot, chosen, args, &rules).await?;
        let wanted = Wanted { set: &set, ledger: &chosen.ledger, before: before.as_ref(), role: args.role.as_deref() };
        let interrupt = Interrupt::listen(&boot.ui);
        let told = |event: ReplayEvent| {
            if let ReplayEvent::Ready = event {
                boot.ui.talk(&format!(
                    "running {} on a scratch database {}",
                    count(set.files.len(), "file"),
                    place(&ways)
                ));
            }
        };
        let server = chosen.server.to_look_at();
        let both = sides(&server, &ways, &wanted, interrupt.token(), told).await;
        let sides = both.map_err(|error| veiled(boot, not_replayed(error, before.is_some())))?;
        let judged = judged(chosen, args, &rules, &sides);
        Ok(Replayed { sides, judged, set })
    }
}

fn judged(chosen: &Chosen, args: &Scratching, rules: &DriftRules, sides: &Sides) -> Judged {
    let named: BTreeSet<String> = match (args.schema.as_slice(), rules.schemas.as_slice()) {
        ([], []) => sides.replay.schemas(),
        ([], declared) => declared.iter().cloned().collect(),
        (asked, _) => asked.iter().cloned().collect(),
    };
    let patterns = rules.ignore.iter().chain(&args.ignore).map(String::as_str);
    Judged { schemas: named, ignore: Ignore::new(patterns).and_ledger(&chosen.ledger) }
}

async fn ways(boot: &Boot, chosen: &Chosen, args: &Scratching, rules: &DriftRules) -> Result<Ways, Problem> {
    let wish = match args.scratch.as_deref() {
        Some("server") => Some(ScratchWish::Server),
        Some(image) => Some(ScratchWish::Image(image.to_owned())),
        None => rules.scratch.clone(),
    };
    let image = match wish {
        Some(ScratchWish::Server) => return Ok(Ways::OnServer),
        Some(ScratchWish::Image(image)) => image,
        None => match chosen.found.reach(boot).await?.container {
            Some(inside) => {
                return Ok(Ways::Like { docker: Box::new(boot.docker().await?), container: inside.container });
            }
            None => {
                let declared = chosen.found.declared.as_ref().and_then(|entry| entry.database.image.clone());
                match declared {
                    Some(image) => image,
                    None => format!("postgres:{}", major(&chosen.server.to_look_at()).await?),
                }
            }
        },
    };
    let docker = boot.docker().await.map_err(|problem| {
        problem.hint("or run the files in a database of its own on the server: `--scratch server`")
    })?;
    let ui = boot.ui.clone();
    let progress = Progress::new(move |told| {
        if let mainstay_engine::Told::Line(line) = told {
            ui.talk(&line);
        }
    });
    docker.have(&image, &progress).await?;
    Ok(Ways::Image { docker: Box::new(docker), image })
}

fn place(ways: &Ways) -> String {
    match ways {
        Ways::OnServer => "on the server".to_owned(),
        Ways::Like { .. } => "in a container like its own, without a network".to_owned(),
        Ways::Image { image, .. } => format!("in a container of {image}, without a network"),
    }
}

fn before(boot: &Boot, args: &Scratching, rules: &DriftRules) -> Result<Option<MigrationFile>, Problem> {
    let path = match (sent::before(boot), &args.before, &rules.before) {
        (Some(path), ..) => path,
        (None, Some(path), _) => sent::here(boot, "--before", path)?,
        (None, None, Some(path)) => PathBuf::from(path),
        (None, None, None) => return Ok(None),
    };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Problem::files("no-such-file", format!("`{}` could not be read", path.display())).caused_by(&error)
    })?;
    let is_said = |line: &&str| !AROUND_A_DUMP.iter().any(|words| line.starts_with(words));
    let text: String = text.split_inclusive('\n').filter(is_said).collect();
    let file = MigrationFile::read(&shown(&path), text.as_bytes());
    file.map(Some).map_err(|faults| refused(&faults.into_iter().map(Refusal::Fault).collect::<Vec<_>>()))
}

fn shown(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Files of the host may have in them what whoever may only look is not to see, such as the password of a role.
fn veiled(boot: &Boot, mut problem: Problem) -> Problem {
    if !sent::is_of_the_host(boot) || problem.exhibit.take().is_none() {
        return problem;
    }
    problem.hint("the statement is shown where the files are: run it there, by hand, or send the files along")
}

fn not_replayed(error: ScratchError, has_before: bool) -> Problem {
    match error {
        ScratchError::World(error) => error.into(),
        ScratchError::Interrupted => {
            Problem::new(Kind::Interrupted, "interrupted", "nothing was compared; the scratch database is gone")
        }
        ScratchError::Pg(error) => {
            let is_statement = matches!(error, PgError::Statement(_));
            // duplicate_table, duplicate_object, duplicate_schema, duplicate_function
            let is_there = matches!(&error, PgError::Statement(told)
                if ["42P07", "42710", "42P06", "42723"].contains(&told.sqlstate.as_str()));
            let mut problem = Problem::from(error);
            if is_statement {
                problem.kind = Kind::Files;
                problem.code = "replay".into();
                problem.message = format!("the files do not run on an empty database: {}", problem.message);
                problem.hints.clear();
                let hint = if has_before && is_there {
                    "what the image makes at its first start (`/docker-entrypoint-initdb.d`) is there already: leave \
                     `before` out where it says the same"
                } else if has_before {
                    "`before` lacks something that the files want to be there"
                } else {
                    "when something was there before the first file, say so: `--before FILE`, or `drift: { before: FILE }`; \
                     `pg_dump --schema-only --no-owner` of that time writes such a file"
                };
                problem.hints.push(hint.to_owned());
            }
            problem
        }
    }
}
