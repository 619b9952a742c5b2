//! What belongs to the edge of a host and to no stack: its ports, where certificates come from.

use serde::{Deserialize, Serialize};

/// The settings of one edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EdgeSettings {
    /// The name of its stack. Default `mainstay-edge`.
    pub name: String,
    /// The image of Caddy, 2.8 or later. Default `caddy:2`.
    pub image: String,
    /// The host's port for plain HTTP, which only leads to HTTPS. Default 80.
    pub http_port: u16,
    /// The host's port for HTTPS. Default 443.
    pub https_port: u16,
    pub certificates: Certificates,
    /// The address that the certificate authority may write to.
    pub email: Option<String>,
    /// Another ACME directory than Let's Encrypt's, such as a staging one.
    pub acme_directory: Option<String>,
}

impl Default for EdgeSettings {
    fn default() -> Self {
        EdgeSettings {
            name: "mainstay-edge".into(),
            image: "caddy:2".into(),
            http_port: 80,
            https_port: 443,
            certificates: Certificates::default(),
            email: None,
            acme_directory: None,
        }
    }
}

impl EdgeSettings {
    /// The name of its one container.
    pub fn container(&self) -> String {
        format!("{}-{}-1", self.name, super::stack::SERVICE)
    }
}

/// Who signs the certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certificates {
    /// A public authority for public names, the edge's own for names that no public one can sign.
    #[default]
    Auto,
    /// The edge's own authority for every name: off the internet, and for a rehearsal of production.
    Internal,
}

impl Certificates {
    /// Whether the certificate of this host comes from the edge's own authority.
    pub fn are_internal_for(self, host: &str) -> bool {
        self == Certificates::Internal || !is_public_name(host)
    }
}

/// Endings that are reserved, by RFC 6761, 6762, 8375 or ICANN, for names that never stand in the public DNS.
const PRIVATE_ENDINGS: &[&str] = &["localhost", "local", "internal", "test", "example", "invalid", "home.arpa"];

/// Whether a public authority could sign a certificate for the name.
fn is_public_name(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let is_private = PRIVATE_ENDINGS
        .iter()
        .any(|end| name == *end || name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.')));
    let is_address = name.contains(':') || name.split('.').all(|part| part.parse::<u8>().is_ok());
    name.contains('.') && !is_private && !is_address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_public_authority_signs_are_signed_here() {
        for host in ["pontea.localhost", "localhost", "nas", "printer.local", "10.0.0.7", "::1", "*.dev.internal"] {
            assert!(Certificates::Auto.are_internal_for(host), "{host}");
        }
        for host in ["acme.org", "*.acme.org", "www.notlocalhost", "localhost.acme.org", "internal.acme.io"] {
            assert!(!Certificates::Auto.are_internal_for(host), "{host}");
        }
        assert!(Certificates::Internal.are_internal_for("acme.org"));
    }
}
