//! Asking a container whether it can serve, until it answers well and stays so.

mod from_here;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io;
use std::time::{Duration, Instant};

use mainstay_model::edge::wanted;
use mainstay_model::observed::State;
use mainstay_model::plan::{Asker, Question};

use super::Machine;
use crate::edge::Probe;
use crate::reconcile::Watched;
use crate::whereabouts;
use crate::world::{Acted, Progress, WorldError};

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long the edge may take to say that it was not connected: it gives up after three seconds.
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);
const CONNECTS: &str = "accepts connections";
/// Between two questions.
const ASK_EVERY: Duration = Duration::from_millis(100);

pub(super) struct Patience {
    pub(super) within: Duration,
    /// It has to go on answering well for so long.
    pub(super) stable: Duration,
}

impl Machine {
    pub(super) async fn probe(
        &self,
        id: &str,
        name: &str,
        question: &Question,
        patience: Patience,
        progress: &Progress,
    ) -> Result<Acted, WorldError> {
        let until = Instant::now() + patience.within;
        let mut good_since: Option<Instant> = None;
        let mut told = String::new();
        loop {
            match self.put(question, id).await? {
                Ok(detail) => {
                    let since = *good_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= patience.stable {
                        return Ok(Acted { detail: Some(detail), ..Acted::default() });
                    }
                }
                Err(objection) => {
                    good_since = None;
                    if told != objection {
                        progress.tell(format!("{name}: {objection}"));
                        told = objection;
                    }
                    self.still_runs(id, name).await?;
                    if Instant::now() >= until {
                        let secs = patience.within.as_secs();
                        return Err(self.never_good(id, name, question, secs, &told).await);
                    }
                }
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// The question, put once: what was good about the answer, or what is wrong with it.
    async fn put(&self, question: &Question, id: &str) -> Result<Result<String, String>, WorldError> {
        if question.asker == Asker::Host {
            return Ok(match self.address(id, question.port).await? {
                Some(address) => from_here::ask(&address, question, ANSWER_WITHIN).await,
                None => Err("has no address on a network".to_owned()),
            });
        }
        let within = if question.tcp { CONNECTED_WITHIN } else { ANSWER_WITHIN };
        let answer = match self.edge.probe(&probe_of(id, question, within)).await {
            // The edge gives up a connection that is not made sooner than this: somebody took it, and waits.
            Err(error) if question.tcp && is_late(&error) => return Ok(Ok(CONNECTS.to_owned())),
            answer => answer?,
        };
        Ok(judged(question, answer.status, answer.unreached.as_deref()))
    }

    /// Where this host reaches a container; `None` when it is gone or on no network.
    async fn address(&self, id: &str, port: u16) -> Result<Option<String>, WorldError> {
        let glance = self.glance(id).await?;
        let address = glance.and_then(|glance| whereabouts::address(&glance.container).ok());
        Ok(address.map(|address| format!("{address}:{port}")))
    }

    /// A container that has ended is not asked until the patience is over.
    async fn still_runs(&self, id: &str, name: &str) -> Result<(), WorldError> {
        let Some(glance) = self.glance(id).await? else {
            return Err(WorldError::new(format!("`{name}` was removed while it was probed")).contradicting());
        };
        let container = glance.container;
        if matches!(container.state, State::Running | State::Paused) {
            return Ok(());
        }
        let code = container.exit_code.unwrap_or_default();
        let mut ended = WorldError::new(format!("`{name}` ended with exit code {code} while it was probed"));
        ended.log_tail = self.last_words(id).await;
        Err(ended)
    }

    async fn never_good(&self, id: &str, name: &str, question: &Question, secs: u64, last: &str) -> WorldError {
        let wanted = match question.status {
            Some(status) => format!("did not answer {status} at `{}`", question.path),
            None if question.tcp => format!("did not accept connections on port {}", question.port),
            None => format!("did not answer on port {}", question.port),
        };
        let mut failure = WorldError::new(format!("`{name}` {wanted} within {secs} s: {last}"));
        failure.log_tail = self.last_words(id).await;
        let whence = match question.asker {
            Asker::Edge => "by the edge",
            Asker::Host => "from this host",
        };
        let hint = format!(
            "it was asked {whence}, at port {} of its container; `probe: {{ path: …, status: … }}`, or `tcp: PORT`, says what is asked",
            question.port
        );
        failure.hint(hint)
    }
}

fn probe_of(id: &str, question: &Question, within: Duration) -> Probe {
    let host = question.host.iter().map(|host| ("Host".to_owned(), host.replace('*', "www")));
    let mut headers: BTreeMap<String, String> = host.collect();
    // As the edge itself does for a request that came to it over TLS.
    headers.insert("X-Forwarded-Proto".to_owned(), "https".to_owned());
    Probe {
        upstream: wanted::upstream(id, question.port),
        method: "GET".to_owned(),
        path: question.path.clone(),
        headers,
        within,
    }
}

fn is_late(error: &WorldError) -> bool {
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
}

/// What was good about an answer of the edge, or what is wrong with it.
fn judged(question: &Question, status: u16, unreached: Option<&str>) -> Result<String, String> {
    match (unreached, question.status) {
        // Whatever else the edge did not like was said over a connection.
        (Some(cause), _) if question.tcp && !cause.contains("dial ") => Ok(CONNECTS.to_owned()),
        (Some(cause), _) => Err(format!("not reached ({cause})")),
        (None, _) if question.tcp => Ok(CONNECTS.to_owned()),
        (None, Some(wanted)) if status != wanted => Err(format!("answers {status} instead of {wanted}")),
        (None, _) => Ok(format!("answers {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(tcp: bool, status: Option<u16>) -> Question {
        Question { port: 80, path: "/".into(), status, host: None, tcp, asker: Asker::Edge }
    }

    #[test]
    fn a_connection_is_made_or_not_whatever_is_said_over_it() {
        let refused = "dial tcp 172.18.0.3:5432: connect: connection refused";
        assert!(judged(&question(true, None), 502, Some(refused)).is_err());
        assert!(judged(&question(true, None), 502, Some("dial tcp: lookup db: no such host")).is_err());
        for said in ["EOF", "malformed HTTP response \"SSH-2.0\"", "read tcp: connection reset by peer"] {
            assert_eq!(judged(&question(true, None), 502, Some(said)), Ok("accepts connections".into()), "{said}");
        }
        assert_eq!(judged(&question(true, None), 400, None), Ok("accepts connections".into()));
    }

    #[test]
    fn a_status_has_to_be_the_declared_one() {
        assert_eq!(judged(&question(false, Some(204)), 204, None), Ok("answers 204".into()));
        assert_eq!(judged(&question(false, Some(204)), 200, None), Err("answers 200 instead of 204".into()));
        assert!(judged(&question(false, None), 502, Some("EOF")).is_err());
        assert_eq!(judged(&question(false, None), 500, None), Ok("answers 500".into()));
    }
}
