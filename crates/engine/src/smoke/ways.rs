//! The ways that lead to what is asked.

use std::net::{Ipv4Addr, SocketAddr};

use mainstay_model::smoke::Address;

use crate::edge::Edge;
use crate::world::WorldError;

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
    /// What is asked at the edge's private door, behind which a release is that is not committed yet.
    pub private: Vec<Address>,
}

/// Where the edge's ports are published, as this process reaches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    pub http: SocketAddr,
    pub https: SocketAddr,
}

impl Ways {
    /// The ways that lead to this edge as it runs now; none where it does not.
    ///
    /// # Errors
    /// When its settings cannot be read.
    pub async fn to(edge: Edge) -> Result<Ways, WorldError> {
        let settings = edge.settings()?;
        if !edge.answers().await {
            return Ok(Ways::default());
        }
        let at = |port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        let door = Door { http: at(settings.http_port), https: at(settings.https_port) };
        // An edge whose every name is public has no authority of its own, and then nothing needs it.
        let root = edge.root_certificate().await.ok();
        Ok(Ways { edge: Some(door), root, probe: Some(edge), private: Vec::new() })
    }
}
