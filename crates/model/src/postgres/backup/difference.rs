//! One thing in which two contents are not the same.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Place {
    Server,
    Database,
    Extension(String),
    Role(String),
    /// Of a role, or of all.
    Settings(Option<String>),
    Table(String),
    Sequence(String),
    LargeObjects,
    Schema,
    Index(String),
    /// A question of the stack's own.
    Probe(String),
}

/// Where, and in words, with both sides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Difference {
    pub place: Place,
    pub what: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Server => f.write_str("server"),
            Place::Database => f.write_str("database"),
            Place::Extension(name) => write!(f, "extension {name}"),
            Place::Role(name) => write!(f, "role {name}"),
            Place::Settings(Some(role)) => write!(f, "settings of role {role}"),
            Place::Settings(None) => f.write_str("settings of the database"),
            Place::Table(name) => write!(f, "table {name}"),
            Place::Sequence(name) => write!(f, "sequence {name}"),
            Place::LargeObjects => f.write_str("large objects"),
            Place::Schema => f.write_str("schema"),
            Place::Index(name) => write!(f, "index {name}"),
            Place::Probe(name) => write!(f, "probe {name}"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
