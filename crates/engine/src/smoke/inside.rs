//! A check that the edge asks for us, from where it stands.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use mainstay_model::smoke::{Answer, Check, NoAnswer};

use crate::edge::{Edge, Probe};

pub(super) async fn ask(edge: Option<&Edge>, check: &Check, timeout: Duration) -> Result<Answer, NoAnswer> {
    let Some(edge) = edge else { return Err(NoAnswer::NoEdge(None)) };
    // What the URL names stands in the request; which container is asked is another matter.
    let host = ("Host".to_owned(), check.url.authority());
    let said = check.headers.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned()));
    let says_host = check.headers.keys().any(|name| name.eq_ignore_ascii_case("host"));
    let headers = said.chain((!says_host).then_some(host));
    let probe = Probe {
        upstream: check.upstream(),
        method: check.method.clone(),
        path: check.url.target.clone(),
        headers: headers.collect(),
        within: timeout,
    };
    let answer = edge.probe(&probe).await.map_err(|error| {
        let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        match cause {
            Some(cause) if cause.kind() == io::ErrorKind::TimedOut => NoAnswer::TimedOut(timeout),
            Some(cause) => NoAnswer::NoEdge(Some(format!("it does not answer: {}", super::place::words(cause)))),
            None => NoAnswer::NoEdge(Some(error.to_string())),
        }
    })?;
    if let Some(why) = answer.unreached {
        return Err(NoAnswer::Connect { to: probe.upstream, why });
    }
    Ok(Answer {
        status: answer.status,
        headers: answer.headers.into_iter().collect(),
        body: String::from_utf8_lossy(&answer.body).into_owned(),
        is_cut: false,
        certificate: None,
    })
}
