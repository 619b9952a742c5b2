//! How a database is backed up: where to, when, and how much of it stays.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Hidden;
use crate::postgres::backup::retention::Keep;

/// `backup` of a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backup {
    pub to: Destination,
    /// When; without one, only when somebody asks.
    pub schedule: Option<Schedule>,
    /// When the newest one is restored and compared.
    pub drill: Option<Schedule>,
    /// Without it, everything is kept.
    pub keep: Option<Keep>,
    /// age recipients beside the key of the host.
    pub recipients: Vec<String>,
}

/// Five fields of cron, and the zone in which they are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub cron: String,
    /// `Europe/Berlin`; the host's own when it is left out, as cron does.
    pub zone: Option<String>,
}

/// Where backups go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// An absolute path on the host.
    Folder(String),
    S3(Bucket),
}

/// A place in a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    pub bucket: String,
    /// Without slashes around it; may be empty.
    pub prefix: String,
    /// Of a server that is not Amazon's: `https://s3.example.com`.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    /// The bucket in the path rather than in the host's name.
    pub path_style: bool,
    pub access_key: Option<Hidden>,
    pub secret_key: Option<Hidden>,
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.zone {
            Some(zone) => write!(f, "{} ({zone})", self.cron),
            None => f.write_str(&self.cron),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Folder(path) => f.write_str(path),
            Destination::S3(bucket) => {
                write!(f, "s3://{}", bucket.bucket)?;
                if !bucket.prefix.is_empty() {
                    write!(f, "/{}", bucket.prefix)?;
                }
                match &bucket.endpoint {
                    Some(endpoint) => write!(f, " at {endpoint}"),
                    None => Ok(()),
                }
            }
        }
    }
}
