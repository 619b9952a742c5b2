//! Reading a backup back: every content opened and held against its hash.

use std::fmt;

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use mainstay_model::bucket::{Difference, Object, Part};
use mainstay_model::identity::BackupId;
use serde::{Deserialize, Serialize};

use super::cabinet::{Cabinet, Shelved};
use super::error::BucketError;
use super::opening::{self, Fault};

/// So many contents are read at a time.
const AT_ONCE: usize = 4;

/// What came of it: a small object beside the backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    pub backup: BackupId,
    /// RFC 3339.
    pub began_at: String,
    pub ended_at: String,
    pub made_by: String,
    pub verdict: Verdict,
    pub objects: usize,
    pub bytes: u64,
    pub total_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Proven,
    Different(Vec<Difference>),
}

impl Proof {
    pub fn is_proven(&self) -> bool {
        self.verdict == Verdict::Proven
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Proven => f.write_str("proven"),
            Verdict::Different(found) => match found.as_slice() {
                [] => f.write_str("nobody wrote down what is not as it was"),
                [one] => write!(f, "{one}"),
                [one, rest @ ..] => write!(f, "{one}, and {} more are not as they were", rest.len()),
            },
        }
    }
}

impl Cabinet {
    /// Reads everything of a backup, and writes down what came of it. `told` hears the number of objects and bytes so far.
    ///
    /// # Errors
    /// When the store does not answer. What is damaged is in the proof.
    pub async fn drill(&self, shelved: &Shelved, mut told: impl FnMut(usize, u64)) -> Result<Proof, BucketError> {
        let began = (Timestamp::now(), std::time::Instant::now());
        let manifest = &shelved.manifest;
        // A content that several keys have is read once, and counts for the first of them.
        let contents = manifest.contents();
        let mut keys: Vec<(&str, &Object)> = Vec::new();
        for (key, object) in &manifest.objects {
            if contents.get(object.stored.as_str()).is_some_and(|first| std::ptr::eq(*first, object)) {
                keys.push((key, object));
            }
        }
        let keys = &keys;
        let checks = stream::iter(0..keys.len()).map(|index| async move {
            let (key, object) = keys[index];
            (self.check(key, object).await, object.bytes)
        });
        let mut checks = checks.buffer_unordered(AT_ONCE);
        let (mut found, mut objects, mut bytes) = (Vec::new(), 0, 0);
        while let Some((checked, size)) = checks.next().await {
            found.extend(checked?);
            (objects, bytes) = (objects + 1, bytes + size);
            told(objects, bytes);
        }
        drop(checks);
        found.sort_by_key(ToString::to_string);
        let now = Timestamp::now();
        let proof = Proof {
            backup: manifest.id.clone(),
            began_at: began.0.to_string(),
            ended_at: now.to_string(),
            made_by: env!("CARGO_PKG_VERSION").into(),
            verdict: if found.is_empty() { Verdict::Proven } else { Verdict::Different(found) },
            objects: manifest.objects.len(),
            bytes: manifest.bytes(),
            total_ms: u64::try_from(began.1.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        // Two within one second are two.
        let time = format!("{}{:03}Z", now.strftime("%Y%m%dT%H%M%S"), now.subsec_millisecond());
        let key = self.cellar.key(&manifest.id, &Part::Proof(time));
        self.put_sealed(&key, serde_json::to_string(&proof).unwrap_or_default().as_bytes()).await?;
        Ok(proof)
    }

    /// What is wrong with one content.
    async fn check(&self, key: &str, object: &Object) -> Result<Option<Difference>, BucketError> {
        let (key, stored) = (key.to_owned(), object.stored.clone());
        let reading = match self.store.read(&self.cellar.stored(&object.stored)).await {
            Ok(reading) => reading,
            Err(error) if error.is_not_there() => return Ok(Some(Difference::Missing { key, stored })),
            Err(error) => return Err(error.into()),
        };
        let mut opening = opening::open(&self.seals, object, reading);
        while opening.pieces.recv().await.is_some() {}
        let fault = match opening.verdict.await {
            Ok(Ok(())) => return Ok(None),
            Ok(Err(fault)) => fault,
            Err(error) => Fault::Unreadable(error.to_string()),
        };
        Ok(Some(match fault {
            Fault::Gone => Difference::Missing { key, stored },
            Fault::Size(found) => Difference::Size { key, recorded: object.bytes, found },
            Fault::Hash(found) => Difference::Bytes { key, recorded: object.sha256.clone(), found },
            Fault::Unreadable(words) => Difference::Unreadable { key, stored, words },
            Fault::Left => Difference::Unreadable { key, stored, words: "it was broken off".into() },
            Fault::Store(error) => return Err(error.into()),
        }))
    }
}
