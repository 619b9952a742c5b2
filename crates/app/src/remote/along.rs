//! The SQL of this machine that goes with a command: what its Compose files, or its flags, name here.
//!
//! What is named relatively, or lies below the stack's folder, is of this machine and goes along. Any other absolute path is
//! one of the host.

use std::path::{Component, Path, PathBuf};

use mainstay_engine::sources::{Luggage, NotTaken, SqlPaths, Texts};

use super::frames::{SentSql, SqlOf};
use crate::boot::Boot;
use crate::cli::Command;
use crate::cli::db::travel::Typed;
use crate::cli::db::which::DEFAULT_DIR;
use crate::problem::Problem;

/// What goes with a command; `texts` are its Compose files, when those are here.
///
/// # Errors
/// When something that it needs is not here, is too large, or is named by a variable.
pub fn packed(boot: &Boot, command: &Command, texts: Option<&Texts>) -> Result<Vec<SentSql>, Problem> {
    let mut packing = Packing { luggage: Luggage::default(), packed: Vec::new() };
    match (command, texts) {
        (Command::Up(_) | Command::Plan(_), Some(texts)) => packing.for_release(boot, texts)?,
        (Command::Db(args), _) => packing.for_database(&boot.environment.working_directory, &args.typed(), texts)?,
        _ => {}
    }
    Ok(packing.packed)
}

struct Packing {
    luggage: Luggage,
    packed: Vec<SentSql>,
}

impl Packing {
    /// Everything that the files name: from now on they are what the stack's name means on the host. Only what a release
    /// applies has to be here, and comes first.
    fn for_release(&mut self, boot: &Boot, texts: &Texts) -> Result<(), Problem> {
        let (release, others): (Vec<_>, Vec<_>) = texts.databases.iter().partition(|(_, paths)| paths.release);
        for (name, paths) in &release {
            self.declared_dir(texts, name, paths)?;
        }
        for (name, paths) in &others {
            let dir = self.declared_dir(texts, name, paths);
            passed_over(boot, name, dir);
        }
        for (name, paths) in release.into_iter().chain(others) {
            let before = self.declared_before(texts, name, paths);
            passed_over(boot, name, before);
        }
        Ok(())
    }

    fn for_database(&mut self, here: &Path, typed: &Typed<'_>, texts: Option<&Texts>) -> Result<(), Problem> {
        if !typed.reads_migrations {
            return Ok(());
        }
        let all = texts.iter().flat_map(|texts| texts.databases.iter().map(move |one| (*texts, one)));
        let meant: Vec<_> = all.filter(|(_, (name, _))| typed.database.is_none_or(|told| told == *name)).collect();
        let is_declared = meant.iter().any(|(_, (_, paths))| paths.dir.is_some());
        match typed.dir {
            Some(dir) => self.given_dir(here, dir)?,
            None if texts.is_some() && !is_declared => self.given_dir(here, Path::new(DEFAULT_DIR))?,
            None => {
                for (texts, (name, paths)) in &meant {
                    self.declared_dir(texts, name, paths)?;
                }
            }
        }
        match typed.before {
            _ if !typed.replays => {}
            Some(before) => self.given_before(here, before)?,
            None => {
                for (texts, (name, paths)) in &meant {
                    self.declared_before(texts, name, paths)?;
                }
            }
        }
        Ok(())
    }

    fn given_dir(&mut self, here: &Path, dir: &Path) -> Result<(), Problem> {
        let Some(path) = of_this_machine(here, dir) else { return Ok(()) };
        let files = self.luggage.folder(&path).map_err(|error| not_taken(&error, "--dir DIR"))?;
        self.packed.push(SentSql { of: SqlOf::GivenDir, files });
        Ok(())
    }

    fn given_before(&mut self, here: &Path, before: &Path) -> Result<(), Problem> {
        let Some(path) = of_this_machine(here, before) else { return Ok(()) };
        let file = self.luggage.file(&path).map_err(|error| not_taken(&error, "--before FILE"))?;
        self.packed.push(SentSql { of: SqlOf::GivenBefore, files: vec![file] });
        Ok(())
    }

    fn declared_dir(&mut self, texts: &Texts, name: &str, paths: &SqlPaths) -> Result<(), Problem> {
        let Some(written) = &paths.dir else { return Ok(()) };
        let key = format!("x-mainstay.databases.{name}.migrations.dir");
        let Some(path) = declared(texts, &key, written)? else { return Ok(()) };
        let files = self.luggage.folder(&path).map_err(|error| not_taken(&error, &key))?;
        self.packed.push(SentSql { of: SqlOf::Dir(name.to_owned()), files });
        Ok(())
    }

    fn declared_before(&mut self, texts: &Texts, name: &str, paths: &SqlPaths) -> Result<(), Problem> {
        let Some(written) = &paths.before else { return Ok(()) };
        let key = format!("x-mainstay.databases.{name}.drift.before");
        let Some(path) = declared(texts, &key, written)? else { return Ok(()) };
        let file = self.luggage.file(&path).map_err(|error| not_taken(&error, &key))?;
        self.packed.push(SentSql { of: SqlOf::Before(name.to_owned()), files: vec![file] });
        Ok(())
    }
}

/// What no release needs does not keep one from happening.
fn passed_over(boot: &Boot, database: &str, taken: Result<(), Problem>) {
    if let Err(problem) = taken {
        boot.ui.note(&format!("the SQL of `{database}` stays here, and no release needs it: {}", problem.message));
    }
}

/// Where a path of a declaration leads on this machine; `None` for one of the host.
fn declared(texts: &Texts, key: &str, written: &str) -> Result<Option<PathBuf>, Problem> {
    let plain = written.replace("$$", "\0");
    if plain.contains('$') {
        let message = format!("`{key}` is `{written}`: a variable has its value on the host, and the folder is here");
        return Err(Problem::files("variable-in-path", message)
            .hint("write the path without a variable")
            .hint("for a command about its migrations, name it: `mainstay db … --dir DIR`"));
    }
    Ok(of_this_machine(Path::new(&texts.directory), Path::new(&plain.replace('\0', "$"))))
}

/// A path that is relative to a folder, or lies below it.
fn of_this_machine(folder: &Path, path: &Path) -> Option<PathBuf> {
    let leaves = path.components().any(|part| part == Component::ParentDir);
    (path.is_relative() || (path.starts_with(folder) && !leaves)).then(|| folder.join(path))
}

fn not_taken(error: &NotTaken, key: &str) -> Problem {
    let problem = Problem::files("not-taken-along", error.to_string());
    match error {
        NotTaken::Missing { .. } => problem.hint(format!(
            "it goes along from here: name what is here with `{key}`, or by an absolute path one of the host"
        )),
        NotTaken::TooLarge { .. } | NotTaken::TooMany { .. } => problem
            .hint("bring it to the host another way, and name it there by its absolute path")
            .hint("data is better kept out of migrations"),
        NotTaken::LeadsOut { .. } => problem.hint("put the file itself into the folder"),
        NotTaken::Unreadable(_) => problem.hint(format!("name another one with `{key}`")),
    }
}
