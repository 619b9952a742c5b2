//! Which commands go to another machine, and what of this one they take along.

use std::collections::BTreeMap;

use mainstay_engine::sources;
use mainstay_model::compose::LoadOptions;

use super::along;
use super::frames::{Begin, LARGEST_FRAME, SentFiles, TerminalFacts};
use crate::boot::Boot;
use crate::cli::db::{self, found::named_by_variable};
use crate::cli::{Command, chosen};
use crate::problem::Problem;
use crate::ui::terminal;

/// How a command travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is about the whole machine.
    Alone,
    /// With the names of the stacks that are meant; `optional`: where none is named, all are.
    WithNames { optional: bool },
    /// With the Compose files that are here; where a stack is only named, with its name, and the files are those there.
    WithFiles,
    /// Not at all. With `MAINSTAY_HOST` in the environment those that are for this machine run here.
    Stays { why: &'static str, hint: &'static str },
}

/// How each command travels: a new one has to be thought about.
pub fn way(command: &Command) -> Way {
    const NAMES: Way = Way::WithNames { optional: false };
    const WATCHES: Way = Way::Stays {
        why: "follows files of this machine into containers of this machine",
        hint: "there, it is a release: `mainstay --host URL up`, or `promote`",
    };
    match command {
        Command::Up(args) if args.watch => WATCHES,
        Command::Watch(_) => WATCHES,
        Command::Up(_) | Command::Config(_) => match command {
            Command::Config(args) if args.writes_a_file() => Way::Stays {
                why: "cannot write a file here from there",
                hint: "leave out `--output`: `… config > FILE`",
            },
            Command::Config(args) if args.shows_values() => {
                Way::Stays { why: "would show values, which stay on their host", hint: "run it there, by hand" }
            }
            _ => Way::WithFiles,
        },
        Command::Plan(args) if args.is_about_names() => NAMES,
        Command::Plan(_) => Way::WithFiles,
        Command::Ps(args) if args.is_about_all() => Way::Alone,
        Command::Down(_)
        | Command::Start(_)
        | Command::Stop(_)
        | Command::Restart(_)
        | Command::Ps(_)
        | Command::Logs(_)
        | Command::Exec(_)
        | Command::Rollback(_)
        | Command::Promote(_) => NAMES,
        Command::Smoke(args) if args.reads_a_file() => Way::Stays {
            why: "would read the file of `--edge-root` there, and it is here",
            hint: "leave it out: the edge's own certificate is known there",
        },
        Command::Smoke(_) => NAMES,
        Command::History(_) => Way::WithNames { optional: true },
        Command::Releases(args) => Way::WithNames { optional: !args.is_about_one() },
        Command::Secret(args) => match args.stays() {
            Some((why, hint)) => Way::Stays { why, hint },
            // What the files ask of a secret is known before the stack is.
            None => Way::WithFiles,
        },
        Command::Edge(args) if args.changes_this_machine() => Way::Stays {
            why: "is for the machine that trusts",
            hint: "print the certificate and import it here: `mainstay --host URL edge certificate`",
        },
        Command::Edge(_) | Command::Stacks(_) | Command::Version(_) | Command::Token(_) => Way::Alone,
        Command::Serve(_) => {
            Way::Stays { why: "starts a server where it is run", hint: "start it there, as a service (docs/REMOTE.md)" }
        }
        Command::Bridge(_) => Way::Stays { why: "is the other end of `--host`", hint: "leave it out" },
        Command::Bucket(_) => Way::WithFiles,
        Command::Db(args) => match args.stays() {
            Some((why, hint)) => Way::Stays { why, hint },
            None => Way::WithFiles,
        },
        Command::Init(_) => {
            Way::Stays { why: "writes files into a folder of this machine", hint: "leave out `--host`" }
        }
        Command::Completions(_) => Way::Stays { why: "is for the shell of this machine", hint: "leave out `--host`" },
    }
}

/// Those that are meant for this machine also where `MAINSTAY_HOST` is set.
pub fn is_for_here(command: &Command) -> bool {
    matches!(
        command,
        Command::Serve(_) | Command::Bridge(_) | Command::Init(_) | Command::Watch(_) | Command::Completions(_)
    )
}

/// Everything that goes with a command.
///
/// # Errors
/// When it stays, or it is not clear which stack is meant.
pub fn packed(boot: &Boot, command: &Command, args: Vec<String>) -> Result<Begin, Problem> {
    let mut begin = Begin {
        args,
        by: format!("{}@{}", boot.environment.user(), machine()),
        terminal: terminal_of(boot),
        variables: variables(boot, command),
        ..Begin::default()
    };
    refuse_flags(boot)?;
    refuse_variables(boot, command)?;
    match way(command) {
        Way::Stays { why, hint } => {
            let message = format!("`mainstay {}` {why}, so it does not go with `--host`", command.name());
            return Err(Problem::usage("stays-here", message).hint(hint));
        }
        Way::Alone => begin.stacks = Some(Vec::new()),
        Way::WithNames { optional: true } if nothing_said(boot) => begin.stacks = Some(Vec::new()),
        Way::WithNames { .. } => begin.stacks = Some(chosen::names_here(boot)?),
        Way::WithFiles => match chosen::files_here(boot, LoadOptions::default())? {
            Some(find) => {
                let texts = sources::texts(&find)?;
                begin.sql = along::packed(boot, command, Some(&texts))?;
                begin.files = Some(files(texts)?);
            }
            None => {
                begin.stacks = Some(chosen::names_here(boot)?);
                begin.sql = along::packed(boot, command, None)?;
            }
        },
    }
    if begin.fits() { Ok(begin) } else { Err(too_large()) }
}

fn too_large() -> Problem {
    let message = format!("what goes along with this command is larger than {} MiB", LARGEST_FRAME >> 20);
    Problem::files("too-large-to-travel", message)
        .hint("bring the files to the host another way, and run the command there")
}

fn nothing_said(boot: &Boot) -> bool {
    boot.global.stack.is_empty() && boot.global.project_name.is_none()
}

fn files(texts: sources::Texts) -> Result<SentFiles, Problem> {
    let Some(stack) = texts.stack else {
        return Err(
            Problem::files("no-name", "the Compose files do not tell the name of the stack").hint("say it: `-p NAME`")
        );
    };
    Ok(SentFiles { stack: stack.to_string(), main: texts.main, texts: texts.files })
}

/// Values stay on the host.
fn refuse_flags(boot: &Boot) -> Result<(), Problem> {
    if boot.global.env_file.is_empty() {
        return Ok(());
    }
    Err(Problem::usage("stays-here", "`--env-file` does not go with `--host`: values stay on the host")
        .hint("put them into `.env` in the stack's folder there, or keep them: `mainstay --host URL secret set NAME`"))
}

/// A database that is named by a variable is one that this machine reaches, and never the one that the host has.
fn refuse_variables(boot: &Boot, command: &Command) -> Result<(), Problem> {
    let Command::Db(args) = command else { return Ok(()) };
    let Some(name) = named_by_variable(boot).filter(|_| args.typed().database.is_none()) else { return Ok(()) };
    let message = format!("`{name}` names a database here, and with `--host` the command is about one of the host");
    Err(Problem::usage("stays-here", message)
        .hint("name the one that the stack declares: `--database NAME`")
        .hint("for the one of the variable, leave out `--host` and MAINSTAY_HOST"))
}

/// The variables of this side that a command may take along.
pub fn may_come_along(command: &Command) -> Vec<String> {
    match command {
        Command::Exec(args) => args.variables_from_here(),
        // A yes to what the command shows; what it may do at all is said by its scope.
        Command::Db(_) | Command::Up(_) | Command::Promote(_) | Command::Rollback(_) => {
            db::CONSENTS.map(str::to_owned).to_vec()
        }
        _ => Vec::new(),
    }
}

fn variables(boot: &Boot, command: &Command) -> BTreeMap<String, String> {
    // One that is empty is set all the same.
    let known = |name: String| boot.environment.variables.get(&name).cloned().map(|value| (name, value));
    may_come_along(command).into_iter().filter_map(known).collect()
}

/// A terminal goes along where all three streams are one.
pub fn has_terminal(boot: &Boot) -> bool {
    use std::io::IsTerminal as _;
    boot.ui.in_is_terminal && boot.ui.out_is_terminal && std::io::stderr().is_terminal()
}

fn terminal_of(boot: &Boot) -> Option<TerminalFacts> {
    if !has_terminal(boot) {
        return None;
    }
    let (columns, rows) = terminal::size().unwrap_or((80, 24));
    let kind = boot.environment.get("TERM").map(str::to_owned);
    Some(TerminalFacts { kind, columns, rows, no_color: boot.environment.get("NO_COLOR").is_some() })
}

fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser as _};

    /// Every command of the program, with what it needs to be a whole command line.
    const LINES: &[(&str, &str, &str)] = &[
        ("up", "", "files"),
        ("plan", "", "files"),
        ("down", "", "names"),
        ("start", "", "names"),
        ("stop", "", "names"),
        ("restart", "", "names"),
        ("ps", "", "names"),
        ("logs", "", "names"),
        ("exec", "web true", "names"),
        ("edge", "status", "alone"),
        ("smoke", "", "names"),
        ("history", "", "names or none"),
        ("releases", "", "names or none"),
        ("rollback", "", "names"),
        ("promote", "--tag 1", "names"),
        ("stacks", "", "alone"),
        ("config", "", "files"),
        ("secret", "ls", "files"),
        ("token", "ls", "alone"),
        ("serve", "", "stays"),
        ("bridge", "", "stays"),
        ("init", "", "stays"),
        ("db", "migrate status", "files"),
        ("bucket", "ls", "files"),
        ("watch", "", "stays"),
        ("version", "", "alone"),
        ("completions", "bash", "stays"),
    ];

    fn told(line: &str) -> &'static str {
        let words = std::iter::once("mainstay").chain(line.split_whitespace());
        let (_, command) = crate::cli::Cli::try_parse_from(words).expect(line).parts();
        match way(&command) {
            Way::Alone => "alone",
            Way::WithNames { optional: false } => "names",
            Way::WithNames { optional: true } => "names or none",
            Way::WithFiles => "files",
            Way::Stays { why, hint } => {
                assert!(!why.is_empty() && !hint.is_empty());
                "stays"
            }
        }
    }

    #[test]
    fn every_command_must_have_a_way() {
        let all: Vec<String> =
            crate::cli::Cli::command().get_subcommands().map(|one| one.get_name().to_owned()).collect();
        let listed: Vec<&str> = LINES.iter().map(|(name, _, _)| *name).collect();
        for name in &all {
            assert!(listed.contains(&name.as_str()), "how does `{name}` travel?");
        }
        for (name, rest, way) in LINES {
            assert_eq!(told(&format!("{name} {rest}")), *way, "{name}");
        }
    }

    #[test]
    fn what_would_read_or_write_here_must_stay() {
        for line in [
            "config --output x.yaml",
            "config --reveal",
            "config --environment",
            "smoke --edge-root root.pem",
            "secret kit kit.txt",
            "secret restore-kit kit.txt",
            "secret set KEY --from-file key.pem",
            "edge trust",
            "up --watch",
            "db backups --identity key.txt",
            "db backup verify --identity key.txt",
            "db drill --identity /root/key.txt",
            "db restore --identity key.txt",
            "db migrate rehearse --identity key.txt",
            "db drift --expectation schema.json",
            "db drift --write-expectation schema.json",
            "db backup --to ./backups",
            "db restore --to file://backups",
            "db migrate rehearse --to backups",
        ] {
            assert_eq!(told(line), "stays", "{line}");
        }
        assert_eq!(told("plan down"), "names");
        assert_eq!(told("ps --all"), "alone");
        assert_eq!(told("releases 7"), "names");
        for line in [
            "db status",
            "db backups --to s3://backups/crm",
            "db backup --to /srv/backups",
            "db backup verify",
            "db drill",
            "db retention --apply",
            "db restore --table public.guests",
            "db drift --before before.sql",
            "db migrate plan --dir ./sql",
            "db migrate apply",
            "db migrate rehearse",
            "db migrate adopt --detect",
            "db migrate accept 1.sql --reason x",
        ] {
            assert_eq!(told(line), "files", "{line}");
        }
    }
}
