//! The schema of a database as values: what is in it, what migrations make, and how the two differ.
//!
//! An [`Inventory`] holds objects, each under its [`ObjectKey`] with [`Facets`]: single facts as text, as the catalogue
//! has them. A [`Replay`] remembers what each file did when the files ran one after the other on a scratch database; its
//! end is the wanted state. [`compare`] holds the live state against it and says of each [`Difference`] how bad it is;
//! [`detect`] says which files a database that was made by hand holds already; an [`Expectation`] is what a service takes
//! along to know whether its schema is there. Nothing here connects to anything.

mod compare;
mod detect;
mod difference;
mod expectation;
mod ignore;
mod inventory;
mod object;
mod replay;
mod severity;
mod types;

pub use compare::{Judged, compare};
pub use detect::{Effect, EffectState, Trace, TracedFile, adoptable, detect};
pub use difference::{Change, Difference, Grade, Severity};
pub use expectation::{Expectation, FORMAT};
pub use ignore::{Ignore, LONGEST_NAME};
pub use inventory::Inventory;
pub use object::{Facet, Facets, ObjectKey, ObjectKind};
pub use replay::Replay;
pub use types::is_narrower;

#[cfg(test)]
mod tests;
