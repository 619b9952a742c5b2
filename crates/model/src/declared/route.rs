//! Where a service is reached from outside: the wish of the edge.

use serde::{Deserialize, Serialize};

use crate::edge::{Account, Headers, Protocol};

/// One host and path, and what answers there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// A name in small letters, without scheme and port; `*.example.com` stands for every name below.
    pub host: String,
    /// Everything below it is meant; `/` is the whole host. Never with a slash at its end otherwise.
    pub path: String,
    #[serde(flatten)]
    pub to: Target,
    #[serde(default, skip_serializing_if = "Handling::is_plain")]
    pub handling: Handling,
}

/// What the edge does with a request besides leading it on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Handling {
    pub headers: Headers,
    /// Who may come in; empty means everybody.
    pub accounts: Vec<Account>,
    /// The largest request body in bytes; `None` means no limit.
    pub max_body_bytes: Option<u64>,
    pub access_log: bool,
    /// A page that is shown instead of the service.
    pub maintenance: Option<String>,
    pub protocol: Protocol,
    /// Takes the route's path away before the request goes on.
    pub strip_path: bool,
    /// The cookie that keeps a browser with one replica.
    pub sticky_cookie: Option<String>,
}

impl Handling {
    fn is_plain(&self) -> bool {
        *self == Handling::default()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// The service's own port, in its containers.
    Port { port: u16 },
    /// Another address, told to the browser.
    Redirect { redirect: String, status: u16 },
}

/// How a container is asked whether it can serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub ask: Ask,
    /// `None`: the port that the service's routes lead to.
    pub port: Option<u16>,
    pub within_secs: u64,
}

/// What a container has to do to be taken for one that serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Answer a GET of this path with this status.
    Http { path: String, status: u16 },
    /// Accept a connection.
    Tcp,
}

impl Route {
    /// As people write it: `shop.example.com/api`.
    pub fn address(&self) -> String {
        crate::edge::site::address(&self.host, &self.path)
    }

    /// Whether its service is spoken to in something else than plain HTTP/1.1.
    pub fn speaks_else(&self) -> bool {
        matches!(self.to, Target::Port { .. }) && self.handling.protocol != crate::edge::Protocol::Http
    }

    /// Whether a request for this host, in small letters, is meant: `*.` stands for one label.
    pub fn covers_host(&self, host: &str) -> bool {
        match self.host.strip_prefix("*.") {
            Some(above) => host.split_once('.').is_some_and(|(_, rest)| rest == above),
            None => self.host == host,
        }
    }

    /// Whether a request for this path is meant: the route's own, and all below it.
    pub fn covers_path(&self, path: &str) -> bool {
        let folder = self.path.trim_end_matches('/');
        path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}
