//! What is asked, from where, and what must come back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Address, Pattern, Rule};
use crate::declared::Hidden;

/// One entry of `x-mainstay.smoke`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub name: Option<String>,
    pub url: Address,
    /// In capitals.
    pub method: String,
    /// Sent with the request. The values may be keys and passwords.
    pub headers: BTreeMap<String, Hidden>,
    /// The request's.
    pub body: Option<Hidden>,
    pub expected: Expected,
    pub tls: Tls,
    pub from: Whence,
    /// From inside: the container of the service that the URL names. Services of several stacks may have the same name
    /// where the edge stands, containers never.
    #[serde(default)]
    pub container: Option<String>,
    /// How long it may take until the check holds. No attempt begins later; there is always a first one.
    pub within_ms: u64,
    /// How long one attempt may take, from the first packet to the last byte of the answer.
    pub timeout_ms: u64,
}

impl Check {
    /// As a line shows it: `POST https://shop.example.com/api`.
    pub fn shown(&self) -> String {
        format!("{} {}", self.method, self.url.shown())
    }

    /// `name:port` that the edge asks for a check from inside.
    pub fn upstream(&self) -> String {
        format!("{}:{}", self.container.as_deref().unwrap_or(&self.url.host), self.url.port())
    }

    /// Whether a person who says this means the check by its name.
    pub fn is_named(&self, words: &str) -> bool {
        self.name.as_deref() == Some(words)
    }

    /// Whether it has this in its URL.
    pub fn has_in_url(&self, words: &str) -> bool {
        self.url.shown().contains(words) || self.url.to_string().contains(words)
    }
}

/// What the answer must be. Every part must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// One of these, and nothing near them.
    pub statuses: Vec<u16>,
    /// Where the answer leads. [`Rule::Is`] is compared as an address: `/login` is the same as the whole URL of it.
    pub location: Option<Rule>,
    /// All of these stand in the body.
    pub contains: Vec<String>,
    pub matches: Option<Pattern>,
    /// By name in small letters.
    pub headers: BTreeMap<String, Rule>,
}

impl Expected {
    pub fn status(status: u16) -> Self {
        Expected {
            statuses: vec![status],
            location: None,
            contains: Vec::new(),
            matches: None,
            headers: BTreeMap::new(),
        }
    }

    /// Whether the body has to be read at all.
    pub fn looks_at_body(&self) -> bool {
        !self.contains.is_empty() || self.matches.is_some()
    }
}

/// What is asked of the certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Made out to the host, in force, and signed by somebody whom this machine or the edge trusts.
    #[default]
    Valid,
    /// Whatever is shown.
    Any,
}

/// Where the question is asked from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whence {
    /// The edge's published ports, whatever the name server says of the host.
    Edge,
    /// The edge's own networks, where services are reached by their names.
    Inside,
    /// This machine, as any visitor: by the name server.
    Outside,
}

impl Whence {
    pub const WORDS: [(&'static str, Whence); 3] =
        [("edge", Whence::Edge), ("inside", Whence::Inside), ("outside", Whence::Outside)];

    pub fn word(self) -> &'static str {
        match self {
            Whence::Edge => "edge",
            Whence::Inside => "inside",
            Whence::Outside => "outside",
        }
    }
}
