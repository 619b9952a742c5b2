//! A bucket of a stack: where it is, with which settings it is made, and how it is backed up.

use serde::{Deserialize, Serialize};

use super::{Backup, Hidden};
use crate::identity::ServiceName;

/// One entry of `x-mainstay.buckets`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackBucket {
    pub server: BucketServer,
    /// As the server knows it.
    pub bucket: String,
    pub region: Option<String>,
    /// The bucket in the path rather than in the host's name.
    pub path_style: bool,
    pub access_key: Hidden,
    pub secret_key: Hidden,
    /// Which pages of other origins may use it from a browser; nothing leaves the server's own rules as they are.
    pub cors: Option<Vec<CorsRule>>,
    pub backup: Option<Backup>,
}

/// Which server has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BucketServer {
    /// A service of the stack: at its container's address, whatever it is then.
    Service { service: ServiceName, port: u16 },
    /// A server that is none of the stack's: `https://s3.example.com`.
    Endpoint(String),
}

/// One rule of a bucket's CORS settings, in the words of S3.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorsRule {
    pub origins: Vec<String>,
    pub methods: Vec<String>,
    pub headers: Vec<String>,
    /// Headers of answers that a page may read.
    pub expose: Vec<String>,
    pub max_age_seconds: Option<u64>,
}
