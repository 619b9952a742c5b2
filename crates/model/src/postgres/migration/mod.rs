//! Migrations: files of SQL that are applied once each, in the byte order of their names, and the ledger that says
//! which were.
//!
//! [`file`](MigrationFile) reads one, and finds what must never reach a server before anything runs; [`status`](Status)
//! holds a set against a ledger; [`plan`](MigrationPlan) says what an apply would do, with a digest that consent is given
//! to. Nothing here connects to anything.

mod environment;
mod fault;
mod file;
mod foreign;
mod ledger;
mod level;
mod lint;
mod place;
mod plan;
mod set;
mod statement;
mod status;

pub use environment::is_production;
pub use fault::{Fault, FaultKind};
pub(crate) use file::hex;
pub use file::{MigrationFile, Mode};
pub use foreign::{ForeignRow, Import, Imported, Proof, Sum, Tool};
pub use ledger::{LedgerName, LedgerRow, Note};
pub use level::SchemaLevel;
pub use lint::{Finding, Severity, findings};
pub use place::Place;
pub use plan::{MigrationPlan, Refusal, Step, Target};
pub use set::MigrationSet;
pub use statement::Statement;
pub use status::{Drift, Standing, Status};

#[cfg(test)]
mod tests;
