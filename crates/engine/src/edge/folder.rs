//! The folder that the edge and Mainstay share.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::fs;
use tokio::io::AsyncWriteExt;

use crate::world::WorldError;

#[derive(Clone, Debug)]
pub(super) struct Folder(Arc<Path>);

/// A socket in the folder, reachable for as long as this value lives.
///
/// A unix socket's address holds 107 bytes, and a state folder may lie deeper than that. The folder is opened once and
/// named by its descriptor, which is always short.
pub(super) struct SocketPath {
    _folder: Option<std::fs::File>,
    path: PathBuf,
}

impl SocketPath {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Folder {
        Folder(path.into())
    }

    pub(super) fn admin(&self) -> SocketPath {
        self.socket("admin.sock")
    }

    pub(super) fn probe(&self) -> SocketPath {
        self.socket("probe.sock")
    }

    fn socket(&self, name: &str) -> SocketPath {
        match std::fs::File::open(&*self.0) {
            Ok(folder) => {
                let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()));
                SocketPath { _folder: Some(folder), path }
            }
            // The connect then says what is wrong with it.
            Err(_) => SocketPath { _folder: None, path: self.0.join(name) },
        }
    }

    pub(super) async fn make(&self) -> Result<(), WorldError> {
        let made = async {
            fs::create_dir_all(&*self.0).await?;
            fs::set_permissions(&*self.0, std::fs::Permissions::from_mode(0o700)).await
        };
        made.await.map_err(|error| self.unwritable(error))
    }

    /// Whole or not at all: the edge may start in the middle of it. Readable by the owner only, because it holds
    /// password hashes.
    pub(super) async fn write_config(&self, config: &Value) -> Result<(), WorldError> {
        let text = serde_json::to_vec_pretty(config).unwrap_or_default();
        let written = async {
            let temporary = self.0.join(".caddy.json.new");
            let mut file = fs::OpenOptions::new();
            let mut file = file.create(true).write(true).truncate(true).mode(0o600).open(&temporary).await?;
            file.write_all(&text).await?;
            file.sync_all().await?;
            fs::rename(&temporary, self.config()).await
        };
        written.await.map_err(|error| self.unwritable(error))
    }

    fn config(&self) -> PathBuf {
        self.0.join("caddy.json")
    }

    fn unwritable(&self, error: io::Error) -> WorldError {
        WorldError::new(format!("the edge's folder `{}` could not be written", self.0.display())).caused_by(error)
    }
}
