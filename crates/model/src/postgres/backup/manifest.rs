//! The manifest of a backup.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Contents, Reason};
use crate::identity::BackupId;

/// What is written now. A reader takes it and those before it: 1 had no [`super::RowsAs`].
pub const FORMAT: u32 = 2;

/// Written last: where it is, there is a backup; where it is not, there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub id: BackupId,
    /// The stack that declares it, or where it was named by an address, none.
    pub stack: Option<String>,
    pub env: Option<String>,
    /// The name under `x-mainstay.databases`.
    pub database: String,
    pub reason: Reason,
    /// RFC 3339.
    pub began_at: String,
    /// When the snapshot was taken: what came after it is not in the backup.
    pub snapshot_at: String,
    pub ended_at: String,
    /// The version of Mainstay that made it.
    pub made_by: String,
    pub image: Option<Image>,
    /// What `pg_dump --version` says.
    pub dumper: String,
    pub contents: Contents,
    pub stored: Stored,
    pub durations: Durations,
}

/// The image that the server ran, or, for one elsewhere, that `pg_dump` ran in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    pub reference: String,
    /// The engine's id of it.
    pub id: String,
    /// What a registry knows it by.
    pub repo_digest: Option<String>,
}

/// The one object that holds the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Below the place of the database's backups.
    pub key: String,
    /// Of the stored object, as it lies there.
    pub bytes: u64,
    pub sha256: String,
    /// Of what `pg_dump` wrote.
    pub plain_bytes: u64,
    pub plain_sha256: String,
    pub compression: Compression,
    /// The age recipients that it is sealed for.
    pub recipients: Vec<String>,
}

/// Inside the archive, by `pg_dump` itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    Zstd(u8),
    Gzip(u8),
}

impl Compression {
    /// As `pg_dump --compress` takes it.
    pub fn flag(self) -> String {
        match self {
            Compression::Zstd(level) => format!("--compress=zstd:{level}"),
            // The words came with Postgres 16; the number alone is gzip in all.
            Compression::Gzip(level) => format!("--compress={level}"),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Compression::Zstd(level) => write!(f, "zstd:{level}"),
            Compression::Gzip(level) => write!(f, "gzip:{level}"),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    pub dump_ms: u64,
    pub digest_ms: u64,
    pub read_back_ms: u64,
    pub total_ms: u64,
}

/// Why a text is no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("it has format {found}, and this version reads up to {known}: use a newer Mainstay")]
    Newer { found: u64, known: u32 },
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// Something with a `format`, up to the one that is known.
///
/// # Errors
/// When it is of a newer format, or none.
pub(crate) fn read_format<T: DeserializeOwned>(bytes: &[u8], known: u32) -> Result<T, Unreadable> {
    let damaged = |error: serde_json::Error| Unreadable::Damaged(error.to_string());
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(damaged)?;
    match value["format"].as_u64() {
        Some(found) if found > u64::from(known) => Err(Unreadable::Newer { found, known }),
        _ => serde_json::from_value(value).map_err(damaged),
    }
}

impl Manifest {
    /// # Errors
    /// When it is of a newer format, or none.
    pub fn read(bytes: &[u8]) -> Result<Manifest, Unreadable> {
        read_format(bytes, FORMAT)
    }

    pub fn text(&self) -> String {
        // Nothing in it can fail to be written: its keys are texts.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// `crm of stack pms`, or `crm`.
    pub fn of(&self) -> String {
        match (&self.stack, &self.env) {
            (Some(stack), Some(env)) => format!("{} of {stack} ({env})", self.database),
            (Some(stack), None) => format!("{} of {stack}", self.database),
            (None, _) => self.database.clone(),
        }
    }
}
