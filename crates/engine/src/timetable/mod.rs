//! What happens by itself, at its time: backups and drills of databases, by the schedules that stacks declare.
//!
//! The server wakes when something is due, and when the journal tells that a stack may declare something else now. What
//! was missed while it did not run is made up once. Nothing runs beside another: a small host has one disk.

mod clock;
mod memory;
mod work;

pub use clock::Clock;
pub use memory::{Failed, Last, Memory, Track};
pub use work::{Drill, Drilling, Keys, Timetable};
