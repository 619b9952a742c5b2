//! The address that a check asks: a URL in its parts.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// A whole URL, without a user and without a fragment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    pub scheme: Scheme,
    /// In small letters; an IPv6 address stands in brackets.
    pub host: String,
    /// `None` where the URL leaves it out or names the scheme's own.
    pub port: Option<u16>,
    /// Path and query, starting with `/`.
    pub target: String,
}

/// Why a text is no address to ask.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct AddressProblem {
    /// As in "the URL …".
    pub why: String,
    /// What to write instead.
    pub advice: String,
}

impl AddressProblem {
    fn new(why: impl Into<String>, advice: impl Into<String>) -> Self {
        AddressProblem { why: why.into(), advice: advice.into() }
    }
}

impl Address {
    /// # Errors
    /// When it is no whole `http://` or `https://` URL, names a user, or has a fragment.
    pub fn parse(text: &str) -> Result<Address, AddressProblem> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(AddressProblem::new(
                "has no scheme",
                format!("write `https://{}`", text.trim_start_matches('/')),
            ));
        };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => {
                let why = format!("has the scheme `{other}`, which is not asked here");
                return Err(AddressProblem::new(why, "write `https://` or `http://`"));
            }
        };
        if rest.contains('#') {
            return Err(AddressProblem::new("has a part after `#`, which never reaches a server", "leave it out"));
        }
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            let advice = "write it as a header: `headers: { Authorization: \"Basic …\" }`";
            return Err(AddressProblem::new("names a user or a password", advice));
        }
        let uri = Uri::from_str(text).map_err(|error| {
            let advice = "letters beyond ASCII and spaces are written encoded: `%20`, `xn--…`";
            AddressProblem::new(format!("cannot be read: {error}"), advice)
        })?;
        Address::of(scheme, &uri).ok_or_else(|| AddressProblem::new("names no host", "write `https://HOST/PATH`"))
    }

    fn of(scheme: Scheme, uri: &Uri) -> Option<Address> {
        let host = uri.host().filter(|host| !host.is_empty())?.to_ascii_lowercase();
        let authority = uri.authority()?.as_str();
        let port = authority.get(host.len()..)?.strip_prefix(':').filter(|port| !port.is_empty());
        let port = port.map(str::parse::<u16>).transpose().ok()?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Some(Address { scheme, host, port: port.filter(|port| *port != scheme.port()), target })
    }

    /// The port that is connected to.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(self.scheme.port())
    }

    /// The host without the brackets of an IPv6 address, for looking it up and for a certificate.
    pub fn host_name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// `host:port`, the port only where it is not the scheme's own: the header `Host`.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or("/")
    }

    /// Whether the name stands for the machine itself, by RFC 6761: `localhost` and every name below it.
    pub fn is_of_this_machine(&self) -> bool {
        self.host == "localhost" || self.host.ends_with(".localhost")
    }

    /// For people and logs: the values of a query, which may be keys, are left out, and so is a path of `/`.
    pub fn shown(&self) -> String {
        let (path, query) = self.target.split_once('?').map_or((self.target.as_str(), None), |(path, query)| {
            let named = query.split('&').map(|part| match part.split_once('=') {
                Some((name, value)) if !value.is_empty() => format!("{name}=…"),
                _ => part.to_owned(),
            });
            (path, Some(named.collect::<Vec<_>>().join("&")))
        });
        let base = format!("{}://{}", self.scheme.text(), self.authority());
        match query {
            Some(query) => format!("{base}{path}?{query}"),
            None if path == "/" => base,
            None => format!("{base}{path}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.text(), self.authority(), self.target)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl TryFrom<String> for Address {
    type Error = AddressProblem;

    fn try_from(text: String) -> Result<Address, AddressProblem> {
        Address::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
    }

    #[test]
    fn a_url_is_taken_apart_and_put_together_again() {
        let whole = address("HTTPS://Shop.Example.com:8443/api/v1?page=2");
        assert_eq!((whole.scheme, whole.host.as_str(), whole.port()), (Scheme::Https, "shop.example.com", 8443));
        assert_eq!(whole.target, "/api/v1?page=2");
        assert_eq!(whole.path(), "/api/v1");
        assert_eq!(whole.to_string(), "https://shop.example.com:8443/api/v1?page=2");
        assert_eq!(address("https://a.example:443").to_string(), "https://a.example/");
        assert_eq!(address("http://a.example?x").target, "/?x");
        let six = address("http://[::1]:3000/");
        assert_eq!((six.host_name(), six.authority().as_str()), ("::1", "[::1]:3000"));
    }

    #[test]
    fn a_key_in_a_query_is_not_shown() {
        assert_eq!(address("https://a.example/x?apikey=secret&all&b=").shown(), "https://a.example/x?apikey=…&all&b=");
        assert_eq!(address("https://a.example/").shown(), "https://a.example");
        assert_eq!(format!("{:?}", address("https://a.example/x?k=secret")), "https://a.example/x?k=…");
    }

    #[test]
    fn what_is_no_address_is_told_with_what_to_write() {
        for (text, why, advice) in [
            ("shop.example.com/x", "has no scheme", "write `https://shop.example.com/x`"),
            ("ftp://a.example", "has the scheme `ftp`, which is not asked here", "write `https://` or `http://`"),
            ("https://a.example/#top", "has a part after `#`, which never reaches a server", "leave it out"),
            ("https:///x", "", ""),
            ("https://", "", ""),
            ("https://a b/", "", ""),
            ("https://a.example:99999/", "", ""),
            ("https://bücher.example/", "", ""),
            ("https://ada:secret@a.example/", "names a user or a password", ""),
        ] {
            let problem = Address::parse(text).expect_err(text);
            assert!(problem.why.starts_with(why) && problem.advice.starts_with(advice), "{text}: {problem:?}");
            assert!(!problem.why.contains("secret"));
        }
    }

    #[test]
    fn names_of_this_machine_are_known() {
        for (text, is) in [
            ("http://localhost:3000", true),
            ("https://www.pontea.localhost", true),
            ("https://notlocalhost", false),
            ("https://localhost.example", false),
        ] {
            assert_eq!(address(text).is_of_this_machine(), is, "{text}");
        }
    }
}
