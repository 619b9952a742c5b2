//! Drills: a backup is restored into a server that is thrown away, and everything is compared with its manifest.

mod checks;
mod copy;
mod prove;
mod scheduled;

pub use copy::{Failed, RestoredCopy, Wanted};
pub(crate) use copy::{of_reading, rest_of, words};
pub use prove::{Drill, Drilled, Told};
pub use scheduled::scheduled;
