//! One store.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{Stream, StreamExt, TryStreamExt};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{GetResultPayload, ObjectStore, ObjectStoreExt, PutPayload};
use tokio_util::io::ReaderStream;

use super::asking::asked;
use super::error::BlobError;
use super::upload::{Begun, Upload};

/// What is read whole is no larger: a manifest of many thousand tables has a few megabytes.
const SMALL_BYTES: u64 = 64 << 20;
/// Of a file, at a time. The library's own 8 KiB are a change of threads each.
const FILE_PIECE: usize = 256 << 10;

/// What is written no larger than this is there in seconds, or is not on its way.
const QUICK_BYTES: usize = 1 << 20;

/// Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(super) place: String,
    /// Before every key, in a bucket.
    pub(super) prefix: String,
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) kind: Kind,
}

/// How a large object is written.
#[derive(Clone)]
pub(super) enum Kind {
    /// In parts, under an id that outlives the process.
    Parts(Arc<dyn MultipartStore>),
    /// Into a file beside its place.
    Folder(PathBuf),
}

/// An object, as a listing tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub key: String,
    pub bytes: u64,
    /// In seconds since 1970.
    pub written_at: i64,
}

/// An object's bytes as they come.
pub type Reading = Pin<Box<dyn Stream<Item = Result<Bytes, BlobError>> + Send>>;

impl Store {
    /// What may be shown of it: a path, or the bucket with its server.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Everything below a folder, sorted by key. A folder that is not there is empty.
    ///
    /// # Errors
    /// When the store does not answer, or refuses.
    pub async fn list(&self, folder: &str) -> Result<Vec<Found>, BlobError> {
        let path = self.path(folder)?;
        let all = self.objects.list(Some(&path)).try_collect::<Vec<_>>().await;
        let all = all.map_err(|error| self.failed("listing", folder, &error))?;
        let found = all.into_iter().filter_map(|meta| {
            let key = meta.location.as_ref();
            let key = if self.prefix.is_empty() { key } else { key.strip_prefix(&self.prefix)?.strip_prefix('/')? };
            Some(Found { key: key.to_owned(), bytes: meta.size, written_at: meta.last_modified.timestamp() })
        });
        let mut found: Vec<Found> = found.collect();
        found.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(found)
    }

    /// # Errors
    /// When it is not there, or the store does not answer.
    pub async fn read(&self, key: &str) -> Result<Reading, BlobError> {
        let path = self.path(key)?;
        let doing = format!("reading `{key}`");
        let answer = self.small(|| Box::pin(self.objects.get(&path))).await;
        let answer = answer.map_err(|error| self.failed(&doing, key, &error))?;
        let (place, key) = (self.place.clone(), key.to_owned());
        if let GetResultPayload::File(file, _) = answer.payload {
            let pieces = ReaderStream::with_capacity(tokio::fs::File::from_std(file), FILE_PIECE);
            let failed = move |error: std::io::Error| BlobError::Failed {
                place: place.clone(),
                doing: doing.clone(),
                why: error.to_string(),
            };
            return Ok(Box::pin(pieces.map_err(failed)));
        }
        let pieces = answer.into_stream();
        Ok(Box::pin(pieces.map_err(move |error| BlobError::of(&place, &doing, &key, &error))))
    }

    /// A small object whole.
    ///
    /// # Errors
    /// As [`Store::read`], or when it is not small.
    pub async fn get(&self, key: &str) -> Result<Bytes, BlobError> {
        let mut pieces = self.read(key).await?;
        let mut whole = Vec::new();
        while let Some(piece) = pieces.next().await {
            whole.extend_from_slice(&piece?);
            if whole.len() as u64 > SMALL_BYTES {
                return Err(BlobError::TooLarge { place: self.place.clone(), key: key.to_owned() });
            }
        }
        Ok(whole.into())
    }

    /// Writes a small object whole, or not at all.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        let path = self.path(key)?;
        let put = match bytes.len() <= QUICK_BYTES {
            true => self.small(|| Box::pin(self.objects.put(&path, PutPayload::from(bytes.clone())))).await,
            false => self.objects.put(&path, PutPayload::from(bytes)).await,
        };
        put.map(|_| ()).map_err(|error| self.failed(&format!("writing `{key}`"), key, &error))
    }

    /// One that is not there is as good as deleted.
    ///
    /// # Errors
    /// When the store does not delete it.
    pub async fn delete(&self, key: &str) -> Result<(), BlobError> {
        let path = self.path(key)?;
        match self.small(|| Box::pin(self.objects.delete(&path))).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(&format!("deleting `{key}`"), key, &error)),
        }
    }

    /// Begins a large object. What is told of it is to be written down before its first part, so that it can be cleared away
    /// by [`Store::clear`] whatever happens to the process.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn begin(&self, key: &str) -> Result<Upload, BlobError> {
        Upload::begin(self, key).await
    }

    /// Takes away what an upload that was never finished, or whose object nobody wants, has left.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn clear(&self, begun: &Begun) -> Result<(), BlobError> {
        let key = &begun.key;
        match (&self.kind, &begun.upload_id) {
            (Kind::Parts(store), Some(id)) => {
                let path = self.path(key)?;
                match asked(|| store.abort_multipart(&path, id)).await {
                    // Finished, or cleared away already.
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) if is_no_upload(&error) => {}
                    Err(error) => return Err(self.failed(&format!("clearing away `{key}`"), key, &error)),
                }
            }
            (Kind::Folder(root), _) => {
                super::upload::remove_staged(root, key).map_err(|error| self.disk("clearing away", key, &error))?;
            }
            (Kind::Parts(_), None) => {}
        }
        self.delete(key).await
    }

    /// What is answered at once, or asked again. A disk always answers.
    async fn small<'a, T>(&self, ask: impl Fn() -> BoxFuture<'a, object_store::Result<T>>) -> object_store::Result<T> {
        match self.kind {
            Kind::Parts(_) => asked(ask).await,
            Kind::Folder(_) => ask().await,
        }
    }

    pub(super) fn path(&self, key: &str) -> Result<Path, BlobError> {
        let whole = if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) };
        Path::parse(&whole).map_err(|error| BlobError::Place {
            place: self.place.clone(),
            why: format!("`{key}` cannot be a key: {error}"),
            hints: Vec::new(),
        })
    }

    pub(super) fn failed(&self, doing: &str, key: &str, error: &object_store::Error) -> BlobError {
        BlobError::of(&self.place, doing, key, error)
    }

    fn disk(&self, doing: &str, key: &str, error: &std::io::Error) -> BlobError {
        BlobError::Failed { place: self.place.clone(), doing: format!("{doing} `{key}`"), why: error.to_string() }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("place", &self.place).finish_non_exhaustive()
    }
}

/// As a server says it, and as memory does.
fn is_no_upload(error: &object_store::Error) -> bool {
    let words = error.to_string();
    words.contains("NoSuchUpload") || words.contains("MultipartUpload not found")
}
