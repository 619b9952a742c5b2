//! The Compose dialect: from files to one settled tree, as `docker compose config` settles it.
//!
//! The order is the reference's: each document is parsed into a spanned [`tree`], interpolated and cast,
//! `include` and `extends` are followed, files are merged by the rule of each path, the result is checked,
//! brought to its long forms, filtered by profiles and completed with defaults. Every complaint carries
//! its file, line and column ([`diagnostic`]). Files are asked for by path through [`Files`]: who answers,
//! a disk or a map in a test, is not known here.

pub mod bytes;
pub mod cast;
pub mod diagnostic;
pub mod dotenv;
pub mod duration;
pub mod interpolate;
pub mod load;
pub mod schema;
pub mod tree;
pub mod yaml;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use load::{FileProblem, Files, LoadOptions, LoadRequest, Loaded, load};
pub use tree::{Entry, FileId, Map, Node, Sources, Span, Tag, Value};
