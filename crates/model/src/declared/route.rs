//! Where a service is reached from outside: the wish of the edge.

use serde::{Deserialize, Serialize};

/// One host and path, and what answers there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// A name in small letters, without scheme and port; `*.example.com` stands for every name below.
    pub host: String,
    /// Everything below it is meant; `/` is the whole host. Never with a slash at its end otherwise.
    pub path: String,
    #[serde(flatten)]
    pub to: Target,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// The service's own port, in its containers.
    Port { port: u16 },
    /// Another address, told to the browser.
    Redirect { redirect: String, status: u16 },
}

/// How the edge asks whether a container can serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub path: String,
    pub status: u16,
    pub within_secs: u64,
}

impl Route {
    /// As people write it: `shop.example.com/api`.
    pub fn address(&self) -> String {
        if self.path == "/" { self.host.clone() } else { format!("{}{}", self.host, self.path) }
    }
}
