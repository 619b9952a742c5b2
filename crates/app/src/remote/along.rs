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
    // As it is shown: `./` says nothing.
    (path.is_relative() || (path.starts_with(folder) && !leaves)).then(|| folder.join(path).components().collect())
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

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser as _;

    use super::*;

    /// A folder with two databases, and a command about them.
    fn shop() -> (tempfile::TempDir, Texts) {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in
            [("sql/1.sql", "one"), ("more/2.sql", "two"), ("migrations/3.sql", "three"), ("before.sql", "before")]
        {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let paths = |dir: &str, before: Option<&str>| SqlPaths {
            dir: Some(dir.to_owned()),
            release: true,
            before: before.map(str::to_owned),
        };
        let texts = Texts {
            stack: None,
            main: Vec::new(),
            files: Vec::new(),
            directory: folder.path().display().to_string(),
            databases: [
                ("crm".to_owned(), paths("./sql", Some("before.sql"))),
                ("pms".to_owned(), paths("more", None)),
                ("old".to_owned(), SqlPaths::default()),
            ]
            .into(),
        };
        (folder, texts)
    }

    fn packed_for(line: &str, here: &Path, texts: Option<&Texts>) -> Result<Vec<(SqlOf, Vec<String>)>, Problem> {
        let words = ["mainstay", "db"].into_iter().chain(line.split_whitespace());
        let (_, command) = crate::cli::Cli::try_parse_from(words).expect(line).parts();
        let Command::Db(args) = &command else { panic!("it is `db`") };
        let mut packing = Packing { luggage: Luggage::default(), packed: Vec::new() };
        packing.for_database(here, &args.typed(), texts)?;
        let name = |sent: SentSql| (sent.of, sent.files.into_iter().map(|file| file.name).collect());
        Ok(packing.packed.into_iter().map(name).collect())
    }

    fn one(of: SqlOf, file: &str) -> (SqlOf, Vec<String>) {
        (of, vec![file.to_owned()])
    }

    #[test]
    fn what_a_command_reads_must_go_along_and_nothing_else() {
        let (folder, texts) = shop();
        let crm = || one(SqlOf::Dir("crm".to_owned()), "1.sql");
        let before = || one(SqlOf::Before("crm".to_owned()), "before.sql");
        let given = |file: &str| one(SqlOf::GivenDir, file);
        let more = folder.path().join("more").display().to_string();
        for (line, expected) in [
            ("migrate plan -d crm", vec![crm()]),
            ("migrate apply -d crm", vec![crm()]),
            ("migrate apply", vec![crm(), one(SqlOf::Dir("pms".to_owned()), "2.sql")]),
            ("migrate rehearse -d pms", vec![one(SqlOf::Dir("pms".to_owned()), "2.sql")]),
            ("migrate adopt -d crm --detect", vec![crm(), before()]),
            ("migrate adopt -d crm 1.sql", vec![crm()]),
            ("drift -d crm", vec![crm(), before()]),
            ("drift -d crm --dir more", vec![given("2.sql"), before()]),
            ("drift -d crm --before more/2.sql", vec![crm(), one(SqlOf::GivenBefore, "2.sql")]),
            (&format!("migrate status -d crm --dir {more}"), vec![given("2.sql")]),
            // One of the host.
            ("migrate status -d crm --dir /srv/sql", vec![]),
            // Nothing is declared: what every command takes then.
            ("migrate status -d old", vec![given("3.sql")]),
            ("backup -d crm", vec![]),
            ("backups", vec![]),
            ("drill", vec![]),
            ("status", vec![]),
            ("retention --apply", vec![]),
            ("restore -d crm", vec![]),
        ] {
            assert_eq!(packed_for(line, folder.path(), Some(&texts)).expect(line), expected, "{line}");
        }
        // Where only a name is told, it is what lies there.
        assert_eq!(packed_for("migrate plan", folder.path(), None).expect("packed"), []);
        assert_eq!(packed_for("migrate plan --dir sql", folder.path(), None).expect("packed"), [given("1.sql")]);
    }

    #[test]
    fn what_is_declared_must_be_here_or_named_as_of_the_host() {
        let (folder, mut texts) = shop();
        let mut of = |dir: &str| {
            texts.databases.get_mut("crm").expect("declared").dir = Some(dir.to_owned());
            packed_for("migrate plan -d crm", folder.path(), Some(&texts))
        };
        for (dir, code) in
            [("nowhere", "not-taken-along"), ("${SQL}", "variable-in-path"), ("./$SQL/x", "variable-in-path")]
        {
            let problem = of(dir).expect_err("refused");
            assert!(problem.code == code && !problem.hints.is_empty(), "{dir}: {problem:?}");
        }
        let outside = folder.path().join("../sql").display().to_string();
        for dir in ["/srv/sql", &outside] {
            assert_eq!(of(dir).expect("packed"), [], "{dir} is of the host");
        }
        let inside = folder.path().join("more").display().to_string();
        for dir in [inside.as_str(), "./more", "sql/../more"] {
            assert_eq!(of(dir).expect("packed"), [one(SqlOf::Dir("crm".to_owned()), "2.sql")], "{dir}");
        }
        fs::rename(folder.path().join("more"), folder.path().join("$more")).expect("renamed");
        assert_eq!(of("$$more").expect("packed"), [one(SqlOf::Dir("crm".to_owned()), "2.sql")]);
    }
}
