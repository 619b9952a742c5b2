//! Asks smoke checks: many at once, each again and again until it holds or its time is over.
//!
//! What a check means and whether an answer is right is [`mainstay_model::smoke`]'s. Here it is only asked: at the
//! edge's published ports, from inside by the edge's probe, or as any visitor would.
//!
//! A check is asked for the first time at once, and holds as soon as one answer is right: a release has just moved, a
//! certificate is just being made, and neither is a fault. Between two attempts there is a pause that grows. No attempt
//! begins after `within`; the last one begins when it is over, and is then waited for. What is asked must therefore do
//! no harm when it is asked again.

mod ask;
mod certificate;
mod inside;
mod place;
mod trust;
mod ways;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use mainstay_model::smoke::{Answer, Check, NoAnswer, Report, Whence, judge, verdict};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::world::WorldError;
use trust::Trust;
pub use ways::{Door, Ways};

/// So many attempts are under way at the same moment. Enough that slow ones do not add up, and little enough that a
/// small machine is not busy with its own checks.
const AT_ONCE: usize = 16;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Asks checks. Cheap to make; the trusted certificates are read when the first one is needed.
#[derive(Debug)]
pub struct Smoke {
    ways: Ways,
    trust: Trust,
    permits: Semaphore,
}

/// How often a check is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patience {
    /// Until it holds or its own `within` is over.
    #[default]
    AsDeclared,
    Once,
}

/// What is said while checks are asked. `index` is the check's place in the list.
#[derive(Clone, Copy, Debug)]
pub enum Heard<'a> {
    /// The first attempt was not as expected; it is asked again. Said once a check.
    Again {
        index: usize,
        check: &'a Check,
        reasons: &'a [String],
    },
    Ended {
        index: usize,
        report: &'a Report,
    },
}

/// What one attempt gave.
struct Attempt {
    status: Option<u16>,
    reasons: Vec<String>,
    hint: Option<&'static str>,
    warnings: Vec<String>,
    is_final: bool,
}

impl Smoke {
    /// # Errors
    /// When the root certificate among the ways cannot be read.
    pub fn new(ways: Ways) -> Result<Smoke, WorldError> {
        let trust = Trust::with(ways.root.as_deref())?;
        Ok(Smoke { ways, trust, permits: Semaphore::new(AT_ONCE) })
    }

    /// Asks every check to its end, and gives one report a check, in their order. Never fails: what cannot be asked does
    /// not hold. Dropping the future ends all of it.
    pub async fn run(
        &self,
        checks: &[Check],
        patience: Patience,
        told: &(dyn Fn(Heard<'_>) + Send + Sync),
    ) -> Vec<Report> {
        let mut running: FuturesUnordered<_> =
            checks.iter().enumerate().map(|(index, check)| self.see_to(index, check, patience, told)).collect();
        let mut reports = Vec::with_capacity(checks.len());
        while let Some((index, report)) = running.next().await {
            told(Heard::Ended { index, report: &report });
            reports.push((index, report));
        }
        reports.sort_by_key(|(index, _)| *index);
        reports.into_iter().map(|(_, report)| report).collect()
    }

    async fn see_to(
        &self,
        index: usize,
        check: &Check,
        patience: Patience,
        told: &(dyn Fn(Heard<'_>) + Send + Sync),
    ) -> (usize, Report) {
        let within = Duration::from_millis(check.within_ms);
        let from = self.whence(check);
        let mut pause = FIRST_PAUSE;
        let mut begun = None;
        let mut attempts = 0;
        loop {
            let permit = self.permits.acquire().await;
            let started = Instant::now();
            // A check that had to queue for its first attempt has lost nothing of its time.
            let begun = *begun.get_or_insert(started);
            let attempt = self.attempt(check, from).await;
            drop(permit);
            attempts += 1;
            let left = within.saturating_sub(begun.elapsed());
            if attempt.reasons.is_empty() || attempt.is_final || patience == Patience::Once || left.is_zero() {
                return (index, report(check, from, attempt, attempts, started, begun));
            }
            if attempts == 1 {
                told(Heard::Again { index, check, reasons: &attempt.reasons });
            }
            sleep(pause.min(left)).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Where it is asked from: without an edge, what should be asked there is asked as a visitor would.
    fn whence(&self, check: &Check) -> Whence {
        match check.from {
            Whence::Edge if self.ways.edge.is_none() => Whence::Outside,
            from => from,
        }
    }

    async fn attempt(&self, check: &Check, from: Whence) -> Attempt {
        let timeout = Duration::from_millis(check.timeout_ms);
        let answered = match from {
            Whence::Inside => inside::ask(self.ways.probe.as_ref(), check, timeout).await,
            Whence::Edge | Whence::Outside => {
                let asked = ask::ask(&self.ways, &self.trust, check, from);
                tokio::time::timeout(timeout, asked).await.unwrap_or(Err(NoAnswer::TimedOut(timeout)))
            }
        };
        Attempt::of(check, answered)
    }
}

impl Attempt {
    fn of(check: &Check, answered: Result<Answer, NoAnswer>) -> Attempt {
        match answered {
            Ok(answer) => Attempt {
                status: Some(answer.status),
                reasons: judge(check, &answer),
                hint: None,
                warnings: verdict::warnings(check, &answer),
                is_final: false,
            },
            Err(no_answer) => Attempt {
                status: None,
                reasons: vec![no_answer.to_string()],
                hint: no_answer.hint(),
                warnings: Vec::new(),
                is_final: no_answer.is_final(),
            },
        }
    }
}

fn report(check: &Check, from: Whence, attempt: Attempt, attempts: u32, started: Instant, begun: Instant) -> Report {
    let millis = |since: Instant| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    Report {
        name: check.name.clone(),
        method: check.method.clone(),
        url: check.url.shown(),
        from,
        holds: attempt.reasons.is_empty(),
        status: attempt.status,
        reasons: attempt.reasons,
        hints: attempt.hint.map(str::to_owned).into_iter().collect(),
        warnings: attempt.warnings,
        attempts,
        answered_ms: millis(started),
        waited_ms: millis(begun),
    }
}
