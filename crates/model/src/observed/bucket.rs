//! A bucket of a stack as its server told of it.

use serde::{Deserialize, Serialize};

use crate::declared::{BucketServer, Hidden, StackBucket};

/// A bucket to ask for, and the server that has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketPlace {
    pub server: BucketServer,
    pub bucket: String,
    pub region: Option<String>,
    pub path_style: bool,
    pub access_key: Hidden,
    pub secret_key: Hidden,
}

impl BucketPlace {
    pub fn of(wish: &StackBucket) -> BucketPlace {
        BucketPlace {
            server: wish.server.clone(),
            bucket: wish.bucket.clone(),
            region: wish.region.clone(),
            path_style: wish.path_style,
            access_key: wish.access_key.clone(),
            secret_key: wish.secret_key.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservedBucket {
    There,
    Missing,
    /// Its server could not be asked.
    Unseen {
        why: String,
    },
}
