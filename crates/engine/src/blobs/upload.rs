//! A large object on its way: in parts, and seen by nobody until the last.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::asking::asked;
use super::error::BlobError;
use super::store::{Kind, Store};

/// Of each part but the last. A bucket takes ten thousand.
pub const PART_BYTES: usize = 8 << 20;
/// So many parts are on their way at a time, beside the one that waits and the one that is being filled.
const AT_ONCE: usize = 2;

/// What has to be known to clear away an upload whose process is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    pub key: String,
    /// The server's own name for the upload.
    pub upload_id: Option<String>,
}

/// Give it parts of one size, then finish it, or abort it. Dropping it leaves what [`Store::clear`] takes away.
pub struct Upload {
    store: Store,
    begun: Begun,
    path: Path,
    way: Way,
    count: usize,
}

enum Way {
    Parts {
        store: Arc<dyn MultipartStore>,
        id: String,
        going: JoinSet<object_store::Result<(usize, PartId)>>,
        done: Vec<(usize, PartId)>,
    },
    File {
        upload: Box<dyn MultipartUpload>,
        going: JoinSet<object_store::Result<()>>,
    },
}

impl Upload {
    pub(super) async fn begin(store: &Store, key: &str) -> Result<Upload, BlobError> {
        let path = store.path(key)?;
        let failed = |error| store.failed(&format!("beginning `{key}`"), key, &error);
        let (way, upload_id) = match &store.kind {
            Kind::Parts(parts) => {
                let id = asked(|| parts.create_multipart(&path)).await.map_err(failed)?;
                let way = Way::Parts { store: parts.clone(), id: id.clone(), going: JoinSet::new(), done: Vec::new() };
                (way, Some(id))
            }
            Kind::Folder(_) => {
                let upload = store.objects.put_multipart(&path).await.map_err(failed)?;
                (Way::File { upload, going: JoinSet::new() }, None)
            }
        };
        let begun = Begun { key: key.to_owned(), upload_id };
        Ok(Upload { store: store.clone(), begun, path, way, count: 0 })
    }

    pub fn begun(&self) -> &Begun {
        &self.begun
    }

    /// Sends a part, waiting while enough are on their way. Each has [`PART_BYTES`], or more when all have as many; the last
    /// may have fewer.
    ///
    /// # Errors
    /// When this part, or one before it, was not taken.
    pub async fn part(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        let index = self.count;
        self.count += 1;
        match &mut self.way {
            Way::Parts { store, id, going, .. } => {
                let (store, id, path) = (store.clone(), id.clone(), self.path.clone());
                going.spawn(async move {
                    let part = store.put_part(&path, &id, index, PutPayload::from(bytes)).await?;
                    Ok((index, part))
                });
            }
            Way::File { upload, going } => {
                going.spawn(upload.put_part(PutPayload::from(bytes)));
            }
        }
        while self.going() >= AT_ONCE {
            self.wait_for_one().await?;
        }
        Ok(())
    }

    /// From now on it is there.
    ///
    /// # Errors
    /// When a part was not taken, or the whole is not.
    pub async fn finish(mut self) -> Result<(), BlobError> {
        if self.count == 0 {
            // A server takes no upload without a part.
            self.part(Bytes::new()).await?;
        }
        while self.going() > 0 {
            self.wait_for_one().await?;
        }
        let finished = match &mut self.way {
            Way::Parts { store, id, done, .. } => {
                done.sort_by_key(|(index, _)| *index);
                let parts = std::mem::take(done).into_iter().map(|(_, part)| part).collect();
                store.complete_multipart(&self.path, id, parts).await.map(|_| ())
            }
            Way::File { upload, .. } => upload.complete().await.map(|_| ()),
        };
        finished.map_err(|error| self.failed("finishing", &error))
    }

    /// Nothing of it stays.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn abort(mut self) -> Result<(), BlobError> {
        match &mut self.way {
            Way::Parts { going, .. } => going.shutdown().await,
            Way::File { going, .. } => going.shutdown().await,
        }
        if let Way::File { upload, .. } = &mut self.way {
            // Whether or not: what is left is found by its name.
            let _ = upload.abort().await;
        }
        self.store.clear(&self.begun).await
    }

    fn going(&self) -> usize {
        match &self.way {
            Way::Parts { going, .. } => going.len(),
            Way::File { going, .. } => going.len(),
        }
    }

    async fn wait_for_one(&mut self) -> Result<(), BlobError> {
        let joined = match &mut self.way {
            Way::Parts { going, done, .. } => {
                going.join_next().await.map(|joined| joined.map(|part| part.map(|part| done.push(part))))
            }
            Way::File { going, .. } => going.join_next().await,
        };
        match joined {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) => Err(self.failed("writing", &error)),
            Some(Err(error)) => Err(self.failed("writing", &error.into())),
        }
    }

    fn failed(&self, doing: &str, error: &object_store::Error) -> BlobError {
        self.store.failed(&format!("{doing} `{}`", self.begun.key), &self.begun.key, error)
    }
}

/// The library writes into `NAME#NUMBER` beside the place.
pub(super) fn remove_staged(root: &FilePath, key: &str) -> io::Result<()> {
    let place = root.join(key);
    let (Some(folder), Some(name)) = (place.parent(), place.file_name().and_then(|name| name.to_str())) else {
        return Ok(());
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let staged =
            entry.file_name().to_str().and_then(|found| found.strip_prefix(name)?.strip_prefix('#').map(digits));
        if staged == Some(true) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
