//! What can be known of a Postgres database without touching one: which migrations there are, what they would do, how a
//! ledger stands to them, how one schema differs from another, and what a backup holds.

pub mod backup;
pub mod migration;
pub mod schema;
