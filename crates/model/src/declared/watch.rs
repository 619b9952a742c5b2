//! `develop.watch`: what is done in a service's containers when a file beside them changes. It serves `mainstay watch`
//! alone, so it is no part of what is declared for a release.

use std::collections::BTreeMap;

use super::container::Hidden;

/// One rule of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// Absolute: the file, or the folder with all below it.
    pub path: String,
    pub action: WatchAction,
    /// Absolute, in the container; for the actions that sync.
    pub target: Option<String>,
    /// Patterns as in `.dockerignore`, relative to `path`.
    pub ignore: Vec<String>,
    /// Where there are some, nothing else counts.
    pub include: Vec<String>,
    /// Bring everything there before the first change.
    pub initial_sync: bool,
    /// For `sync+exec`.
    pub exec: Option<Hook>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchAction {
    Sync,
    SyncRestart,
    SyncExec,
    Restart,
    Rebuild,
}

/// A program that is run in a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hook {
    pub command: Vec<String>,
    pub user: Option<String>,
    pub working_dir: Option<String>,
    pub privileged: bool,
    pub environment: BTreeMap<String, Hidden>,
}

impl WatchAction {
    pub const ALL: [WatchAction; 5] = [
        WatchAction::Sync,
        WatchAction::SyncRestart,
        WatchAction::SyncExec,
        WatchAction::Restart,
        WatchAction::Rebuild,
    ];

    /// As files write it.
    pub fn word(self) -> &'static str {
        match self {
            WatchAction::Sync => "sync",
            WatchAction::SyncRestart => "sync+restart",
            WatchAction::SyncExec => "sync+exec",
            WatchAction::Restart => "restart",
            WatchAction::Rebuild => "rebuild",
        }
    }

    /// Whether files are brought into the containers.
    pub fn syncs(self) -> bool {
        matches!(self, WatchAction::Sync | WatchAction::SyncRestart | WatchAction::SyncExec)
    }
}
