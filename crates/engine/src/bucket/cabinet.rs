//! The backups of one bucket in a store: listed, read, cleared away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::path::Path;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use mainstay_model::bucket::{BucketManifest, Cellar, Part};
use mainstay_model::identity::BackupId;
use mainstay_model::postgres::backup::retention::Standing;
use serde::{Deserialize, Serialize};

use super::drill::Proof;
use super::error::BucketError;
use crate::blobs::{Begun, Store};
use crate::secrets::Seals;

/// So many lists are read at a time.
const AT_ONCE: usize = 4;
/// What is on its way stands in an object of this ending until it has arrived.
const BEGUN: &str = ".begun";

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cabinet {
    pub(super) store: Store,
    pub(super) cellar: Cellar,
    pub(super) seals: Seals,
    /// For sentences: `artifacts of botmox`.
    pub(super) of: String,
}

/// A backup with what reading it back has said.
#[derive(Clone, Debug, PartialEq)]
pub struct Shelved {
    pub manifest: BucketManifest,
    /// The oldest first.
    pub proofs: Vec<Proof>,
}

impl Shelved {
    pub fn standing(&self) -> Standing {
        match self.proofs.last() {
            None => Standing::Unproven,
            Some(proof) if proof.is_proven() => Standing::Proven,
            Some(_) => Standing::Failed,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The newest first.
    pub backups: Vec<Shelved>,
    /// Those whose list cannot be read, and why.
    pub unusable: Vec<(BackupId, String)>,
}

/// What stands beside a backup while its large contents are written.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Marker {
    pub begun: Vec<Begun>,
}

/// As long as it lives, nobody else of this host writes to the cabinet.
pub struct Turn(#[expect(dead_code, reason = "its lock ends with it")] File);

impl Cabinet {
    pub fn new(store: Store, cellar: Cellar, seals: Seals, of: impl Into<String>) -> Cabinet {
        Cabinet { store, cellar, seals, of: of.into() }
    }

    /// With other keys to open with.
    #[must_use]
    pub fn opened_with(self, keys: &Seals) -> Cabinet {
        Cabinet { seals: self.seals.opened_with(keys), ..self }
    }

    /// What may be shown of where they lie.
    pub fn place(&self) -> &str {
        self.store.place()
    }

    pub fn of(&self) -> &str {
        &self.of
    }

    /// # Errors
    /// When another command has it.
    pub fn turn(&self, state: &Path) -> Result<Turn, BucketError> {
        let name = self.cellar.as_str().replace('/', "-");
        let path = state.join(format!("bucket-{name}.lock"));
        let failed = |why: String| BucketError::Lock { path: path.display().to_string(), why };
        std::fs::create_dir_all(state).map_err(|error| failed(error.to_string()))?;
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| failed(error.to_string()))?;
        match file.try_lock() {
            Ok(()) => Ok(Turn(file)),
            Err(TryLockError::WouldBlock) => Err(BucketError::Busy { of: self.of.clone() }),
            Err(TryLockError::Error(error)) => Err(failed(error.to_string())),
        }
    }

    /// Everything that is there.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn list(&self) -> Result<Listing, BucketError> {
        let parts = self.parts().await?;
        let with_list: Vec<_> = parts.into_iter().filter(|(_, parts)| parts.contains(&Part::Manifest)).collect();
        let read = stream::iter(with_list)
            .map(|(id, parts)| async move {
                let shelved = self.shelved(&id, &parts).await;
                (id, shelved)
            })
            .buffer_unordered(AT_ONCE);
        let mut read: Vec<_> = read.collect().await;
        read.sort_by(|(one, _), (other, _)| other.cmp(one));
        let mut listing = Listing::default();
        for (id, shelved) in read {
            match shelved {
                Ok(shelved) => listing.backups.push(shelved),
                // The store is away: that says nothing of the backup.
                Err(BucketError::Blob(error)) if !error.is_not_there() => return Err(error.into()),
                Err(error) => listing.unusable.push((id, error.to_string())),
            }
        }
        Ok(listing)
    }

    /// One by its id, or the newest.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn get(&self, id: Option<&BackupId>) -> Result<Shelved, BucketError> {
        let parts = self.parts().await?;
        let mut with_list: Vec<_> = parts.into_iter().filter(|(_, parts)| parts.contains(&Part::Manifest)).collect();
        let place = self.place().to_owned();
        let (found, parts) = match id {
            Some(id) => with_list
                .into_iter()
                .find(|(found, _)| found == id)
                .ok_or_else(|| BucketError::NoSuchBackup { id: id.clone(), of: self.of.clone(), place })?,
            None => with_list.pop().ok_or_else(|| BucketError::NoBackup { of: self.of.clone(), place })?,
        };
        self.shelved(&found, &parts).await
    }

    /// The newest that is no way back from an operation: what a restore means that names none.
    ///
    /// # Errors
    /// When the store does not answer, there is none, or a newer one than all that can be cannot be read.
    pub async fn newest_to_restore(&self) -> Result<Shelved, BucketError> {
        let listing = self.list().await?;
        let found = listing.backups.into_iter().find(|one| !one.manifest.reason.is_way_back());
        match found.filter(|one| listing.unusable.iter().all(|(id, _)| *id < one.manifest.id)) {
            Some(found) => Ok(found),
            // Which says what is wrong with the newest, or that there is none.
            None => self.get(None).await,
        }
    }

    async fn parts(&self) -> Result<BTreeMap<BackupId, BTreeSet<Part>>, BucketError> {
        let mut parts: BTreeMap<BackupId, BTreeSet<Part>> = BTreeMap::new();
        for found in self.store.list(self.cellar.as_str()).await? {
            if let Some((id, part)) = self.cellar.read(&found.key) {
                parts.entry(id).or_default().insert(part);
            }
        }
        Ok(parts)
    }

    async fn shelved(&self, id: &BackupId, parts: &BTreeSet<Part>) -> Result<Shelved, BucketError> {
        let unreadable = |why: String| BucketError::Unreadable { id: id.clone(), why };
        let bytes = self.opened(&self.cellar.key(id, &Part::Manifest)).await?;
        let manifest = BucketManifest::read(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if manifest.id != *id {
            return Err(unreadable(format!("it is the one of {}", manifest.id)));
        }
        let mut proofs = Vec::new();
        for part in parts.iter().filter(|part| matches!(part, Part::Proof(_))) {
            let bytes = match self.opened(&self.cellar.key(id, part)).await {
                Err(BucketError::Blob(error)) if !error.is_not_there() => return Err(error.into()),
                // A proof that cannot be read proves nothing.
                Err(_) => continue,
                Ok(bytes) => bytes,
            };
            proofs.extend(serde_json::from_slice::<Proof>(&bytes).ok().filter(|proof| proof.backup == *id));
        }
        Ok(Shelved { manifest, proofs })
    }

    async fn opened(&self, key: &str) -> Result<Vec<u8>, BucketError> {
        let sealed = self.store.get(key).await?;
        Ok(self.seals.open(key, &sealed)?)
    }

    pub(super) async fn put_sealed(&self, key: &str, bytes: &[u8]) -> Result<(), BucketError> {
        let sealed = self.seals.seal(bytes)?;
        Ok(self.store.put(key, Bytes::from(sealed)).await?)
    }

    pub(super) fn marker_key(&self, id: &BackupId) -> String {
        format!("{}/{id}{BEGUN}", self.cellar.as_str())
    }

    /// Takes away what backups left that did not come to their end. Nobody else may be writing: see [`Cabinet::turn`].
    pub(super) async fn sweep(&self) -> Result<(), BucketError> {
        let parts = self.parts().await?;
        for found in self.store.list(self.cellar.as_str()).await? {
            let name = found.key.strip_prefix(self.cellar.as_str()).and_then(|name| name.strip_prefix('/'));
            let id = name.and_then(|name| name.strip_suffix(BEGUN)).and_then(|id| id.parse::<BackupId>().ok());
            let Some(id) = id else { continue };
            // A backup with its list is whole: only the marker stayed.
            let is_whole = parts.get(&id).is_some_and(|parts| parts.contains(&Part::Manifest));
            if !is_whole {
                let marker: Marker = serde_json::from_slice(&self.store.get(&found.key).await?).unwrap_or_default();
                for begun in &marker.begun {
                    self.store.clear(begun).await?;
                }
            }
            self.store.delete(&found.key).await?;
        }
        Ok(())
    }

    /// Takes away these backups, and the contents that no other one has. The number of contents that went.
    ///
    /// # Errors
    /// When the store does not answer, or a list that stays cannot be read: what it needs is not known then.
    pub async fn remove(&self, ids: &[BackupId]) -> Result<usize, BucketError> {
        let listing = self.list().await?;
        if let Some((id, why)) = listing.unusable.first() {
            return Err(BucketError::Unreadable { id: id.clone(), why: why.clone() });
        }
        let parts = self.parts().await?;
        for id in ids {
            // The list first: without it there is no backup that could lack something.
            for part in parts.get(id).into_iter().flatten() {
                self.store.delete(&self.cellar.key(id, part)).await?;
            }
        }
        let stay: Vec<BucketManifest> =
            listing.backups.into_iter().map(|one| one.manifest).filter(|one| !ids.contains(&one.id)).collect();
        let lying = self.store.list(self.cellar.as_str()).await?;
        let lying: Vec<&str> = lying.iter().filter_map(|found| self.cellar.stored_of(&found.key)).collect();
        let unused = BucketManifest::unused(&stay, lying);
        for stored in &unused {
            self.store.delete(&self.cellar.stored(stored)).await?;
        }
        Ok(unused.len())
    }
}
