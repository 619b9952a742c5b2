//! Hears what changes, and waits until nothing more does: an editor, a checkout, a formatter write many files at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use notify::event::{EventKind, MetadataKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::rules::Rule;
use crate::world::WorldError;

/// So long has to be quiet before what changed is told.
const QUIET: Duration = Duration::from_millis(200);
/// So long at most it is waited for quiet.
const PATIENCE: Duration = Duration::from_secs(3);

/// What changed at once. Sorted, so that a folder comes before what is in it.
pub type Changes = BTreeSet<PathBuf>;

/// Hears until dropped.
pub struct Listener {
    heard: UnboundedReceiver<notify::Result<Event>>,
    _watcher: RecommendedWatcher,
}

impl Listener {
    /// Listens to the paths of these rules from here on.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn listen(rules: &[Rule]) -> Result<Listener, WorldError> {
        let (told, heard) = unbounded_channel();
        let tell = move |event| {
            // Whoever listened has gone.
            let _ = told.send(event);
        };
        let mut watcher = notify::recommended_watcher(tell).map_err(|error| refusal(Path::new("."), error))?;
        for (folder, mode) in places(rules) {
            watcher.watch(&folder, mode).map_err(|error| refusal(&folder, error))?;
        }
        Ok(Listener { heard, _watcher: watcher })
    }

    /// The next changes, when it is quiet again.
    ///
    /// # Errors
    /// When events were lost.
    pub async fn next(&mut self) -> Result<Changes, WorldError> {
        let mut changes = Changes::new();
        while changes.is_empty() {
            let Some(event) = self.heard.recv().await else { return std::future::pending().await };
            gather(&mut changes, event)?;
        }
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            match tokio::time::timeout(QUIET, self.heard.recv()).await {
                Ok(Some(event)) => gather(&mut changes, event)?,
                _ => break,
            }
        }
        Ok(changes)
    }
}

/// A file is heard of by way of its folder, and a folder within another one is heard of with that one.
fn places(rules: &[Rule]) -> Vec<(PathBuf, RecursiveMode)> {
    let folders: BTreeSet<&Path> = rules.iter().filter(|rule| rule.is_folder).map(|rule| rule.path.as_path()).collect();
    let outer = |path: &Path| folders.iter().any(|other| *other != path && path.starts_with(other));
    let whole = folders.iter().filter(|folder| !outer(folder)).map(|f| (f.to_path_buf(), RecursiveMode::Recursive));
    let files = rules.iter().filter(|rule| !rule.is_folder && !outer(&rule.path));
    let parents: BTreeSet<&Path> = files.filter_map(|rule| rule.path.parent()).collect();
    let parents = parents.into_iter().filter(|parent| !folders.contains(parent));
    whole.chain(parents.map(|parent| (parent.to_owned(), RecursiveMode::NonRecursive))).collect()
}

/// That something was read changes nothing.
fn gather(changes: &mut Changes, event: notify::Result<Event>) -> Result<(), WorldError> {
    let event = event.map_err(|error| refusal(Path::new("."), error))?;
    if event.need_rescan() {
        return Err(WorldError::new("so much changed at once that not all of it was told")
            .hint("`mainstay watch` again brings everything up to date"));
    }
    let is_change = match event.kind {
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Metadata(kind)) => {
            !matches!(kind, MetadataKind::AccessTime | MetadataKind::Ownership | MetadataKind::Extended)
        }
        _ => true,
    };
    if is_change {
        changes.extend(event.paths);
    }
    Ok(())
}

fn refusal(path: &Path, error: notify::Error) -> WorldError {
    let told = WorldError::new(format!("`{}` cannot be watched", path.display()));
    let told = match error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            told.hint("the system watches no more files: `sudo sysctl fs.inotify.max_user_watches=524288`")
        }
        _ => told,
    };
    told.caused_by(error)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mainstay_model::declared::watch::{Watch, WatchAction};

    use super::*;

    fn rule(path: &Path, is_folder: bool) -> Rule {
        let watch = Watch {
            path: path.display().to_string(),
            action: WatchAction::Restart,
            target: None,
            ignore: Vec::new(),
            include: Vec::new(),
            initial_sync: false,
            exec: None,
        };
        Rule::for_test(watch, is_folder, None)
    }

    #[test]
    fn what_is_within_another_is_heard_of_with_it() {
        let rules = [
            rule(Path::new("/a/src"), true),
            rule(Path::new("/a/src/deep"), true),
            rule(Path::new("/a/src/x"), false),
            rule(Path::new("/a/y"), false),
        ];
        let places: BTreeMap<PathBuf, RecursiveMode> = places(&rules).into_iter().collect();
        let expected = [("/a", RecursiveMode::NonRecursive), ("/a/src", RecursiveMode::Recursive)];
        assert_eq!(places, expected.map(|(path, mode)| (PathBuf::from(path), mode)).into());
    }

    #[tokio::test]
    async fn many_writes_are_told_together_and_a_file_that_is_replaced_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = std::fs::canonicalize(folder.path()).unwrap();
        std::fs::write(path.join("one"), "1").unwrap();
        let mut listener = Listener::listen(&[rule(&path, true)]).unwrap();
        std::fs::write(path.join("new"), "2").unwrap();
        std::fs::rename(path.join("new"), path.join("one")).unwrap();
        std::fs::write(path.join("two"), "3").unwrap();
        let changes = tokio::time::timeout(Duration::from_secs(20), listener.next()).await.unwrap().unwrap();
        assert!(changes.contains(&path.join("one")) && changes.contains(&path.join("two")), "{changes:?}");
    }
}
