//! Compose files that came along: they lie in the state folder, and the folder of the stack is not written to.
//!
//! Each set lies in a folder named after its content, so that what an `up` was refused for never takes the place of what
//! the stack was brought up from.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use mainstay_engine::journal::KnownStack;
use mainstay_model::identity::StackName;
use sha2::{Digest as _, Sha256};

use crate::client::Memory;
use crate::config::Settings;
use crate::problem::Problem;
use crate::remote::carried::Sent;
use crate::remote::frames::SentFiles;

/// No stack has more files.
const MOST_FILES: usize = 500;
/// A set that nobody was brought up from may belong to a command that still runs.
const YOUNG: Duration = Duration::from_secs(24 * 60 * 60);

/// The folder of a stack that has none of its own on this machine: there its `.env` belongs.
fn folder_of(settings: &Settings, stack: &StackName) -> PathBuf {
    settings.state_dir.join("stacks").join(stack.as_str())
}

/// Writes the files down, and says where.
///
/// # Errors
/// When they are not the files of a stack, or cannot be written.
pub(super) async fn lay_down(settings: &Settings, files: &SentFiles) -> Result<Sent, Problem> {
    let stack = StackName::new(files.stack.as_str())?;
    check(files)?;
    let known = known(settings, &stack).await;
    let own = folder_of(settings, &stack);
    let folder = own.join(".sent").join(digest(files));
    let trouble = |error: std::io::Error| {
        Problem::world("not-laid-down", format!("the files could not be written to `{}`", folder.display()))
            .caused_by(&error)
    };
    for (path, text) in &files.texts {
        write(&folder.join(path), text).map_err(trouble)?;
    }
    let directory = known.map(|known| PathBuf::from(known.directory)).filter(|place| place.is_dir()).unwrap_or(own);
    let shown = |path: PathBuf| path.display().to_string();
    Ok(Sent {
        stack: stack.to_string(),
        files: files.main.iter().map(|path| shown(folder.join(path))).collect(),
        directory: shown(directory),
        folder: shown(folder),
    })
}

/// Takes away what no stack was brought up from.
pub(super) async fn clear(settings: &Settings, sent: Option<&Sent>) {
    let Some(sent) = sent else { return };
    let Ok(stack) = StackName::new(sent.stack.as_str()) else { return };
    let used: BTreeSet<String> = known(settings, &stack).await.map(|known| known.files).into_iter().flatten().collect();
    let is_used = |folder: &Path| used.iter().any(|file| Path::new(file).starts_with(folder));
    let mine = Path::new(&sent.folder);
    for folder in fs::read_dir(folder_of(settings, &stack).join(".sent")).into_iter().flatten().flatten() {
        let path = folder.path();
        let age = folder.metadata().and_then(|one| one.modified()).ok().and_then(|at| at.elapsed().ok());
        let is_old = age.is_some_and(|age| age > YOUNG);
        if !is_used(&path) && (path == mine || is_old) {
            let _ = fs::remove_dir_all(path);
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
        if path.is_empty() || path.contains('\0') || !is_below {
            return no(format!("`{path}` is no path below a folder"));
        }
    }
    match files.main.iter().find(|main| !files.texts.iter().any(|(path, _)| path == *main)) {
        Some(missing) => no(format!("`{missing}` did not come along")),
        None => Ok(()),
    }
}

fn digest(files: &SentFiles) -> String {
    let mut hash = Sha256::new();
    for part in files.main.iter().chain(files.texts.iter().flat_map(|(path, text)| [path, text])) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    file.sync_all()
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
        for path in ["../compose.yaml", "/etc/passwd", "a/../../b.yaml", "", "./x.yaml"] {
            assert!(check(&files(&[path], &[path])).is_err(), "{path}");
        }
        assert!(check(&files(&["other.yaml"], &["compose.yaml"])).is_err());
        assert!(check(&files(&[], &[])).is_err());
    }

    #[test]
    fn a_set_must_be_named_after_what_is_in_it() {
        let one = files(&["a.yaml"], &["a.yaml"]);
        let mut other = one.clone();
        assert_eq!(digest(&one), digest(&other));
        other.texts[0].1.push('\n');
        assert_ne!(digest(&one), digest(&other));
    }
}
