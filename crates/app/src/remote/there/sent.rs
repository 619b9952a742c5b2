//! Compose files that came along: they lie in the state folder, and the folder of the stack is not written to.
//!
//! Each set lies in a folder named after its content, so that what an `up` was refused for never takes the place of what
//! the stack was brought up from.

mod sql;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mainstay_engine::journal::KnownStack;
use mainstay_engine::sources::Arrived;
use mainstay_model::identity::StackName;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};

use crate::client::Memory;
use crate::config::Settings;
use crate::problem::Problem;
use crate::remote::carried::{Given, Sent};
use crate::remote::frames::{Begin, SentFiles};

/// No stack has more files.
const MOST_FILES: usize = 500;
/// A set that nobody was brought up from may belong to a command that still runs.
const YOUNG: Duration = Duration::from_secs(24 * 60 * 60);

/// Numbers what this process writes.
static WRITES: AtomicU64 = AtomicU64::new(0);

/// What came with a command, for as long as it runs.
pub(super) struct Laid {
    stack: StackName,
    folder: PathBuf,
    /// Shared by all commands that have the same set.
    held: File,
    pub sent: Option<Sent>,
    pub given: Given,
}

/// Files with their paths below a set's folder.
type Written = Vec<(PathBuf, Vec<u8>)>;

/// The folder of a stack that has none of its own on this machine: there its `.env` belongs.
fn folder_of(settings: &Settings, stack: &StackName) -> PathBuf {
    settings.state_dir.join("stacks").join(stack.as_str())
}

/// Writes down what came along, and says where. `None` when nothing did.
///
/// # Errors
/// When it is not what belongs to a stack, or cannot be written.
pub(super) async fn lay_down(settings: &Settings, begin: &Begin) -> Result<Option<Laid>, Problem> {
    if begin.files.is_none() && begin.sql.is_empty() {
        return Ok(None);
    }
    let stack = stack_of(begin)?;
    begin.files.as_ref().map_or(Ok(()), check)?;
    let (sql, index) = sql::written(&begin.sql)?;
    let mut written: Written = sql;
    for (path, text) in begin.files.iter().flat_map(|files| &files.texts) {
        written.push((path.into(), text.clone().into_bytes()));
    }
    let main = begin.files.as_ref().map(|files| files.main.as_slice()).unwrap_or_default();
    let own = folder_of(settings, &stack);
    let folder = own.join(Arrived::SETS).join(digest(main, &written));
    let held = put(&folder, &written, begin.sql.len()).map_err(|error| {
        Problem::world("not-laid-down", format!("the files could not be written to `{}`", folder.display()))
            .caused_by(&error)
    })?;
    let known = known(settings, &stack).await;
    let directory = known.map(|known| PathBuf::from(known.directory)).filter(|place| place.is_dir()).unwrap_or(own);
    let shown = |path: PathBuf| path.display().to_string();
    let sent = begin.files.as_ref().map(|_| Sent {
        stack: stack.to_string(),
        files: main.iter().map(|path| shown(folder.join(path))).collect(),
        directory: shown(directory),
        folder: shown(folder.clone()),
    });
    let place = |path: String| shown(folder.join(Arrived::FOLDER).join(path));
    let given = Given { dir: index.dir.map(place), before: index.before.map(place) };
    Ok(Some(Laid { stack, folder, held, sent, given }))
}

fn stack_of(begin: &Begin) -> Result<StackName, Problem> {
    match (&begin.files, begin.stacks.as_deref()) {
        (Some(files), _) => Ok(StackName::new(files.stack.as_str())?),
        (None, Some([name])) => Ok(StackName::new(name.as_str())?),
        _ => Err(Problem::usage("one-stack", "SQL goes along for one stack").hint("name one: `--stack NAME`")),
    }
}

impl Laid {
    /// Takes away what no stack was brought up from, and no other command has.
    pub(super) async fn clear(self, settings: &Settings) {
        let known = known(settings, &self.stack).await;
        let used: BTreeSet<String> = known.map(|known| known.files).into_iter().flatten().collect();
        let is_used = |folder: &Path| used.iter().any(|file| Path::new(file).starts_with(folder));
        for folder in fs::read_dir(folder_of(settings, &self.stack).join(Arrived::SETS)).into_iter().flatten().flatten()
        {
            let path = folder.path();
            let age = folder.metadata().and_then(|one| one.modified()).ok().and_then(|at| at.elapsed().ok());
            let is_old = age.is_some_and(|age| age > YOUNG);
            let is_mine = path == self.folder;
            if is_used(&path) || !(is_mine || is_old) {
                continue;
            }
            let held = if is_mine { self.held.try_clone() } else { File::open(&path) };
            // Whoever else has it clears it away.
            if held.is_ok_and(|held| flock(&held, FlockOperation::NonBlockingLockExclusive).is_ok()) {
                let _ = fs::remove_dir_all(path);
            }
        }
    }
}

/// Writes a set into its folder, and holds it. One of the folders of SQL may be empty.
fn put(folder: &Path, written: &Written, sql: usize) -> std::io::Result<File> {
    let held = hold(folder)?;
    for number in 0..sql {
        make(&folder.join(Arrived::FOLDER).join(number.to_string()))?;
    }
    for (path, bytes) in written {
        write(folder, path, bytes)?;
    }
    Ok(held)
}

fn make(folder: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A folder that nobody takes away.
fn hold(folder: &Path) -> std::io::Result<File> {
    loop {
        make(folder)?;
        let held = File::open(folder)?;
        flock(&held, FlockOperation::LockShared)?;
        // Somebody may have taken it away before it was held.
        let mine = held.metadata()?;
        if fs::metadata(folder).is_ok_and(|there| (there.dev(), there.ino()) == (mine.dev(), mine.ino())) {
            return Ok(held);
        }
    }
}

async fn known(settings: &Settings, stack: &StackName) -> Option<KnownStack> {
    let memory = Memory::open(settings).await.ok()?;
    memory.stacks().await.ok()?.into_iter().find(|one| one.stack == *stack)
}

/// Names of files that lead nowhere else, and main files that came along.
fn check(files: &SentFiles) -> Result<(), Problem> {
    let no = |why: String| Err(Problem::usage("bad-request", why));
    if files.texts.is_empty() || files.texts.len() > MOST_FILES || files.main.is_empty() {
        return no("these are not the files of a stack".to_owned());
    }
    for (path, _) in &files.texts {
        let is_below = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if path.is_empty() || path.contains('\0') || !is_below || Path::new(path).starts_with(Arrived::FOLDER) {
            return no(format!("`{path}` is no path below a folder"));
        }
    }
    match files.main.iter().find(|main| !files.texts.iter().any(|(path, _)| path == *main)) {
        Some(missing) => no(format!("`{missing}` did not come along")),
        None => Ok(()),
    }
}

fn digest(main: &[String], written: &Written) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(&(main.len() as u64).to_be_bytes());
    main.iter().for_each(|path| part(path.as_bytes()));
    for (path, bytes) in written {
        part(path.as_os_str().as_encoded_bytes());
        part(bytes);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A file is there whole or not at all: another command may be reading the same set.
fn write(set: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let path = set.join(path);
    if fs::read(&path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    make(path.parent().unwrap_or(set))?;
    let unfinished = set.join(format!(".unfinished-{}-{}", std::process::id(), WRITES.fetch_add(1, Ordering::Relaxed)));
    let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    fs::rename(unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(main: &[&str], texts: &[&str]) -> SentFiles {
        let texts = texts.iter().map(|path| ((*path).to_owned(), "services: {}".to_owned())).collect();
        SentFiles { stack: "shop".to_owned(), main: main.iter().map(|one| (*one).to_owned()).collect(), texts }
    }

    #[test]
    fn no_file_may_lie_outside_its_folder() {
        assert!(check(&files(&["compose.yaml"], &["compose.yaml", "infra/db.yaml"])).is_ok());
        for path in ["../compose.yaml", "/etc/passwd", "a/../../b.yaml", "", "./x.yaml", ".sql/index.json"] {
            assert!(check(&files(&[path], &[path])).is_err(), "{path}");
        }
        assert!(check(&files(&["other.yaml"], &["compose.yaml"])).is_err());
        assert!(check(&files(&[], &[])).is_err());
    }

    #[test]
    fn a_set_must_be_named_after_what_is_in_it() {
        let main = ["a.yaml".to_owned()];
        let of = |text: &str| vec![(PathBuf::from("a.yaml"), text.as_bytes().to_vec())];
        assert_eq!(digest(&main, &of("x")), digest(&main, &of("x")));
        assert_ne!(digest(&main, &of("x")), digest(&main, &of("x\n")));
        assert_ne!(digest(&main, &of("x")), digest(&[], &of("x")));
    }

    #[test]
    fn a_set_must_stay_for_as_long_as_anybody_has_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let set = folder.path().join(".sent/0a1b");
        let written = vec![(PathBuf::from(".sql/0/1.sql"), b"select 1".to_vec())];
        let one = put(&set, &written, 2).expect("written");
        let other = put(&set, &written, 2).expect("written");
        let alone = |held: &File| flock(held, FlockOperation::NonBlockingLockExclusive).is_ok();
        assert!(!alone(&one), "the other one has it");
        drop(one);
        assert!(alone(&other));
        assert!(set.join(".sql/1").is_dir());
        assert_eq!(fs::read(set.join(".sql/0/1.sql")).expect("a file"), b"select 1");
        // One that is taken away meanwhile is made anew.
        let waiting = std::thread::spawn({
            let (set, written) = (set.clone(), written.clone());
            move || put(&set, &written, 2)
        });
        std::thread::sleep(Duration::from_millis(100));
        fs::remove_dir_all(&set).expect("it was there");
        drop(other);
        waiting.join().expect("no panic").expect("written");
        assert_eq!(fs::read(set.join(".sql/0/1.sql")).expect("a file"), b"select 1");
    }
}
