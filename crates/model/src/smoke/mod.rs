//! Smoke checks: what must be answered at an address, and the verdict on what was answered.
//!
//! A [`Check`] says it, an [`Answer`] or a [`NoAnswer`] is what came of asking, [`judge`] compares the two and gives the
//! reasons why it does not hold. Everything here is pure: the asking is the engine's.
//!
//! A check never means "some success": 401, 302 and 307 are health where they are declared, and a redirect is an
//! answer, never followed.

pub mod address;
pub mod answer;
pub mod check;
pub mod report;
pub mod rule;
mod same_place;
pub mod verdict;

pub use address::{Address, Scheme};
pub use answer::{Answer, Certificate, Flaw, NoAnswer};
pub use check::{Check, Expected, Tls, Whence};
pub use report::Report;
pub use rule::{Pattern, Rule};
pub use verdict::judge;
