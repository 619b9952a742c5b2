//! Why a backup was made.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Retention keeps by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Somebody asked for it, perhaps saying why.
    Manual(Option<String>),
    Scheduled,
    /// Taken just before something that changes data, such as `migration`: the way back from it.
    Before(String),
}

impl Reason {
    /// Whether it is the way back from an operation.
    pub fn is_way_back(&self) -> bool {
        matches!(self, Reason::Before(_))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Manual(None) => f.write_str("manual"),
            Reason::Manual(Some(why)) => write!(f, "manual: {why}"),
            Reason::Scheduled => f.write_str("scheduled"),
            Reason::Before(what) => write!(f, "before {what}"),
        }
    }
}
