//! A file of the host that the declaration brings along, for a bind mount.

use serde::{Deserialize, Serialize};

use super::Hidden;

/// Made when it is missing; a file that is there is its owner's, whatever stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFile {
    /// Absolute.
    pub path: String,
    pub content: Hidden,
}
