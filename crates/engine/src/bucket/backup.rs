//! From a bucket to a backup of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use mainstay_model::bucket::{BucketManifest, Cellar, FORMAT, Listed, Object, Part, work};
use mainstay_model::identity::BackupId;
use mainstay_model::postgres::backup::Reason;
use mainstay_model::postgres::backup::retention::Standing;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::cabinet::{Cabinet, Listing, Marker};
use super::error::BucketError;
use crate::blobs::{Attached, BlobError, PART_BYTES, Reading, Store};
use crate::pg::backup::flow::{self, hex};
use crate::pg::backup::name::new_id;

/// So many objects are read at a time.
const AT_ONCE: usize = 8;
/// What is larger goes through in pieces, one such object at a time: memory stays as it is.
const SMALL_BYTES: u64 = 1 << 20;

const SAME_SECOND: Duration = Duration::from_millis(50);

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    pub objects: usize,
    pub of_objects: usize,
    pub bytes: u64,
    pub of_bytes: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Backed {
    pub manifest: BucketManifest,
    /// Objects that were read, because they were new or others.
    pub read: usize,
    pub read_bytes: u64,
    /// Of those, what was new as a content, and had to be stored.
    pub stored_bytes: u64,
    /// Objects that went while they were to be read.
    pub vanished: usize,
}

/// What one run shares among the objects that it reads.
struct Run<'a> {
    cabinet: &'a Cabinet,
    bucket: &'a Store,
    id: BackupId,
    /// Where each content lies that is there, by its hash.
    lying: Mutex<BTreeMap<String, String>>,
    marker: tokio::sync::Mutex<Marker>,
    large: Semaphore,
}

/// An object, and how much of it had to be stored.
struct Taken {
    object: Object,
    stored_bytes: u64,
}

impl Cabinet {
    /// Backs a bucket up. Hold a [`turn`](Cabinet::turn) meanwhile.
    ///
    /// # Errors
    /// When an object cannot be read or the store does not take it. Nothing counts as a backup then, and what was
    /// stored on the way is stored again by the next one: nobody has read it back.
    pub async fn back_up(
        &self,
        bucket: &Store,
        about: (&str, Option<&str>, &str),
        reason: Reason,
        mut told: impl FnMut(News),
    ) -> Result<Backed, BucketError> {
        if !self.seals.has_a_second() {
            return Err(BucketError::OneKey { of: self.of.clone() });
        }
        let began_at = Timestamp::now().to_string();
        self.sweep().await?;
        let listing = self.list().await?;
        let lying = self.lying().await?;
        let last = last_whole(&listing, &lying);
        let work = work(bucket.objects().await?, last.as_ref());
        let run = Run {
            cabinet: self,
            bucket,
            id: id_after(&listing).await?,
            lying: Mutex::new(by_hash(&listing, &lying)),
            marker: tokio::sync::Mutex::default(),
            large: Semaphore::new(1),
        };
        let mut news = News { of_objects: work.read.len(), of_bytes: work.bytes(), ..News::default() };
        told(news);
        let mut backed = Backed {
            manifest: BucketManifest {
                format: FORMAT,
                id: run.id.clone(),
                stack: about.0.to_owned(),
                env: about.1.map(str::to_owned),
                bucket: about.2.to_owned(),
                reason,
                began_at,
                ended_at: String::new(),
                made_by: env!("CARGO_PKG_VERSION").into(),
                recipients: self.seals.recipients(),
                objects: work.known,
            },
            read: 0,
            read_bytes: 0,
            stored_bytes: 0,
            vanished: 0,
        };
        let shared = &run;
        let wanted = &work.read;
        let mut reads = stream::iter(0..wanted.len())
            .map(|index| async move { (&wanted[index], shared.take(&wanted[index]).await) })
            .buffer_unordered(AT_ONCE);
        let mut failures: Vec<(String, BlobError)> = Vec::new();
        while let Some((listed, taken)) = reads.next().await {
            (news.objects, news.bytes) = (news.objects + 1, news.bytes + listed.bytes);
            told(news);
            match taken {
                Ok(taken) => {
                    backed.read += 1;
                    backed.read_bytes += taken.object.bytes;
                    backed.stored_bytes += taken.stored_bytes;
                    backed.manifest.objects.insert(listed.key.clone(), taken.object);
                }
                Err(BucketError::Blob(error)) if error.is_not_there() => backed.vanished += 1,
                Err(BucketError::Blob(error)) => failures.push((listed.key.clone(), error)),
                Err(error) => return Err(error),
            }
        }
        drop(reads);
        if !failures.is_empty() {
            failures.sort_by(|(one, _), (other, _)| one.cmp(other));
            let (key, why) = failures.swap_remove(0);
            return Err(BucketError::Objects { count: failures.len() + 1, key, why: why.to_string() });
        }
        backed.manifest.ended_at = Timestamp::now().to_string();
        let key = self.cellar.key(&run.id, &Part::Manifest);
        self.put_sealed(&key, backed.manifest.text().as_bytes()).await?;
        if !run.marker.lock().await.begun.is_empty() {
            self.store.delete(&self.marker_key(&run.id)).await?;
        }
        Ok(backed)
    }

    async fn lying(&self) -> Result<BTreeSet<String>, BucketError> {
        let found = self.store.list(self.cellar.as_str()).await?;
        Ok(found.iter().filter_map(|one| self.cellar.stored_of(&one.key)).map(str::to_owned).collect())
    }
}

/// Backups are in the order of their ids, which begin with the second: a bucket without news is done within one.
async fn id_after(listing: &Listing) -> Result<BackupId, BucketError> {
    let newest =
        listing.backups.iter().map(|one| &one.manifest.id).chain(listing.unusable.iter().map(|(id, _)| id)).max();
    loop {
        let id = new_id(Timestamp::now())?;
        match newest {
            Some(newest) if newest.second() == id.second() => tokio::time::sleep(SAME_SECOND).await,
            _ => return Ok(id),
        }
    }
}

/// The newest backup that can be built upon: not one in which something was found damaged, or whose contents went.
fn last_whole(listing: &Listing, lying: &BTreeSet<String>) -> Option<BucketManifest> {
    let good = |one: &&super::Shelved| {
        one.standing() != Standing::Failed && one.manifest.objects.values().all(|object| lying.contains(&object.stored))
    };
    listing.backups.iter().find(good).map(|one| one.manifest.clone())
}

fn by_hash(listing: &Listing, lying: &BTreeSet<String>) -> BTreeMap<String, String> {
    let good = listing.backups.iter().filter(|one| one.standing() != Standing::Failed);
    let objects = good.flat_map(|one| one.manifest.objects.values());
    let there = objects.filter(|object| lying.contains(&object.stored));
    there.map(|object| (object.sha256.clone(), object.stored.clone())).collect()
}

impl Run<'_> {
    async fn take(&self, listed: &Listed) -> Result<Taken, BucketError> {
        if listed.bytes > SMALL_BYTES {
            // Never closed.
            let _turn = self.large.acquire().await;
            let (attached, reading) = self.bucket.object(&listed.key).await?;
            return self.take_large(listed, attached, reading).await;
        }
        let (attached, mut reading) = self.bucket.object(&listed.key).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = reading.next().await {
            bytes.extend_from_slice(&piece?);
        }
        let sha256 = hex(&Sha256::digest(&bytes));
        let mut taken = Taken { object: object(listed, attached, bytes.len() as u64, &sha256), stored_bytes: 0 };
        if let Some(stored) = self.is_lying(&sha256) {
            taken.object.stored = stored;
            return Ok(taken);
        }
        let sealed = self.cabinet.seals.seal(&bytes)?;
        taken.stored_bytes = sealed.len() as u64;
        let key = self.cabinet.cellar.stored(&taken.object.stored);
        self.cabinet.store.put(&key, Bytes::from(sealed)).await?;
        self.lies(&sha256, &taken.object.stored);
        Ok(taken)
    }

    /// Its hash is known at its end only, so it is stored by another name first.
    async fn take_large(&self, listed: &Listed, attached: Attached, reading: Reading) -> Result<Taken, BucketError> {
        let stored = {
            let marker = self.marker.lock().await;
            format!("{}/large/{}-{}.age", mainstay_model::bucket::CONTENTS, self.id, marker.begun.len())
        };
        let key = self.cabinet.cellar.stored(&stored);
        let (plain, sealed) = self.store_sealed(&key, reading).await?;
        let mut taken =
            Taken { object: object(listed, attached, plain.bytes, &plain.sha256), stored_bytes: sealed.bytes };
        match self.is_lying(&plain.sha256) {
            Some(known) => {
                self.cabinet.store.delete(&key).await?;
                (taken.object.stored, taken.stored_bytes) = (known, 0);
            }
            None => {
                self.lies(&plain.sha256, &stored);
                taken.object.stored = stored;
            }
        }
        Ok(taken)
    }

    async fn store_sealed(&self, key: &str, mut reading: Reading) -> Result<(flow::Sum, flow::Sum), BucketError> {
        let store = &self.cabinet.store;
        let mut upload = store.begin(key).await?;
        {
            let mut marker = self.marker.lock().await;
            marker.begun.push(upload.begun().clone());
            let text = serde_json::to_vec(&*marker).unwrap_or_default();
            store.put(&self.cabinet.marker_key(&self.id), Bytes::from(text)).await?;
        }
        let (inlet, mut sealing) = flow::seal(&self.cabinet.seals, PART_BYTES);
        let feed = async move {
            while let Some(piece) = reading.next().await {
                if !inlet.give(piece?).await {
                    return Ok(());
                }
            }
            inlet.end().await;
            Ok::<_, BlobError>(())
        };
        let send = async {
            while let Some(part) = sealing.parts.recv().await {
                upload.part(part).await?;
            }
            Ok::<_, BlobError>(())
        };
        let (fed, sent) = tokio::join!(feed, send);
        let sums = match (fed, sent) {
            (Ok(()), Ok(())) => sealing.sums.await.map_err(std::io::Error::other).and_then(|sums| sums),
            (Err(error), _) | (_, Err(error)) => {
                let _ = upload.abort().await;
                return Err(error.into());
            }
        };
        match sums {
            Ok(sums) => {
                upload.finish().await?;
                Ok(sums)
            }
            Err(error) => {
                let _ = upload.abort().await;
                let (place, doing) = (store.place().to_owned(), format!("sealing `{key}`"));
                Err(BlobError::Failed { place, doing, why: error.to_string() }.into())
            }
        }
    }

    fn is_lying(&self, sha256: &str) -> Option<String> {
        self.by_hash().get(sha256).cloned()
    }

    fn lies(&self, sha256: &str, stored: &str) {
        self.by_hash().insert(sha256.to_owned(), stored.to_owned());
    }

    fn by_hash(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.lying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn object(listed: &Listed, attached: Attached, bytes: u64, sha256: &str) -> Object {
    Object {
        bytes,
        sha256: sha256.to_owned(),
        stored: Cellar::content(sha256),
        etag: listed.etag.clone(),
        modified_ms: listed.modified_ms,
        headers: attached.headers,
        metadata: attached.metadata,
    }
}
