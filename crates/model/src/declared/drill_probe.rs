//! What every restored copy of a database is asked.

use serde::{Deserialize, Serialize};

/// One entry of `probes` of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillProbe {
    /// For sentences; the query when it has no name.
    pub name: String,
    pub sql: String,
    /// The answer, as `psql -At` writes it.
    pub expect: String,
    pub within_secs: u64,
}
