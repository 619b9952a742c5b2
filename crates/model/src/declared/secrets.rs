//! The secrets of a stack: what its files ask of each, and the values that are never to be told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Hidden;
use crate::secrets::SecretWish;

/// By name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Secrets {
    /// `x-mainstay.secrets`.
    pub wishes: BTreeMap<String, SecretWish>,
    /// Of those that are declared or kept, wherever the value came from: for whoever has to keep them out of what is
    /// said.
    pub values: BTreeMap<String, Hidden>,
}
