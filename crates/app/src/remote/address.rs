//! `--host`: which machine, and by which way.

use std::fmt;
use std::net::IpAddr;

use crate::problem::Problem;

/// Where the server listens when nothing is said.
pub const PORT: u16 = 7443;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Ssh {
        user: Option<String>,
        host: String,
        port: Option<u16>,
    },
    Https {
        host: String,
        port: u16,
    },
    /// Without encryption: only to this machine itself.
    Http {
        host: String,
        port: u16,
    },
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ssh { user, host, port } => {
                let user = user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                write!(f, "ssh://{user}{}{port}", bracketed(host))
            }
            Address::Https { host, port } => write!(f, "https://{}:{port}", bracketed(host)),
            Address::Http { host, port } => write!(f, "http://{}:{port}", bracketed(host)),
        }
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

impl Address {
    /// # Errors
    /// When it is no address of a host.
    pub fn parse(text: &str) -> Result<Address, Problem> {
        let no = |why: &str| {
            Problem::usage("bad-host", format!("`--host {}`: {why}", without_password(text)))
                .hint("it is `ssh://user@vps`, `ssh://user@vps:2222` or `https://vps:7443` (docs/REMOTE.md)")
        };
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(no("it does not say by which way"));
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(no("nothing may stand behind the host"));
        }
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let (host, port) = parts(place).ok_or_else(|| no("it names no host, or a port that is none"))?;
        // What begins with a dash would be an option of `ssh`.
        let is_plain = |word: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "._-:%".contains(c);
            !word.is_empty() && !word.starts_with('-') && word.chars().all(fits)
        };
        if !is_plain(&host) {
            return Err(no("that is no name of a host"));
        }
        match scheme {
            "ssh" => {
                if user.is_some_and(|user| user.contains(':')) {
                    return Err(no("a password does not belong here: `ssh` asks its agent and its keys"));
                }
                if user.is_some_and(|user| !is_plain(user)) {
                    return Err(no("that is no name of a user"));
                }
                Ok(Address::Ssh { user: user.map(str::to_owned), host, port })
            }
            "https" | "http" if user.is_some() => {
                Err(no("a user does not belong here: the token says who asks (`MAINSTAY_TOKEN`)"))
            }
            "https" => Ok(Address::Https { host, port: port.unwrap_or(PORT) }),
            "http" if is_loopback(&host) => Ok(Address::Http { host, port: port.unwrap_or(PORT) }),
            "http" => Err(no("without encryption the token could be read on the way")),
            _ => Err(no("there is no such way")),
        }
    }
}

/// Whether a host is this machine, whatever a name server says.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn parts(place: &str) -> Option<(String, Option<u16>)> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host.to_owned(), Some(port.parse().ok()?))),
            None => rest.is_empty().then(|| (host.to_owned(), None)),
        };
    }
    match place.split_once(':') {
        Some((host, port)) => Some((host.to_owned(), Some(port.parse().ok().filter(|port| *port > 0)?))),
        None => Some((place.to_owned(), None)),
    }
}

/// Somebody wrote one into it, and it is not repeated.
fn without_password(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, rest)), Some((_, place))) if rest.split('@').next().is_some_and(|user| user.contains(':')) => {
            format!("{scheme}://…@{place}")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_must_be_read_and_written_the_same() {
        for (text, shown) in [
            ("ssh://vps", "ssh://vps"),
            ("ssh://deploy@vps.example.com:2222", "ssh://deploy@vps.example.com:2222"),
            ("ssh://deploy@[2001:db8::1]:22", "ssh://deploy@[2001:db8::1]:22"),
            ("https://vps.example.com", "https://vps.example.com:7443"),
            ("https://10.0.0.7:8443/", "https://10.0.0.7:8443"),
            ("http://127.0.0.1:7443", "http://127.0.0.1:7443"),
            ("http://[::1]:7443", "http://[::1]:7443"),
        ] {
            assert_eq!(Address::parse(text).expect(text).to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_must_be_refused_without_its_password() {
        for text in [
            "vps",
            "ftp://vps",
            "ssh://",
            "ssh://-oProxyCommand=x",
            "ssh://a b@vps",
            "ssh://-x@vps",
            "ssh://vps:0",
            "ssh://vps:x",
            "ssh://vps/path",
            "https://user@vps",
            "http://vps:7443",
            "http://128.0.0.1",
            "ssh://ada:hunter2@vps",
            "https://ada:hunter2@vps",
        ] {
            let problem = Address::parse(text).expect_err(text);
            assert_eq!(problem.code, "bad-host");
            assert!(!problem.message.contains("hunter2"), "{}", problem.message);
        }
    }
}
