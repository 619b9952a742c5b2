//! What changed paths ask for, by the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mainstay_model::declared::watch::{Hook, WatchAction};
use mainstay_model::identity::ServiceName;

use super::rules::Rule;

/// A path here and where it belongs in a container. What is not here any more goes there too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    pub from: PathBuf,
    pub to: String,
}

/// What is to be done, service by service: whoever is rebuilt needs nothing else.
#[derive(Debug, Default, PartialEq)]
pub struct Work {
    pub rebuild: BTreeMap<ServiceName, BTreeSet<PathBuf>>,
    pub sync: BTreeMap<ServiceName, BTreeSet<Move>>,
    pub restart: BTreeMap<ServiceName, BTreeSet<PathBuf>>,
    pub exec: Vec<(ServiceName, Hook)>,
}

impl Work {
    pub fn is_empty(&self) -> bool {
        self == &Work::default()
    }
}

/// What these changed paths ask for.
pub fn work_of(rules: &[Rule], changed: &BTreeSet<PathBuf>) -> Work {
    let mut work = Work::default();
    for rule in rules {
        let mut is_meant = false;
        for path in changed {
            let Some(relative) = rule.matches(path) else { continue };
            // What is made or removed in a folder is told by itself; and one that is gone whole takes nothing in the
            // container with it.
            if relative.is_empty() && rule.is_folder {
                continue;
            }
            is_meant = true;
            note(&mut work, rule, path, &relative);
        }
        if let (true, Some(hook)) = (is_meant && rule.watch.action == WatchAction::SyncExec, &rule.watch.exec) {
            work.exec.push((rule.service.clone(), hook.clone()));
        }
    }
    let rebuilt: BTreeSet<ServiceName> = work.rebuild.keys().cloned().collect();
    work.sync.retain(|service, _| !rebuilt.contains(service));
    work.restart.retain(|service, _| !rebuilt.contains(service));
    work.exec.retain(|(service, _)| !rebuilt.contains(service));
    work
}

fn note(work: &mut Work, rule: &Rule, path: &Path, relative: &str) {
    let service = || rule.service.clone();
    match rule.watch.action {
        WatchAction::Rebuild => drop(work.rebuild.entry(service()).or_default().insert(path.to_owned())),
        WatchAction::Restart | WatchAction::SyncRestart => {
            work.restart.entry(service()).or_default().insert(path.to_owned());
        }
        WatchAction::Sync | WatchAction::SyncExec => {}
    }
    if let (true, Some(to)) = (rule.watch.action.syncs(), rule.target(relative)) {
        let moves = work.sync.entry(service()).or_default();
        if path.is_dir() {
            // A folder that was moved here says nothing of what is in it.
            moves.extend(below(rule, path));
        }
        moves.insert(Move { from: path.to_owned(), to });
    }
}

/// What is brought into the containers before the first change, by `initial_sync`.
pub fn initial(rules: &[Rule]) -> BTreeMap<ServiceName, BTreeSet<Move>> {
    let mut all: BTreeMap<ServiceName, BTreeSet<Move>> = BTreeMap::new();
    for rule in rules.iter().filter(|rule| rule.watch.initial_sync && rule.watch.action.syncs()) {
        let moves = all.entry(rule.service.clone()).or_default();
        match rule.is_folder {
            true => moves.extend(below(rule, &rule.path)),
            false => moves.extend(rule.target("").map(|to| Move { from: rule.path.clone(), to })),
        }
    }
    all
}

/// Everything below a folder that a rule is about. What cannot be read is left out: a file that comes and goes is normal.
fn below(rule: &Rule, folder: &Path) -> Vec<Move> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let meant = rule.matches(&path);
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                // Something in it may be meant though it is not.
                open.push(path);
            } else if let Some(to) = meant.and_then(|relative| rule.target(&relative)) {
                found.push(Move { from: path, to });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use mainstay_model::declared::watch::Watch;

    use super::*;

    fn watch(path: &Path, action: WatchAction, target: Option<&str>) -> Watch {
        Watch {
            path: path.display().to_string(),
            action,
            target: target.map(str::to_owned),
            ignore: Vec::new(),
            include: Vec::new(),
            initial_sync: false,
            exec: None,
        }
    }

    fn changed(folder: &Path, names: &[&str]) -> BTreeSet<PathBuf> {
        names.iter().map(|name| folder.join(name)).collect()
    }

    fn targets(work: &Work) -> Vec<&str> {
        work.sync.values().flatten().map(|one| one.to.as_str()).collect()
    }

    #[test]
    fn what_changed_goes_to_its_place_and_what_is_ignored_stays() {
        let folder = tempfile::tempdir().unwrap();
        let src = folder.path().join("src");
        std::fs::create_dir_all(&src).unwrap();
        let mut one = watch(&src, WatchAction::Sync, Some("/app/"));
        one.ignore = vec!["node_modules/".into(), "*.log".into()];
        let rules = [Rule::for_test(one, true, Some((folder.path().to_owned(), "**/secret")))];
        let names = [
            "a.js",
            "node_modules/x.js",
            "b.log",
            ".git/HEAD",
            ".a.js.swp",
            "a.js~",
            "4913",
            "deep/secret",
            "deep/c.js",
        ];
        let mut paths = changed(&src, &names);
        paths.insert(folder.path().join("other.js"));
        let work = work_of(&rules, &paths);
        assert_eq!(targets(&work), ["/app/a.js", "/app/deep/c.js"]);
        assert!(work.restart.is_empty() && work.rebuild.is_empty());
    }

    #[test]
    fn only_what_is_included_counts_where_something_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut one = watch(folder.path(), WatchAction::SyncRestart, Some("/app"));
        one.include = vec!["**/*.py".into()];
        let work =
            work_of(&[Rule::for_test(one, true, None)], &changed(folder.path(), &["a.py", "deep/b.py", "c.txt"]));
        assert_eq!(targets(&work), ["/app/a.py", "/app/deep/b.py"]);
        assert_eq!(work.restart.len(), 1);
    }

    #[test]
    fn who_is_rebuilt_needs_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let rules = [
            Rule::for_test(watch(folder.path(), WatchAction::SyncRestart, Some("/app")), true, None),
            Rule::for_test(watch(&folder.path().join("package.json"), WatchAction::Rebuild, None), false, None),
        ];
        let work = work_of(&rules, &changed(folder.path(), &["a.js", "package.json"]));
        assert_eq!(work.rebuild.len(), 1);
        assert!(work.sync.is_empty() && work.restart.is_empty());
        let work = work_of(&rules, &changed(folder.path(), &["a.js"]));
        assert!(work.rebuild.is_empty() && work.sync.len() == 1);
    }

    #[test]
    fn a_file_is_its_target_and_a_folder_that_came_brings_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nginx.conf");
        let rules = [Rule::for_test(watch(&file, WatchAction::Sync, Some("/etc/nginx.conf")), false, None)];
        assert_eq!(targets(&work_of(&rules, &changed(folder.path(), &["nginx.conf"]))), ["/etc/nginx.conf"]);
        std::fs::create_dir_all(folder.path().join("came/deep")).unwrap();
        std::fs::write(folder.path().join("came/deep/a"), "a").unwrap();
        let rules = [Rule::for_test(watch(folder.path(), WatchAction::Sync, Some("/app")), true, None)];
        let work = work_of(&rules, &changed(folder.path(), &["came"]));
        assert_eq!(targets(&work), ["/app/came", "/app/came/deep/a"]);
    }

    #[test]
    fn the_watched_folder_itself_is_never_removed_from_a_container() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        let rules = [Rule::for_test(watch(&gone, WatchAction::Sync, Some("/app")), true, None)];
        assert!(work_of(&rules, &changed(folder.path(), &["gone"])).is_empty());
        assert_eq!(targets(&work_of(&rules, &changed(folder.path(), &["gone/a"]))), ["/app/a"]);
    }
}
