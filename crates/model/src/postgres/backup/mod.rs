//! Backups: what a database holds, as it was in one snapshot, and the rules about it.
//!
//! A [`Manifest`] is written last and *is* the backup: what a database held ([`Contents`]) and what was stored of it
//! ([`Stored`]). [`compare`] tells two contents apart, in words. A [`Proof`] is what came of restoring one.
//! [`retention`] says which backups may go, [`standing`] whether a database has the backups it should have, and
//! [`layout`] under which keys everything lies.

pub mod layout;
pub mod retention;
pub mod standing;

mod compare;
mod contents;
mod difference;
mod manifest;
mod name;
mod proof;
mod reason;

pub use compare::compare;
pub use contents::{
    Contents, DatabaseFacts, Extension, LargeObjects, Membership, Role, RoleAttributes, RowsAs, SchemaText, Sequence,
    ServerFacts, Setting, Settings, Table, TableDigest, TableKind,
};
pub use difference::{Difference, Place};
pub(crate) use manifest::read_format;
pub use manifest::{Compression, Durations, FORMAT, Image, Manifest, Stored, Unreadable};
pub use name::quoted;
pub use proof::{Proof, Verdict};
pub use reason::Reason;

#[cfg(test)]
mod tests;
