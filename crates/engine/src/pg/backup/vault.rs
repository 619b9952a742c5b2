//! The backups of one database in a store: listed, read, proven, cleared away.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use mainstay_model::declared::Destination;
use mainstay_model::identity::BackupId;
use mainstay_model::postgres::backup::layout::{Part, Shelf};
use mainstay_model::postgres::backup::retention::Standing;
use mainstay_model::postgres::backup::{Manifest, Proof};
use serde::{Deserialize, Serialize};

use super::error::BackupError;
use super::flow::{self, Opened};
use crate::blobs::{Begun, Found, Store};
use crate::secrets::{Seals, SecretsError};

/// So many manifests are read at a time.
const AT_ONCE: usize = 8;
/// What somebody else may still be writing is left alone for so long.
const ABANDONED_AFTER_SECONDS: i64 = 24 * 3600;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Vault {
    store: Store,
    shelf: Shelf,
    seals: Seals,
    /// For sentences: `crm of pms`.
    of: String,
}

/// A backup with what its drills have said.
#[derive(Clone, Debug, PartialEq)]
pub struct Shelved {
    pub manifest: Manifest,
    /// The oldest first.
    pub proofs: Vec<Proof>,
}

/// One that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unusable {
    pub id: BackupId,
    pub why: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The newest first.
    pub backups: Vec<Shelved>,
    pub unusable: Vec<Unusable>,
}

/// What stands beside a backup while it is being written.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Marker {
    pub begun: Begun,
    /// Of the cluster that is backed up: whoever holds the lock of its database may clear away what it left.
    pub system_id: Option<String>,
}

impl Shelved {
    pub fn standing(&self) -> Standing {
        match self.proofs.last() {
            None => Standing::Unproven,
            Some(proof) if proof.is_proven() => Standing::Proven,
            Some(_) => Standing::Failed,
        }
    }

    /// The last drill that held.
    pub fn proven(&self) -> Option<&Proof> {
        self.proofs.iter().rev().find(|proof| proof.is_proven())
    }
}

impl Vault {
    pub fn new(store: Store, shelf: Shelf, seals: Seals, of: impl Into<String>) -> Vault {
        Vault { store, shelf, seals, of: of.into() }
    }

    /// The vault of a database: of a stack, or of a server by its name.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn open(
        to: &Destination,
        owner: &str,
        env: Option<&str>,
        database: &str,
        seals: Seals,
    ) -> Result<Vault, BackupError> {
        let of = match env {
            Some(env) => format!("`{database}` of {owner} ({env})"),
            None => format!("`{database}` of {owner}"),
        };
        Ok(Vault::new(Store::open(to)?, Shelf::new(owner, env, database), seals, of))
    }

    /// With other keys to open with.
    #[must_use]
    pub fn opened_with(self, keys: &Seals) -> Vault {
        Vault { seals: self.seals.opened_with(keys), ..self }
    }

    /// What may be shown of where they lie.
    pub fn place(&self) -> &str {
        self.store.place()
    }

    pub fn of(&self) -> &str {
        &self.of
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn seals(&self) -> &Seals {
        &self.seals
    }

    pub(super) fn key(&self, id: &BackupId, part: &Part) -> String {
        self.shelf.key(id, part)
    }

    /// Everything that is there.
    ///
    /// # Errors
    /// When the store does not answer. One that cannot be read is in the list of those.
    pub async fn list(&self) -> Result<Listing, BackupError> {
        let found = self.found().await?;
        // Each owns what it needs, so that the whole can be sent between threads.
        let mut reading = Vec::new();
        for (id, parts) in found {
            if parts.contains_key(&Part::Manifest) {
                let vault = self.clone();
                reading.push(async move {
                    let shelved = vault.shelved(&id, &parts).await;
                    (id, shelved)
                });
            }
        }
        let mut read: Vec<_> = stream::iter(reading).buffer_unordered(AT_ONCE).collect().await;
        read.sort_by(|(one, _), (other, _)| other.cmp(one));
        let mut listing = Listing::default();
        for (id, shelved) in read {
            match shelved {
                Ok(shelved) => listing.backups.push(shelved),
                // The store is away: that says nothing of the backup.
                Err(BackupError::Blob(error)) if !error.is_not_there() => return Err(error.into()),
                Err(error) => listing.unusable.push(Unusable { id, why: error.to_string() }),
            }
        }
        Ok(listing)
    }

    /// One by its id.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn get(&self, id: &BackupId) -> Result<Shelved, BackupError> {
        let found = self.found().await?;
        match found.get(id).filter(|parts| parts.contains_key(&Part::Manifest)) {
            Some(parts) => self.shelved(id, parts).await,
            None => {
                let place = self.place().to_owned();
                Err(BackupError::NoSuchBackup { id: id.clone(), of: self.of.clone(), place })
            }
        }
    }

    /// What `pg_dump` wrote.
    ///
    /// # Errors
    /// When the store does not answer; damage is the last item of the stream.
    pub async fn data(&self, manifest: &Manifest) -> Result<Opened, BackupError> {
        let key = self.key(&manifest.id, &Part::Dump);
        let reading = self.store.read(&key).await.map_err(|error| match error.is_not_there() {
            true => BackupError::Damaged { id: manifest.id.clone(), what: "its data is not there".into() },
            false => error.into(),
        })?;
        Ok(flow::open(&self.seals, &manifest.id, &manifest.stored, reading))
    }

    /// Reads all of it, opens it, and holds every hash against the manifest.
    ///
    /// # Errors
    /// What is damaged.
    pub async fn verify(&self, manifest: &Manifest, mut told: impl FnMut(u64)) -> Result<(), BackupError> {
        let mut opened = self.data(manifest).await?;
        let mut bytes = 0;
        while let Some(piece) = opened.next().await {
            bytes += piece?.len() as u64;
            told(bytes);
        }
        Ok(())
    }

    /// Writes down what came of a drill.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn put_proof(&self, proof: &Proof) -> Result<(), BackupError> {
        // As it stands in a key: `20261126T050000Z`.
        let time: String =
            proof.ended_at.chars().take_while(|c| *c != '.').filter(char::is_ascii_alphanumeric).collect();
        let key = self.key(&proof.backup, &Part::Proof(format!("{}Z", time.trim_end_matches('Z'))));
        self.put_sealed(&key, proof.text().as_bytes()).await
    }

    pub(super) async fn put_sealed(&self, key: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let sealed = self.seals.seal(bytes)?;
        Ok(self.store.put(key, sealed.into()).await?)
    }

    /// Takes away what an attempt has written so far. Its manifest goes first.
    pub(super) async fn forget(&self, id: &BackupId) -> Result<(), BackupError> {
        self.store.delete(&self.key(id, &Part::Manifest)).await?;
        let key = self.key(id, &Part::Dump);
        let upload_id = self.marker(id).await?.and_then(|marker| marker.begun.upload_id);
        self.store.clear(&Begun { key, upload_id }).await?;
        Ok(self.store.delete(&self.key(id, &Part::Begun)).await?)
    }

    /// Takes a backup away. The manifest goes first: from then on it is none.
    ///
    /// # Errors
    /// When the store does not delete it.
    pub async fn delete(&self, id: &BackupId) -> Result<(), BackupError> {
        self.store.delete(&self.key(id, &Part::Manifest)).await?;
        let found = self.found().await?;
        for part in found.get(id).into_iter().flat_map(BTreeMap::keys) {
            self.store.delete(&self.key(id, part)).await?;
        }
        Ok(())
    }

    /// Clears away what attempts have left that were broken off. Called under the lock of the database of `system_id`; what
    /// may be another cluster's is left alone for a day. Gives the ids.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn sweep(&self, system_id: Option<&str>, now: i64) -> Result<Vec<BackupId>, BackupError> {
        let mut swept = Vec::new();
        for (id, parts) in self.found().await? {
            let is_old = parts.values().all(|found| now - found.written_at > ABANDONED_AFTER_SECONDS);
            let marker = match parts.contains_key(&Part::Begun) {
                true => self.marker(&id).await?,
                false => None,
            };
            let is_ours =
                marker.as_ref().is_some_and(|marker| system_id.is_some() && marker.system_id.as_deref() == system_id);
            if parts.contains_key(&Part::Manifest) {
                // It was finished; only the marker was left.
                if parts.contains_key(&Part::Begun) && (is_ours || is_old) {
                    self.store.delete(&self.key(&id, &Part::Begun)).await?;
                }
                continue;
            }
            if !is_ours && !is_old {
                continue;
            }
            let begun = marker.map(|marker| marker.begun);
            let begun = begun.unwrap_or(Begun { key: self.key(&id, &Part::Dump), upload_id: None });
            // The key is not taken from what somebody may have written there.
            self.store.clear(&Begun { key: self.key(&id, &Part::Dump), ..begun }).await?;
            for part in parts.keys() {
                self.store.delete(&self.key(&id, part)).await?;
            }
            swept.push(id);
        }
        Ok(swept)
    }

    async fn marker(&self, id: &BackupId) -> Result<Option<Marker>, BackupError> {
        match self.store.get(&self.key(id, &Part::Begun)).await {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.is_not_there() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn found(&self) -> Result<BTreeMap<BackupId, BTreeMap<Part, Found>>, BackupError> {
        let mut all: BTreeMap<BackupId, BTreeMap<Part, Found>> = BTreeMap::new();
        for found in self.store.list(self.shelf.as_str()).await? {
            if let Some((id, part)) = self.shelf.read(&found.key) {
                all.entry(id).or_default().insert(part, found);
            }
        }
        Ok(all)
    }

    async fn shelved(&self, id: &BackupId, parts: &BTreeMap<Part, Found>) -> Result<Shelved, BackupError> {
        let damaged = |what: String| BackupError::Damaged { id: id.clone(), what };
        let text = self.open_small(id, &Part::Manifest).await?;
        let manifest = Manifest::read(&text).map_err(|problem| damaged(format!("its manifest: {problem}")))?;
        if manifest.id != *id {
            return Err(damaged(format!("its manifest is that of {}", manifest.id)));
        }
        match parts.get(&Part::Dump) {
            None => return Err(damaged("its data is not there".into())),
            Some(data) if data.bytes != manifest.stored.bytes => {
                let (is, was) = (data.bytes, manifest.stored.bytes);
                return Err(damaged(format!("its data has {is} bytes, and {was} were stored")));
            }
            Some(_) => {}
        }
        let mut proofs = Vec::new();
        for part in parts.keys().filter(|part| matches!(part, Part::Proof(_))) {
            // One that cannot be read proves nothing.
            let proof = self.open_small(id, part).await.ok().and_then(|text| Proof::read(&text).ok());
            proofs.extend(proof.filter(|proof| proof.backup == *id));
        }
        Ok(Shelved { manifest, proofs })
    }

    async fn open_small(&self, id: &BackupId, part: &Part) -> Result<Bytes, BackupError> {
        let key = self.key(id, part);
        let sealed = self.store.get(&key).await?;
        let opened = self.seals.open(&key, &sealed).map_err(|error| match error {
            SecretsError::OtherRecipients { .. } => BackupError::OtherKey { id: id.clone() },
            SecretsError::Damaged { why, .. } => {
                BackupError::Damaged { id: id.clone(), what: format!("`{key}` cannot be opened: {why}") }
            }
            other => other.into(),
        })?;
        Ok(opened.into())
    }
}
