//! What of a `db` command belongs to the machine on which it is typed, where it runs on another one.

use std::path::Path;

use super::{Db, Room};

/// What was typed, as far as it matters to where it runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Typed<'a> {
    /// `--database`.
    pub database: Option<&'a str>,
    /// It reads migrations: those of `--dir`, else those that are declared.
    pub reads_migrations: bool,
    pub dir: Option<&'a Path>,
    /// It runs them where nothing is, so what was there before them counts: that of `--before`, else what is declared.
    pub replays: bool,
    pub before: Option<&'a Path>,
    /// `--to`.
    pub to: Option<&'a str>,
    /// A file of this machine that it reads or writes.
    pub file: Option<File>,
    /// A flag that leads to something that the stack's files do not name.
    pub elsewhere: Option<&'static str>,
    /// It changes nothing: no database, no backup, and nothing that is known of them.
    pub only_looks: bool,
}

/// A file of the machine on which the command is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    Identity,
    Expectation,
    WriteExpectation,
}

impl Db {
    pub fn typed(&self) -> Typed<'_> {
        match &self.room {
            Room::Migrate(args) => args.typed(),
            Room::Drift(args) => args.typed(),
            Room::Backup(args) => args.typed(),
            Room::Backups(args) => args.typed(),
            Room::Drill(args) => args.typed(),
            Room::Restore(args) => args.typed(),
            Room::Retention(args) => args.typed(),
            Room::Status(args) => args.typed(),
        }
    }

    /// Why it is for the machine on which it is typed, and what to do instead.
    pub fn stays(&self) -> Option<(&'static str, &'static str)> {
        let typed = self.typed();
        match typed.file {
            Some(File::Identity) => Some((
                "would read the file of `--identity` there, and a key that is kept elsewhere must not travel",
                "leave it out: the host opens with its own key; or run it there, by hand",
            )),
            Some(File::Expectation) => Some((
                "would read the file of `--expectation` there, and it is here",
                "compare with the migrations instead: `mainstay --host URL db drift --check`",
            )),
            Some(File::WriteExpectation) => Some((
                "cannot write a file here from there",
                "write it where the service is built, without `--host`: `DATABASE_URL=postgres://… mainstay db drift \
                 --write-expectation FILE`",
            )),
            None if typed.to.is_some_and(is_folder_here) => Some((
                "would take the folder of `--to` for one there, and it is named as one here",
                "name one of the host by its absolute path, or a bucket: `--to s3://BUCKET/PREFIX`",
            )),
            None => None,
        }
    }
}

/// Whether a place for backups is a folder that is named from where somebody stands.
fn is_folder_here(place: &str) -> bool {
    let path = place.strip_prefix("file://").unwrap_or(place);
    !path.contains("://") && !path.starts_with('/')
}
