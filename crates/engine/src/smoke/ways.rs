//! The ways that lead to what is asked.

use std::net::SocketAddr;

use crate::edge::Edge;

/// How this host's edge is reached; nothing where there is none.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// For `from: edge`. Without it, such checks are asked as a visitor would, and their reports say so.
    pub edge: Option<Door>,
    /// The root certificate of the edge's own authority, as PEM: trusted besides the system's at the edge, and for
    /// names that no public authority can sign.
    pub root: Option<String>,
    /// For `from: inside`.
    pub probe: Option<Edge>,
}

/// Where the edge's ports are published, as this process reaches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    pub http: SocketAddr,
    pub https: SocketAddr,
}
