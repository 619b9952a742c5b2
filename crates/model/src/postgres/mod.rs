//! What can be known of a Postgres database without touching one: which migrations there are, what they would do, and
//! how a ledger stands to them.

pub mod migration;
