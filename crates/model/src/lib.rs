//! What Mainstay knows: pure values and pure functions between them.
//!
//! Nothing here touches a file, a socket, a clock, the environment, a process or a terminal; `clippy.toml`
//! beside this crate bans the ways to do so and a test holds the dependencies to an allow-list. The walk:
//! [`compose`] reads files into one settled tree, [`declared`] makes a typed wish of it, [`observed`] is a
//! snapshot of the world, [`plan`] decides the steps from one to the other, [`operation`] is what an apply
//! utters, [`smoke`] judges what was answered, [`postgres`] is what can be known of a database without one,
//! [`sim`] plays steps on an [`observed::Observed`] so that the laws can be tested without an engine.

pub mod bucket;
pub mod compose;
pub mod declared;
pub mod edge;
pub mod identity;
pub mod observed;
pub mod operation;
pub mod plan;
pub mod postgres;
pub mod secrets;
pub mod sim;
pub mod smoke;
pub mod starter;
