//! Secrets: what a stack's files ask of them, which of them are in order, and how their values are kept out of
//! everything that is said.
//!
//! Values come and go here; where they are kept is not known.

mod forms;
pub mod judge;
pub mod redactor;
mod views;
pub mod wish;

pub use judge::{Fault, judge};
pub use redactor::{MASK, Redactor};
pub use wish::{Format, Recipe, SecretWish};
