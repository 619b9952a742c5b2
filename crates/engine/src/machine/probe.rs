//! Asking a container that is to be served, from where the edge stands, until it answers well and stays so.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mainstay_model::edge::wanted;
use mainstay_model::observed::State;
use mainstay_model::plan::Question;

use super::Machine;
use crate::edge::{Probe, ProbeAnswer};
use crate::reconcile::Watched;
use crate::world::{Acted, Progress, WorldError};

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
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
            let answer = self.edge.probe(&probe_of(id, question)).await?;
            match objection(question, &answer) {
                None => {
                    let since = *good_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= patience.stable {
                        return Ok(Acted { detail: Some(format!("answers {}", answer.status)), ..Acted::default() });
                    }
                }
                Some(objection) => {
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
            None => format!("did not answer on port {}", question.port),
        };
        let mut failure = WorldError::new(format!("`{name}` {wanted} within {secs} s: {last}"));
        failure.log_tail = self.last_words(id).await;
        let hint = format!(
            "it was asked by the edge, at port {} of its container; `probe: {{ path: …, status: … }}` says what is asked",
            question.port
        );
        failure.hint(hint)
    }
}

fn probe_of(id: &str, question: &Question) -> Probe {
    let host = question.host.iter().map(|host| ("Host".to_owned(), host.replace('*', "www")));
    let mut headers: BTreeMap<String, String> = host.collect();
    // As the edge itself does for a request that came to it over TLS.
    headers.insert("X-Forwarded-Proto".to_owned(), "https".to_owned());
    Probe {
        upstream: wanted::upstream(id, question.port),
        method: "GET".to_owned(),
        path: question.path.clone(),
        headers,
        within: ANSWER_WITHIN,
    }
}

/// What is wrong with an answer; `None` when nothing is.
fn objection(question: &Question, answer: &ProbeAnswer) -> Option<String> {
    if let Some(cause) = &answer.unreached {
        return Some(format!("not reached ({cause})"));
    }
    let wanted = question.status?;
    (answer.status != wanted).then(|| format!("answers {} instead of {wanted}", answer.status))
}
