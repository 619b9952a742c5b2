//! Waiting for a container to be what its dependents need: by events, never by sleeping.
//!
//! A container without a health check is called running when it has stayed so for a while. The while is counted from the
//! moment in which this start of it was seen first, so all containers of an operation are looked at side by side.

use std::time::{Duration, Instant};

use bollard::models::{ContainerInspectResponse, ContainerState};
use futures_util::StreamExt;
use mainstay_model::declared::Condition;
use mainstay_model::observed::{Container, Health, State};

use super::Docker;
use super::inspected::container_of;
use super::refusal::{Refusal, is_missing};
use crate::world::{Acted, Progress, WorldError};

/// How often a container may crash while it is waited for.
const CRASHES: u64 = 3;

/// The events that can end a wait; the runs of a health check are not among them.
const TELLING: &[&str] = &["health_status", "die", "start", "restart", "stop", "destroy", "oom", "unpause"];
/// On a machine that is so busy that one answer of the engine takes long, a program takes as long to get to its crash:
/// the time of looking is never less than so many answers.
const ANSWERS: u32 = 3;
/// An inspect without an event, in case that the engine keeps one to itself.
const GLANCE_EVERY: Duration = Duration::from_secs(3);

#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub(super) condition: Condition,
    pub(super) within: Duration,
    /// How long one without a health check has to run without a crash.
    pub(super) steady: Duration,
}

/// What one inspect says about the wait.
enum Verdict {
    Met(String),
    Failed(String),
    /// Not yet; in words.
    Waiting(String),
    /// It runs, and time has to tell.
    Watched,
}

/// What is remembered between two inspects.
#[derive(Default)]
struct Memory {
    /// The engine's restart count when the wait began.
    restarts_before: Option<u64>,
    /// The start of the run that is under way, as the engine tells it, and when it was seen first.
    run: Option<(String, Instant)>,
    /// What the slowest answer took.
    slowest: Duration,
    /// When the run that is under way has lasted long enough.
    steady_at: Option<Instant>,
    told: String,
    last_check: Option<String>,
}

impl Docker {
    pub(super) async fn await_ready(
        &self,
        id: &str,
        name: &str,
        patience: Patience,
        progress: &Progress,
    ) -> Result<Acted, WorldError> {
        let mut memory = Memory::default();
        let waiting = self.wait_by_events(id, name, patience, &mut memory, progress);
        if let Ok(end) = tokio::time::timeout(patience.within, waiting).await {
            return end;
        }
        // A last look: for what the health check said, and in case that it was just met.
        match self.weigh(id, name, patience, &mut memory, progress).await? {
            Some(end) => end,
            None => Err(self.out_of_patience(id, name, patience, &memory).await),
        }
    }

    async fn wait_by_events(
        &self,
        id: &str,
        name: &str,
        patience: Patience,
        memory: &mut Memory,
        progress: &Progress,
    ) -> Result<Acted, WorldError> {
        loop {
            // Subscribed before the inspect, so that nothing falls between the two.
            let mut events = Box::pin(self.events_of_container(id).await?);
            if let Some(end) = self.weigh(id, name, patience, memory, progress).await? {
                return end;
            }
            loop {
                match tokio::time::timeout(memory.next_glance(), events.next()).await {
                    Ok(Some(Ok(event))) if TELLING.iter().any(|action| event.action.starts_with(action)) => {}
                    Ok(Some(Ok(_))) => continue,
                    Ok(Some(Err(_)) | None) => break,
                    Err(_) => {}
                }
                if let Some(end) = self.weigh(id, name, patience, memory, progress).await? {
                    return end;
                }
            }
            // The stream ended: the engine restarts, or the connection broke. A breath, then again.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Inspects once; `Some` when the wait is over.
    async fn weigh(
        &self,
        id: &str,
        name: &str,
        patience: Patience,
        memory: &mut Memory,
        progress: &Progress,
    ) -> Result<Option<Result<Acted, WorldError>>, WorldError> {
        let asked = Instant::now();
        let inspected = match self.inspect(id).await {
            Ok(inspected) => inspected,
            Err(error) if is_missing(&error) => {
                let gone = WorldError::new(format!("`{name}` was removed while it was waited for"));
                return Ok(Some(Err(gone.contradicting())));
            }
            Err(error) => return Err(Refusal::new(format!("`{name}` could not be looked at")).explain(error)),
        };
        memory.last_check = last_check(&inspected).or(memory.last_check.take());
        let start_error = inspected.state.as_ref().and_then(engine_error);
        let (container, _) = container_of(inspected);
        let before = memory.restarts_before.unwrap_or(container.restart_count).min(container.restart_count);
        memory.restarts_before = Some(before);
        memory.slowest = memory.slowest.max(asked.elapsed());
        let steady = memory.has_run_for(patience.steady, &container);
        match weigh(&container, patience.condition, container.restart_count - before, steady) {
            Verdict::Watched => Ok(None),
            Verdict::Met(detail) => Ok(Some(Ok(Acted { detail: Some(detail), ..Acted::default() }))),
            Verdict::Failed(what) => {
                let mut failure = WorldError::new(format!("`{name}` {what}"));
                if let Some(cause) = start_error.or_else(|| memory.last_check.clone()) {
                    failure = failure.caused_by(cause);
                }
                failure.log_tail = self.tail(id).await;
                Ok(Some(Err(failure.hint(more_of(&container, name)))))
            }
            Verdict::Waiting(what) => {
                if memory.told != what {
                    progress.tell(format!("{name}: {what}"));
                    memory.told = what;
                }
                Ok(None)
            }
        }
    }

    async fn out_of_patience(&self, id: &str, name: &str, patience: Patience, memory: &Memory) -> WorldError {
        let wanted = match patience.condition {
            Condition::Started => "running",
            Condition::Healthy => "healthy",
            Condition::Completed => "finished",
        };
        let secs = patience.within.as_secs();
        let state = if memory.told.is_empty() { "not looked at" } else { memory.told.as_str() };
        let mut failure = WorldError::new(format!("`{name}` was not {wanted} within {secs} s: {state}"));
        failure.transient = true;
        if let Some(output) = &memory.last_check {
            failure = failure.caused_by(output.clone());
        }
        failure.log_tail = self.tail(id).await;
        failure.hint("give it more time (`--ready-within`), or look at its health check")
    }
}

impl Memory {
    /// Whether the run that is under way has lasted so long. Each start begins a new one.
    fn has_run_for(&mut self, steady: Duration, container: &Container) -> bool {
        self.steady_at = None;
        if container.state == State::Restarting {
            self.run = None;
            return false;
        }
        let now = Instant::now();
        let seen = match &self.run {
            Some((started_at, seen)) if *started_at == container.started_at => *seen,
            _ => now,
        };
        self.run = Some((container.started_at.clone(), seen));
        let steady = if steady.is_zero() { steady } else { steady.max(self.slowest * ANSWERS) };
        self.steady_at = Some(seen + steady);
        now >= seen + steady
    }

    /// How long to listen before the next look.
    fn next_glance(&self) -> Duration {
        let to_steady = self.steady_at.map(|at| at.saturating_duration_since(Instant::now()));
        // What is past was weighed already and is not what is waited for.
        to_steady.filter(|left| !left.is_zero()).map_or(GLANCE_EVERY, |left| left.min(GLANCE_EVERY))
    }
}

/// Whether a container meets a condition, cannot any more, or may yet. Pure.
fn weigh(container: &Container, condition: Condition, crashes: u64, steady: bool) -> Verdict {
    let code = container.exit_code.unwrap_or(0);
    let killed = if container.oom_killed { ", killed for using too much memory" } else { "" };
    match container.state {
        State::Running | State::Paused => match (condition, container.health) {
            (Condition::Healthy, Health::Healthy) => Verdict::Met("healthy".into()),
            (Condition::Started, Health::Healthy) => Verdict::Met("running".into()),
            (Condition::Healthy, Health::Unhealthy) => Verdict::Failed("is unhealthy".into()),
            (Condition::Started, _) | (Condition::Healthy, Health::Unverified) if steady => {
                Verdict::Met(match crashes {
                    0 => "running".into(),
                    1 => "running, after a crash".into(),
                    several => format!("running, after {several} crashes"),
                })
            }
            _ if crashes >= CRASHES => Verdict::Failed(format!("crashed {crashes} times while it was waited for")),
            (Condition::Started, _) | (Condition::Healthy, Health::Unverified) => Verdict::Watched,
            (Condition::Healthy, Health::Starting) => Verdict::Waiting("health is starting".into()),
            (Condition::Completed, _) => Verdict::Waiting("running".into()),
        },
        State::Restarting => {
            let patient = condition == Condition::Completed && container.restarts_itself;
            if crashes >= CRASHES && !patient {
                return Verdict::Failed(format!("crashes again and again: exit code {code}{killed}"));
            }
            Verdict::Waiting(format!("crashed with exit code {code}, the engine starts it again"))
        }
        State::Exited if code == 0 && !container.started_at.is_empty() && condition != Condition::Healthy => {
            Verdict::Met("finished with exit code 0".into())
        }
        State::Exited if container.started_at.is_empty() => Verdict::Failed("could not be started".into()),
        State::Exited => Verdict::Failed(format!("ended with exit code {code}{killed}")),
        State::Created => Verdict::Waiting("not started".into()),
        // What was done by force is over in a moment, and then it is gone.
        State::Removing => Verdict::Waiting("is being removed".into()),
        State::Dead => Verdict::Failed("could not be removed whole".into()),
    }
}

/// Where to read on.
fn more_of(container: &Container, name: &str) -> String {
    match (&container.stack, &container.service) {
        (Some(stack), Some(service)) => format!("see more of it: `mainstay logs --stack {stack} {service}`"),
        _ => format!("see more of it: `docker logs {name}`"),
    }
}

/// The output of the last health check that ran.
fn last_check(inspected: &ContainerInspectResponse) -> Option<String> {
    let log = inspected.state.as_ref()?.health.as_ref()?.log.as_ref()?;
    let last = log.last()?;
    let output = last.output.as_deref().unwrap_or_default().trim();
    let code = last.exit_code.unwrap_or_default();
    Some(format!("the last health check ended with {code}: {}", if output.is_empty() { "(no output)" } else { output }))
}

fn engine_error(state: &ContainerState) -> Option<String> {
    state.error.clone().filter(|error| !error.is_empty())
}

#[cfg(test)]
mod tests {
    use bollard::models::ContainerStateStatusEnum;

    use super::*;

    fn running(started_at: &str) -> Container {
        let inspected = ContainerInspectResponse {
            state: Some(ContainerState {
                status: Some(ContainerStateStatusEnum::RUNNING),
                started_at: Some(started_at.into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        container_of(inspected).0
    }

    #[test]
    fn without_a_check_only_time_tells_that_it_runs() {
        let container = running("2026-01-01T00:00:00Z");
        for condition in [Condition::Started, Condition::Healthy] {
            assert!(matches!(weigh(&container, condition, 0, false), Verdict::Watched));
            assert!(matches!(weigh(&container, condition, 5, true), Verdict::Met(_)));
            assert!(matches!(weigh(&container, condition, CRASHES, false), Verdict::Failed(_)));
        }
        assert!(matches!(weigh(&container, Condition::Completed, 0, true), Verdict::Waiting(_)));
    }

    #[test]
    fn each_start_begins_the_time_anew() {
        let (long, none) = (Duration::from_secs(3600), Duration::ZERO);
        let mut memory = Memory::default();
        assert!(memory.has_run_for(none, &running("1")), "nothing is asked");
        memory.run = memory.run.map(|(start, seen)| (start, seen.checked_sub(long).unwrap_or(seen)));
        assert!(memory.has_run_for(Duration::from_secs(60), &running("1")));
        assert!(!memory.has_run_for(Duration::from_secs(60), &running("2")), "it was started again");
        assert!(memory.next_glance() <= GLANCE_EVERY);
    }

    #[test]
    fn a_slow_engine_is_looked_at_for_longer() {
        let mut memory = Memory { slowest: Duration::from_secs(3600), ..Memory::default() };
        assert!(memory.has_run_for(Duration::ZERO, &running("1")), "nothing is asked");
        memory.run =
            Some(("1".into(), Instant::now().checked_sub(Duration::from_secs(2)).unwrap_or_else(Instant::now)));
        assert!(!memory.has_run_for(Duration::from_secs(1), &running("1")));
    }
}
