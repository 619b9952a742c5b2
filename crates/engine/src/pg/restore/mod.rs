//! Restores: a whole database beside the one that lives, and then in its place; or tables of it, with everything that is theirs.

mod error;
mod guard;
mod shape;
mod swap;
mod tables;
mod whole;

pub use error::RestoreError;
pub use guard::Guard;
pub use swap::{Swap, kept_before, kept_name};
pub use tables::{Counted, Tables};
pub use whole::{Beside, Changed, Whole, changed_since};
