//! What came of asking.

use std::time::Duration;

/// What a server answered; a redirect is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in small letters, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// Text as far as it is any; only the beginning of a long body.
    pub body: String,
    /// Whether the body went on.
    pub is_cut: bool,
    /// What was shown over TLS.
    pub certificate: Option<Certificate>,
}

impl Answer {
    /// Every value of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let same = self.headers.iter().filter(|(other, _)| other == name);
        same.map(|(_, value)| value.as_str()).collect()
    }
}

/// What is known of a certificate that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// What is left of its time, where that is little for one of its length: somebody should have renewed it.
    pub ends_in: Option<Duration>,
}

/// Why nothing was answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    #[error("no name server knows `{host}`: {why}")]
    Name { host: String, why: String },
    /// `to` is an address with its port.
    #[error("nobody answers at {to}: {why}")]
    Connect { to: String, why: String },
    #[error("no answer within {}", seconds(*.0))]
    TimedOut(Duration),
    #[error("the certificate for `{host}` is not valid: {flaw}")]
    Certificate { host: String, flaw: Flaw },
    #[error("no TLS with {to}: {why}")]
    Tls { to: String, why: String },
    /// Somebody is there, and what he says is no HTTP answer, or ends in the middle of one.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// `None`: there is none at all.
    #[error("it is asked from inside, by the edge, and {}", .0.as_deref().unwrap_or("no edge runs here"))]
    NoEdge(Option<String>),
    /// The request itself could not be made.
    #[error("it cannot be asked: {0}")]
    Unaskable(String),
}

impl NoAnswer {
    /// What to do about it, where that can be known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            NoAnswer::Certificate { flaw: Flaw::UnknownIssuer, .. } => Some(
                "when the edge's own authority signed it, say `from: edge`; `tls: any` does not look at certificates",
            ),
            NoAnswer::NoEdge(_) => Some("`mainstay edge up` starts the edge"),
            _ => None,
        }
    }

    /// Whether asking again could ever give something else.
    pub fn is_final(&self) -> bool {
        matches!(self, NoAnswer::Unaskable(_) | NoAnswer::NoEdge(None))
    }
}

/// What is wrong with a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("it ended {} ago", span(*.0))]
    Ended(Duration),
    #[error("it begins in {}", span(*.0))]
    Begins(Duration),
    #[error("it is made out to {}", names(.0))]
    OtherName(Vec<String>),
    #[error("it is signed by nobody who is trusted here")]
    UnknownIssuer,
    #[error("{0}")]
    Other(String),
}

fn names(presented: &[String]) -> String {
    const SHOWN: usize = 5;
    if presented.is_empty() {
        return "no name at all".to_owned();
    }
    let mut text = presented.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if presented.len() > SHOWN {
        text += ", …";
    }
    text
}

/// A span for people, in its greatest unit: `3 days`, `5 hours`.
pub fn span(span: Duration) -> String {
    let secs = span.as_secs();
    let (number, unit) = match secs {
        0..120 => (secs, "second"),
        120..7200 => (secs / 60, "minute"),
        7200..172_800 => (secs / 3600, "hour"),
        _ => (secs / 86_400, "day"),
    };
    if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
}

/// `10 s`, `0.5 s`.
fn seconds(span: Duration) -> String {
    format!("{} s", span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_nothing_was_answered_is_one_sentence() {
        let host = || "a.example".to_owned();
        let certificate = |flaw| NoAnswer::Certificate { host: host(), flaw }.to_string();
        let days = |days: u64| Duration::from_secs(days * 86_400 + 5);
        insta::assert_snapshot!([
            NoAnswer::Connect { to: "127.0.0.1:443".into(), why: "connection refused".into() }.to_string(),
            NoAnswer::TimedOut(Duration::from_millis(1500)).to_string(),
            NoAnswer::TimedOut(Duration::from_secs(10)).to_string(),
            certificate(Flaw::Ended(days(3))),
            certificate(Flaw::Begins(Duration::from_secs(1))),
            certificate(Flaw::OtherName(vec!["b.example".into(), "*.c.example".into()])),
            certificate(Flaw::OtherName(vec![])),
            certificate(Flaw::UnknownIssuer),
        ].join("\n"), @r"
        nobody answers at 127.0.0.1:443: connection refused
        no answer within 1.5 s
        no answer within 10 s
        the certificate for `a.example` is not valid: it ended 3 days ago
        the certificate for `a.example` is not valid: it begins in 1 second
        the certificate for `a.example` is not valid: it is made out to `b.example`, `*.c.example`
        the certificate for `a.example` is not valid: it is made out to no name at all
        the certificate for `a.example` is not valid: it is signed by nobody who is trusted here
        ");
    }
}
