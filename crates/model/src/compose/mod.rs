//! The Compose dialect: from files to one settled tree, as `docker compose config` settles it.
//!
//! The order is the reference's: each document is parsed into a spanned [`tree`], interpolated and cast,
//! `include` and `extends` are followed, files are merged by the rule of each path, the result is checked,
//! brought to its long forms, filtered by profiles and completed with defaults. Every complaint carries
//! its file, line and column ([`diagnostic`]). Files are asked for by path through [`Files`]: who answers,
//! a disk or a map in a test, is not known here.

pub mod bytes;
pub mod cast;
mod changed;
mod consequence;
mod consistency;
pub mod diagnostic;
pub mod dialect;
pub mod dotenv;
pub mod duration;
pub mod environment;
mod extends;
mod filepath;
mod include;
pub mod interpolate;
pub mod kept;
mod keypath;
pub mod load;
mod merge;
mod model;
pub(crate) mod name;
mod normalize;
pub mod print;
mod profiles;
mod reading;
mod scalar;
pub mod schema;
mod service_files;
pub mod tree;
pub mod yaml;

pub use consequence::Known;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use dialect::Dialect;
pub use kept::{Kept, Shadow};
pub use load::{FileProblem, Files, LoadOptions, LoadRequest, Loaded, VariableUse, load, name_of};
pub use tree::{Entry, FileId, Map, Node, Sources, Span, Tag, Value};
