//! Start, stop, remove and rename: each true already, or made true, or told why not.

use std::time::Duration;

use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{
    ListContainersOptions, RemoveContainerOptions, RenameContainerOptions, RestartContainerOptions,
    WaitContainerOptions,
};
use futures_util::StreamExt;
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode};

use super::acts::{Act, Stop};
use super::refusal::{Refusal, is_missing, message, status, taken_port};
use super::{ANSWER_WITHIN, CHANGE_WITHIN, Docker, timed, wire};
use crate::world::{Acted, WorldError};

/// The remark of a start that the engine tells as a restart.
pub(crate) const HURRIED: &str = "started out of its crash pause";
/// How many of a container's last lines an error carries.
const LOG_TAIL: u32 = 20;
/// How long they may take. An error is worth little without them, and while an engine starts a container, which on a busy
/// machine takes seconds, it gives none of its lines out.
const TAIL_WITHIN: Duration = Duration::from_secs(30);
/// What a stop may take beyond the container's own grace.
const BEYOND_GRACE: Duration = Duration::from_secs(60);
/// The engine's grace when neither the container nor the caller names one.
const DEFAULT_GRACE_SECS: u64 = 10;

impl Docker {
    /// Starts a container. One that waits out the pause after a crash is started at once: there the engine's
    /// `start` does nothing and says so with success, while `restart` does it and forgets the crashes.
    pub(super) async fn start(&self, id: &str, name: &str) -> Result<Acted, WorldError> {
        let path = format!("/containers/{id}/start");
        let act = self.acts.announce(Act::Start { id: id.to_owned() });
        let call = self.wire.open(Method::POST, &path, HeaderMap::new(), wire::no_body());
        let answer = timed(CHANGE_WITHIN, call).await;
        match &answer {
            Ok(answer) if answer.status() == StatusCode::NOT_MODIFIED => act.came_to_nothing(),
            answer => act.answered(answer),
        }
        let error = match answer {
            Ok(answer) if answer.status() != StatusCode::NOT_MODIFIED => return Ok(Acted::default()),
            Ok(_) => match self.hurry(id).await {
                Ok(detail) => return Ok(Acted { detail: Some(detail.into()), ..Acted::default() }),
                Err(error) => error,
            },
            Err(error) if message(&error).contains("paused container") => match self.unpause(id).await {
                Ok(()) => return Ok(Acted { detail: Some("unpaused".into()), ..Acted::default() }),
                Err(error) => error,
            },
            Err(error) => error,
        };
        Err(self.start_failure(id, name, error).await)
    }

    async fn hurry(&self, id: &str) -> Result<&'static str, Error> {
        let state = self.inspect(id).await?.state.unwrap_or_default();
        if state.restarting != Some(true) {
            return Ok("was running");
        }
        let options = RestartContainerOptions { t: Some(0), ..Default::default() };
        let act = self.acts.announce(Act::Restart { id: id.to_owned() });
        let restarted = timed(CHANGE_WITHIN, self.client.restart_container(id, Some(options))).await;
        act.answered(&restarted);
        restarted?;
        Ok(HURRIED)
    }

    async fn unpause(&self, id: &str) -> Result<(), Error> {
        let act = self.acts.announce(Act::Unpause { id: id.to_owned() });
        let unpaused = timed(CHANGE_WITHIN, self.client.unpause_container(id)).await;
        act.answered(&unpaused);
        unpaused
    }

    async fn start_failure(&self, id: &str, name: &str, error: Error) -> WorldError {
        let text = message(&error);
        let taken = taken_port(&error);
        let mut told = Refusal::new(format!("`{name}` could not be started")).explain(error);
        if let Some(port) = taken {
            told = told.hint(match self.publisher_of(port, id).await {
                Some(holder) => format!("the port {port} is published by the container `{holder}`: stop it, or publish another port"),
                None => format!("something on the engine's machine listens on the port {port} (`ss -ltnp 'sport = :{port}'` shows what): stop it, or publish another port"),
            });
        }
        if text.contains("network") && text.contains("not found") {
            told = told.hint("a network of this container was deleted: `mainstay up` of the stack that makes it, and then of this one, joins it to the new one");
        }
        told.log_tail = self.tail(id).await;
        told
    }

    async fn publisher_of(&self, port: u16, not: &str) -> Option<String> {
        let running = self.client.list_containers(None::<ListContainersOptions>);
        let running = timed(ANSWER_WITHIN, running).await.ok()?;
        let publishes = running.into_iter().find(|listed| {
            let is_other = listed.id.as_deref() != Some(not);
            is_other && listed.ports.iter().flatten().any(|published| published.public_port == Some(port))
        })?;
        publishes.names?.first().map(|name| name.trim_start_matches('/').to_owned())
    }

    /// The last lines of a container, for an error; none when they cannot be had.
    /// The last lines of a container, oldest first; none when they cannot be had in time.
    pub(crate) async fn last_words(&self, id: &str) -> Vec<String> {
        self.tail(id).await
    }

    pub(super) async fn tail(&self, id: &str) -> Vec<String> {
        let reading = self.last_lines(id, LOG_TAIL);
        tokio::time::timeout(TAIL_WITHIN, reading).await.unwrap_or_default()
    }

    /// Signals, waits for the grace, then kills: the engine does all three and answers when the container is down.
    pub(super) async fn stop(&self, id: &str, name: &str, grace_secs: Option<u64>) -> Result<Acted, WorldError> {
        let refusal = || Refusal::new(format!("`{name}` could not be stopped"));
        let was_gone = || Acted { detail: Some("was gone".into()), ..Acted::default() };
        let mut stop = match self.inspect(id).await {
            Ok(seen) => how_it_stops(id, &seen),
            Err(error) if is_missing(&error) => return Ok(was_gone()),
            Err(error) => return Err(refusal().explain(error)),
        };
        stop.grace = grace_secs.map_or(stop.grace, Duration::from_secs);
        let stopped = match self.stop_once(&stop, grace_secs).await {
            // Engines differ on whether a paused container can be signalled.
            Err(error) if message(&error).contains("paused") => {
                self.unpause(id).await.map_err(|error| refusal().explain(error))?;
                self.stop_once(&Stop { paused: false, ..stop }, grace_secs).await
            }
            other => other,
        };
        match stopped {
            Ok(()) => Ok(Acted::default()),
            Err(error) if is_missing(&error) => Ok(was_gone()),
            Err(error) => Err(refusal().explain(error)),
        }
    }

    async fn stop_once(&self, stop: &Stop, grace_secs: Option<u64>) -> Result<(), Error> {
        let seconds = grace_secs.map(|secs| i32::try_from(secs).unwrap_or(i32::MAX).to_string());
        let query = wire::query(seconds.map(|seconds| ("t", seconds)));
        let path = format!("/containers/{}/stop{query}", stop.id);
        let act = self.acts.announce(Act::Stop(stop.clone()));
        let call = self.wire.open(Method::POST, &path, HeaderMap::new(), wire::no_body());
        let answer = timed(stop.grace + BEYOND_GRACE, call).await;
        match &answer {
            Ok(answer) if answer.status() == StatusCode::NOT_MODIFIED => act.came_to_nothing(),
            answer => act.answered(answer),
        }
        answer.map(drop)
    }

    /// Removes a container that does not run.
    pub(super) async fn remove(&self, id: &str, name: &str, volumes: bool) -> Result<Acted, WorldError> {
        let options = RemoveContainerOptions { v: volumes, force: false, ..Default::default() };
        let act = self.acts.announce(Act::Remove { id: id.to_owned() });
        let removed = timed(CHANGE_WITHIN, self.client.remove_container(id, Some(options))).await;
        act.answered(&removed);
        let error = match removed {
            Ok(()) => return Ok(Acted::default()),
            Err(error) => error,
        };
        if is_missing(&error) {
            return Ok(Acted { detail: Some("was gone".into()), ..Acted::default() });
        }
        if status(&error) == Some(409) && message(&error).contains("already in progress") {
            let options = WaitContainerOptions { condition: "removed".into() };
            let mut removed = Box::pin(self.client.wait_container(id, Some(options)));
            if tokio::time::timeout(CHANGE_WITHIN, removed.next()).await.is_ok() {
                return Ok(Acted::default());
            }
        }
        let running = message(&error).contains("running");
        let told = Refusal::new(format!("`{name}` could not be removed")).explain(error);
        Err(if running { told.hint(format!("it runs: `docker stop {name}` first")) } else { told })
    }

    pub(super) async fn rename(&self, id: &str, name: &str, to: &str) -> Result<Acted, WorldError> {
        let options = RenameContainerOptions { name: to.to_owned() };
        let act = self.acts.announce(Act::Rename { id: id.to_owned(), to: to.to_owned() });
        let renamed = timed(CHANGE_WITHIN, self.client.rename_container(id, options)).await;
        act.answered(&renamed);
        let error = match renamed {
            Ok(()) => return Ok(Acted::default()),
            Err(error) => error,
        };
        if message(&error).contains("same name as its current name") {
            return Ok(Acted { detail: Some("had the name".into()), ..Acted::default() });
        }
        let told = Refusal::new(format!("`{name}` could not be renamed to `{to}`"));
        let holder =
            if status(&error) == Some(409) { self.inspect(to).await.ok().and_then(|seen| seen.id) } else { None };
        match holder {
            Some(holder) if holder == id => Ok(Acted { detail: Some("had the name".into()), ..Acted::default() }),
            Some(_) => {
                Err(told.explain(error).hint(format!("another container has the name: remove or rename `{to}`")))
            }
            None => Err(told.explain(error)),
        }
    }
}

/// Its own signal and grace.
fn how_it_stops(id: &str, seen: &ContainerInspectResponse) -> Stop {
    let config = seen.config.as_ref();
    let signal = config.and_then(|config| config.stop_signal.as_deref()).unwrap_or_default();
    let kills = matches!(signal.trim_start_matches("SIG"), "KILL" | "9");
    let grace = Duration::from_secs(own_grace(config.and_then(|config| config.stop_timeout)));
    let paused = seen.state.as_ref().is_some_and(|state| state.paused == Some(true));
    Stop { id: id.to_owned(), grace, kills, paused }
}

fn own_grace(stop_timeout: Option<i64>) -> u64 {
    match stop_timeout {
        // Less than nothing means without end.
        Some(secs) if secs < 0 => u64::from(u32::MAX),
        Some(secs) => u64::try_from(secs).unwrap_or(DEFAULT_GRACE_SECS),
        None => DEFAULT_GRACE_SECS,
    }
}
