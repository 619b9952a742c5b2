//! A database of a stack: where it is, who connects, and which migrations it has.

use serde::{Deserialize, Serialize};

use super::{Backup, DrillProbe, Hidden};
use crate::identity::ServiceName;
use crate::postgres::migration::LedgerName;

/// One entry of `x-mainstay.databases`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Database {
    pub whereabouts: Whereabouts,
    pub migrations: Option<Migrations>,
    #[serde(default)]
    pub backup: Option<Backup>,
    /// What `pg_dump` runs in for a server elsewhere; `postgres` of the server's version when it is left out.
    #[serde(default)]
    pub image: Option<String>,
    /// What every restored copy is asked.
    #[serde(default)]
    pub probes: Vec<DrillProbe>,
}

/// How it is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whereabouts {
    /// A service of the stack: at its container's address, whatever it is then.
    Service { service: ServiceName, port: u16, database: String, user: String, password: Option<Hidden> },
    /// A server that is none of the stack's, as `postgres://…`.
    Url(Hidden),
}

/// The files that make its schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migrations {
    /// An absolute path.
    pub dir: String,
    pub ledger: LedgerName,
}
