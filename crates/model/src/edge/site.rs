//! One host and path, and what the edge does with a request for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::identity::{ServiceName, StackName};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Whose route it is.
    pub stack: StackName,
    pub service: ServiceName,
    /// Lower case; `*.acme.org` stands for one label.
    pub host: String,
    /// `/` for everything, else a path that is matched as a whole and as a folder: `/api` is `/api` and `/api/…`.
    pub path: String,
    pub answer: Answer,
    pub headers: Headers,
    /// Who may come in; empty means everybody.
    pub accounts: Vec<Account>,
    /// The largest request body in bytes; `None` means no limit.
    pub max_body_bytes: Option<u64>,
    /// Whether each request is written to the edge's log.
    pub access_log: bool,
}

impl Site {
    /// As people write it: `shop.example.com/api`.
    pub fn address(&self) -> String {
        address(&self.host, &self.path)
    }

    /// The `name:port`s that it leads to; none for what the edge answers itself.
    pub fn upstreams(&self) -> &[String] {
        match &self.answer {
            Answer::Proxy(proxy) => &proxy.upstreams,
            Answer::Redirect { .. } | Answer::Maintenance { .. } => &[],
        }
    }
}

/// A host and a path as people write them: `shop.example.com/api`, and the host alone for all of it.
pub fn address(host: &str, path: &str) -> String {
    if path == "/" { host.to_owned() } else { format!("{host}{path}") }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Proxy(Proxy),
    Redirect {
        /// A URL without a path keeps the path and query of the request.
        to: String,
        status: u16,
    },
    /// A page instead of the service, with 503 and `Retry-After`.
    Maintenance {
        page: String,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proxy {
    /// `name:port`, resolved inside the edge's networks at each connection. Empty is answered with 503.
    pub upstreams: Vec<String>,
    pub protocol: Protocol,
    /// Takes the site's path away before the request goes on.
    pub strip_path: bool,
    /// The cookie that keeps a browser with one replica.
    pub sticky_cookie: Option<String>,
}

/// What the service speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1, WebSockets included.
    #[default]
    Http,
    /// HTTP/2 without TLS, as gRPC services speak it.
    H2c,
    /// HTTP over TLS; the certificate is not checked, because it is made out to no name that the edge knows.
    Https,
}

/// Header fields to set, or to take away where the value is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Headers {
    /// On the way to the service.
    pub request: BTreeMap<String, Option<String>>,
    /// On the way to the client.
    pub response: BTreeMap<String, Option<String>>,
}

impl Headers {
    pub fn is_empty(&self) -> bool {
        self.request.is_empty() && self.response.is_empty()
    }
}

/// Someone who may come in with a name and a password.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Account {
    pub user: String,
    /// bcrypt or argon2id; never the password itself.
    pub password_hash: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("user", &self.user).field("password_hash", &"…").finish()
    }
}
