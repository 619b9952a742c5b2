//! What can be known of a Postgres database without touching one: which migrations there are, what they would do, and
//! how a ledger stands to them; how one schema differs from another; what a backup holds, how it is told from another, and
//! which are kept; what a rehearsal saw.

pub mod backup;
pub mod migration;
pub mod rehearsal;
pub mod restore;
pub mod schema;
