//! What the edge is to serve, of every stack, as files in its folder: so that it is known without the edge.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mainstay_model::edge::{EdgeSettings, RouteTable, Site};
use mainstay_model::identity::StackName;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::preview::Previews;
use crate::world::WorldError;

/// The routes of all stacks, and the networks on which the edge meets their containers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    pub sites: Vec<Site>,
    pub networks: BTreeMap<StackName, BTreeSet<String>>,
}

impl Kept {
    /// # Errors
    /// When two stacks claim the same host and path.
    pub(super) fn table(&self, settings: EdgeSettings) -> Result<RouteTable, WorldError> {
        RouteTable::new(settings, self.sites.clone()).map_err(|conflicts| {
            let told: Vec<String> = conflicts.iter().map(ToString::to_string).collect();
            WorldError::new(told.join("; ")).hint("give one of them another `host` or `path`")
        })
    }
}

/// The file that the edge starts with; its command names it.
const CONFIG: &str = "caddy.json";

/// The files of the room: what is served, what is about to be, the settings, and what the edge starts with.
#[derive(Clone, Debug)]
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(super) fn of(folder: &Path) -> Files {
        Files { folder: folder.to_owned() }
    }

    pub(super) fn settings(&self) -> Result<EdgeSettings, WorldError> {
        Ok(self.read("settings.json")?.unwrap_or_default())
    }

    pub(super) fn keep_settings(&self, settings: &EdgeSettings) -> Result<(), WorldError> {
        self.write("settings.json", settings)
    }

    /// What the edge starts with: it may do so in the middle of this.
    pub(super) fn keep_config(&self, config: &serde_json::Value) -> Result<(), WorldError> {
        self.write(CONFIG, config)
    }

    pub(super) fn kept(&self) -> Result<Kept, WorldError> {
        Ok(self.read("routes.json")?.unwrap_or_default())
    }

    /// What was about to be served when a process was killed; the links say whether it is.
    pub(super) fn next(&self) -> Result<Option<Kept>, WorldError> {
        self.read("routes.next.json")
    }

    pub(super) fn announce(&self, next: &Kept) -> Result<(), WorldError> {
        self.write("routes.next.json", next)
    }

    /// What was announced is served from now on. Another process that looks meanwhile may have done it already.
    pub(super) fn adopt(&self, next: &Kept) -> Result<(), WorldError> {
        match std::fs::rename(self.path("routes.next.json"), self.path("routes.json")) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.kept()? == *next => Ok(()),
            moved => moved.map_err(|error| self.unwritable(error)),
        }
    }

    /// What is behind the private door.
    pub(super) fn previews(&self) -> Result<Previews, WorldError> {
        Ok(self.read("previews.json")?.unwrap_or_default())
    }

    pub(super) fn keep_previews(&self, previews: &Previews) -> Result<(), WorldError> {
        self.write("previews.json", previews)
    }

    /// Of each stack: what it served until it was last committed.
    pub(super) fn before(&self) -> Result<BTreeMap<StackName, Vec<Site>>, WorldError> {
        Ok(self.read("before.json")?.unwrap_or_default())
    }

    pub(super) fn keep_before(&self, before: &BTreeMap<StackName, Vec<Site>>) -> Result<(), WorldError> {
        self.write("before.json", before)
    }

    /// Of each stack: the networks on which the edge met it then.
    pub(super) fn networks_before(&self) -> Result<BTreeMap<StackName, BTreeSet<String>>, WorldError> {
        Ok(self.read("networks.before.json")?.unwrap_or_default())
    }

    pub(super) fn keep_networks_before(
        &self,
        before: &BTreeMap<StackName, BTreeSet<String>>,
    ) -> Result<(), WorldError> {
        self.write("networks.before.json", before)
    }

    pub(super) fn forget_next(&self) {
        let _ = std::fs::remove_file(self.path("routes.next.json"));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, WorldError> {
        let path = self.path(name);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&path).caused_by(error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            let hint = format!("`mainstay up` of the stacks writes it anew once `{}` is moved away", path.display());
            unreadable(&path).caused_by(error).hint(hint)
        })
    }

    /// Whole or not at all, and for the owner's eyes only: routes hold hashes of passwords.
    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), WorldError> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let temporary = self.path(&format!(".{name}.new"));
        let text = serde_json::to_vec_pretty(value).unwrap_or_default();
        let written = || {
            std::fs::create_dir_all(&self.folder)?;
            let mut file = std::fs::OpenOptions::new();
            let mut file = file.create(true).write(true).truncate(true).mode(0o600).open(&temporary)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&temporary, self.path(name))
        };
        written().map_err(|error| self.unwritable(error))
    }

    fn unwritable(&self, error: std::io::Error) -> WorldError {
        WorldError::new(format!("the edge's folder `{}` could not be written", self.folder.display())).caused_by(error)
    }
}

fn unreadable(path: &Path) -> WorldError {
    WorldError::new(format!("`{}` could not be read", path.display()))
}
