//! From a backup to a bucket.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use mainstay_model::bucket::{BucketManifest, Object, Restoring, restoring};

use super::cabinet::Cabinet;
use super::error::BucketError;
use super::opening::{self, Fault, Opening};
use crate::blobs::{Attached, PART_BYTES, Store};

/// So many objects are written at a time.
const AT_ONCE: usize = 4;

/// What came of it.
#[derive(Debug, Default)]
pub struct Restored {
    pub objects: usize,
    pub bytes: u64,
    /// What is damaged in the backup, and stays in the bucket as it is there.
    pub damaged: Vec<BucketError>,
}

impl Cabinet {
    /// What a restore would do to the bucket as it is now.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn restoring(
        &self,
        bucket: &Store,
        manifest: &BucketManifest,
        prefix: &str,
    ) -> Result<Restoring, BucketError> {
        Ok(restoring(manifest, &bucket.objects().await?, prefix))
    }

    /// Writes the objects of these keys as they were. Each is opened and held against its hash before its last byte is
    /// written: what is damaged replaces nothing.
    ///
    /// # Errors
    /// At the first object that is not taken; those before it are back, and a second run goes on.
    pub async fn restore(
        &self,
        bucket: &Store,
        manifest: &BucketManifest,
        keys: impl Iterator<Item = &str>,
        mut told: impl FnMut(usize, u64),
    ) -> Result<Restored, BucketError> {
        let objects: Vec<(&str, &Object)> = keys.filter_map(|key| Some((key, manifest.objects.get(key)?))).collect();
        let mut writes = stream::iter(objects)
            .map(|(key, object)| async move { (self.put_back(bucket, manifest, key, object).await, object.bytes) })
            .buffer_unordered(AT_ONCE);
        let mut restored = Restored::default();
        while let Some((written, bytes)) = writes.next().await {
            match written {
                Err(error @ BucketError::Damaged { .. }) => {
                    restored.damaged.push(error);
                    continue;
                }
                written => written?,
            }
            restored.objects += 1;
            restored.bytes += bytes;
            told(restored.objects, restored.bytes);
        }
        Ok(restored)
    }

    async fn put_back(
        &self,
        bucket: &Store,
        manifest: &BucketManifest,
        key: &str,
        object: &Object,
    ) -> Result<(), BucketError> {
        let damaged = |why: String| BucketError::Damaged { id: manifest.id.clone(), key: key.to_owned(), why };
        let reading = match self.store.read(&self.cellar.stored(&object.stored)).await {
            Err(error) if error.is_not_there() => return Err(damaged("its bytes are gone".into())),
            reading => reading?,
        };
        let opening = opening::open(&self.seals, object, reading);
        let attached = Attached { headers: object.headers.clone(), metadata: object.metadata.clone() };
        let written = if object.bytes <= PART_BYTES as u64 {
            put_small(bucket, key, &attached, opening).await
        } else {
            put_large(bucket, key, &attached, opening).await
        };
        written.map_err(|fault| match fault {
            Fault::Store(error) => error.into(),
            Fault::Gone => damaged("its bytes are gone".into()),
            Fault::Size(found) => damaged(format!("it has {found} bytes instead of {}", object.bytes)),
            Fault::Hash(_) => damaged("its bytes are others".into()),
            Fault::Unreadable(words) => damaged(words),
            Fault::Left => damaged("it was broken off".into()),
        })
    }
}

async fn put_small(bucket: &Store, key: &str, attached: &Attached, mut opening: Opening) -> Result<(), Fault> {
    let mut bytes = Vec::new();
    while let Some(piece) = opening.pieces.recv().await {
        bytes.extend_from_slice(&piece);
    }
    ended(opening).await?;
    bucket.put_object(key, attached, Bytes::from(bytes)).await.map_err(Fault::Store)
}

async fn put_large(bucket: &Store, key: &str, attached: &Attached, mut opening: Opening) -> Result<(), Fault> {
    let mut putting = bucket.begin_object(key, attached).await.map_err(Fault::Store)?;
    while let Some(piece) = opening.pieces.recv().await {
        if let Err(error) = putting.write(piece).await {
            putting.abort().await;
            return Err(Fault::Store(error));
        }
    }
    match ended(opening).await {
        Ok(()) => putting.finish().await.map_err(Fault::Store),
        Err(fault) => {
            putting.abort().await;
            Err(fault)
        }
    }
}

async fn ended(opening: Opening) -> Result<(), Fault> {
    opening.verdict.await.unwrap_or_else(|error| Err(Fault::Unreadable(error.to_string())))
}
