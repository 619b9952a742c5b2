//! What a database holds, as it was in one snapshot: enough to tell whether a restored copy is the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::declared::Hidden;

/// Taken of the source for a manifest, and of a restored copy to be held against it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contents {
    pub server: ServerFacts,
    pub database: DatabaseFacts,
    pub extensions: BTreeMap<String, Extension>,
    /// By name, without the server's own (`pg_…`). Never a password.
    pub roles: BTreeMap<String, Role>,
    /// What `ALTER ROLE … SET` and `ALTER DATABASE … SET` have set.
    pub settings: Vec<Settings>,
    /// By [`quoted`](super::quoted) name.
    pub tables: BTreeMap<String, Table>,
    /// By [`quoted`](super::quoted) name.
    pub sequences: BTreeMap<String, Sequence>,
    pub large_objects: LargeObjects,
    pub schema: SchemaText,
    /// How the digests of tables were made: what is held against them has to be made in the same way.
    #[serde(default)]
    pub rows_as: RowsAs,
}

/// What of a row its digest is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowsAs {
    /// The whole row as text. Every server can; manifests that say nothing have it.
    #[default]
    Text,
    /// Values as they lie where their hash tells every two apart, the others as text: half the work of a server.
    Values,
}

impl RowsAs {
    /// For a new manifest.
    pub fn best_of(major: u32) -> RowsAs {
        // `hash_record_extended` came with Postgres 14.
        if major >= 14 { RowsAs::Values } else { RowsAs::Text }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// `15.18 (Debian 15.18-0+deb12u1)`.
    pub version: String,
    /// `150018`.
    pub version_num: u32,
    /// The cluster's own number; a role without the right to ask has none.
    pub system_id: Option<String>,
    /// Where its log stood.
    pub lsn: Option<String>,
    /// A standby.
    pub in_recovery: bool,
}

impl ServerFacts {
    /// The `15` of `15.18`.
    pub fn major(&self) -> u32 {
        self.version_num / 10_000
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseFacts {
    pub name: String,
    pub owner: String,
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
    /// `libc`, `icu` or `builtin`.
    pub provider: String,
    /// Of another provider than libc.
    pub locale: Option<String>,
    /// Who may do what with the database itself, as `GRANT` left it.
    pub acl: Vec<String>,
    /// As the server counts it, with indexes.
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    pub version: String,
    pub schema: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    #[serde(flatten)]
    pub attributes: RoleAttributes,
    /// The roles that it is a member of.
    pub member_of: Vec<Membership>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools)]
pub struct RoleAttributes {
    pub superuser: bool,
    pub inherit: bool,
    pub create_role: bool,
    pub create_db: bool,
    pub login: bool,
    pub replication: bool,
    pub bypass_rls: bool,
    /// -1: as many as the server takes.
    pub connection_limit: i32,
    pub valid_until: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Membership {
    pub role: String,
    pub admin: bool,
    /// Since Postgres 16; before, the member's own attribute says it.
    pub inherit: Option<bool>,
    /// Since Postgres 16.
    pub set: Option<bool>,
}

/// The settings of one role, of this database, or of one in the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// `None`: of every role.
    pub role: Option<String>,
    /// Only in this database.
    pub in_database: bool,
    pub settings: Vec<Setting>,
}

/// People keep keys in settings, so a value is never shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    pub name: String,
    pub value: Hidden,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    Table,
    /// A table whose rows lie in its partitions.
    Partitioned,
    /// Made anew by a restore, so its rows need not be those it had.
    MaterializedView,
    /// Its rows are elsewhere, and in no dump.
    Foreign,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub kind: TableKind,
    pub row_security: bool,
    pub row_security_forced: bool,
    /// The extension that it belongs to: of its rows only those that the extension says are in a dump.
    pub extension: Option<String>,
    /// Of a kind without rows of its own there are none.
    pub digest: Option<TableDigest>,
}

/// What its rows come to, in whatever order they are: how many there are, and the sums of two 64-bit hashes of each
/// ([`RowsAs`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDigest {
    pub rows: u64,
    /// Two sums, as decimal numbers with a hyphen between them.
    pub sums: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    pub last_value: i64,
    pub is_called: bool,
    pub increment: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeObjects {
    pub count: u64,
    pub bytes: u64,
    /// As of a table's rows; over the pages.
    pub sums: String,
}

/// The text of `pg_dump --schema-only`, without the lines that differ each time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaText {
    pub sha256: String,
    pub bytes: u64,
}
