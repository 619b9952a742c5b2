//! How an image is made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::container::Hidden;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// Absolute path of the context, or a URL that the engine fetches by itself.
    pub context: String,
    /// Path of the Dockerfile, relative to the context or absolute. Not used with `dockerfile_inline`.
    pub dockerfile: Option<String>,
    /// The Dockerfile's own text.
    pub dockerfile_inline: Option<String>,
    pub target: Option<String>,
    /// An argument without a value was not set in the caller's environment.
    pub args: BTreeMap<String, Option<Hidden>>,
    pub labels: BTreeMap<String, String>,
    pub tags: Vec<String>,
    pub cache_from: Vec<String>,
    pub extra_hosts: Vec<String>,
    pub network: Option<String>,
    pub platforms: Vec<String>,
    pub no_cache: bool,
    pub pull: bool,
    pub shm_size_bytes: Option<u64>,
    pub ulimits: BTreeMap<String, super::container::Ulimit>,
    /// The socket of an SSH agent, by the id that an instruction names; needs BuildKit.
    #[serde(default)]
    pub ssh: BTreeMap<String, String>,
    /// Secret id to its source; needs BuildKit, and a build that declares one is refused without it.
    pub secrets: BTreeMap<String, super::container::Injected>,
    pub privileged: bool,
}
