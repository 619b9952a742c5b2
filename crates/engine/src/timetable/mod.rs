//! What happens by itself, at its time: backups and drills of databases and buckets, by the schedules that stacks declare.
//!
//! The server wakes when something is due, and when the journal tells that a stack may declare something else now. What
//! was missed while it did not run is made up once. Nothing runs beside another: a small host has one disk.

mod bucket;
mod clock;
mod database;
mod memory;
mod row;
mod seen;
mod work;

pub use clock::{Clock, clocks};
pub use memory::{Failed, Kind, Last, Memory, Track};
pub use seen::{Drilled, Seen};
pub use work::{Drill, Drilling, Keys, Timetable};
