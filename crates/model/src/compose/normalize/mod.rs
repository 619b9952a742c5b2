//! From what a person may write to the one long form that everything after reads.
//!
//! In the order in which they run: [`short`] expands the short forms of a merged file, [`defaults`] adds
//! what is unsaid and refuses what contradicts itself, [`paths`] makes relative paths absolute,
//! [`environment`] takes values from the caller, [`complete`] adds what Compose implies (the default
//! network, names, dependencies), and [`settle`] gives every value the type of its place ([`shape`]).

mod complete;
mod defaults;
mod environment;
mod paths;
mod ports;
mod settle;
mod shape;
mod short;
mod volumes;
mod words;

pub use complete::complete;
pub use defaults::{add_defaults, check_exclusive};
pub use environment::take_environment;
pub use paths::resolve_paths;
pub use settle::settle;
pub use shape::{Keep, PROJECT, SERVICE, Shape, Struct};
pub use short::expand;
pub use volumes::volume_target;
