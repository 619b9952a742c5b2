//! The folder that the edge and Mainstay share.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::fs;

use crate::world::WorldError;

#[derive(Clone, Debug)]
pub(super) struct Folder(Arc<Path>);

/// A socket in the folder, reachable for as long as this value lives.
///
/// A unix socket's address holds 107 bytes, and a state folder may lie deeper than that. The folder is opened once and
/// named by its descriptor, which is always short.
pub(crate) struct SocketPath {
    _folder: Option<std::fs::File>,
    path: PathBuf,
}

impl SocketPath {
    pub(crate) fn path(&self) -> &Path {
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

    pub(super) fn preview(&self) -> SocketPath {
        self.socket("preview.sock")
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

    fn unwritable(&self, error: io::Error) -> WorldError {
        WorldError::new(format!("the edge's folder `{}` could not be written", self.0.display())).caused_by(error)
    }
}
