//! The edge: which requests of the outside world go where.
//!
//! A [`RouteTable`] is the whole of it: every [`Site`] of every stack that runs, and the [`EdgeSettings`] of the host.
//! [`caddy::render`] makes the one configuration of the proxy from it. Both are pure, so the same stacks always give
//! the same edge, and what it serves can be compared with what it should serve by comparing two values.

pub mod caddy;
pub mod settings;
pub mod site;
pub mod slots;
pub mod stack;
pub mod table;
pub mod wanted;

pub use settings::{Certificates, EdgeSettings};
pub use site::{Account, Answer, Headers, Protocol, Proxy, Site};
pub use table::{Conflict, RouteTable};
