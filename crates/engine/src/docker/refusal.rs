//! What the engine said, in words that say what to do.

use std::error::Error as _;

use bollard::errors::Error;

use crate::world::WorldError;

/// What was being done, and what is known of the thing: enough to explain the engine's refusal.
pub(super) struct Refusal {
    doing: String,
}

impl Refusal {
    /// `doing` as a fragment with names in backticks: "`web-1` could not be started".
    pub(super) fn new(doing: impl Into<String>) -> Refusal {
        Refusal { doing: doing.into() }
    }

    /// An error with the engine's own words as its cause, and hints where they are known.
    pub(super) fn explain(self, error: Error) -> WorldError {
        let mut told = WorldError::new(self.doing);
        told.transient = is_transient(&error);
        told.contradicts = contradicts(&error);
        told.hints = hints(&error);
        told.caused_by(Cause::of(&error))
    }
}

/// The engine's message, without the client's wrapping.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Cause(String);

impl Cause {
    pub(super) fn of(error: &Error) -> Cause {
        Cause(words(error))
    }
}

pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

pub(super) fn is_missing(error: &Error) -> bool {
    status(error) == Some(404)
}

/// The engine's message in lower case, for recognising it; empty when the trouble is the connection's.
pub(super) fn message(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.to_lowercase(),
        Error::DockerStreamError { error } => error.to_lowercase(),
        _ => String::new(),
    }
}

fn words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => one_line(message),
        Error::DockerStreamError { error } => one_line(error),
        Error::RequestTimeoutError => "the engine did not answer in time".into(),
        Error::HyperLegacyError { err } => chain(err),
        Error::HyperResponseError { err } => chain(err),
        Error::JsonDataError { message, .. } => format!("the engine's answer could not be read: {message}"),
        Error::JsonSerdeError { err } => format!("the engine's answer could not be read: {err}"),
        other => one_line(&other.to_string()),
    }
}

/// The innermost cause says it best: `Permission denied (os error 13)`.
fn chain(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

fn io_kind(error: &Error) -> Option<std::io::ErrorKind> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = match error {
        Error::HyperLegacyError { err } => err.source(),
        Error::HyperResponseError { err } => err.source(),
        Error::IOError { err } => return Some(err.kind()),
        _ => None,
    };
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        source = cause.source();
    }
    None
}

fn is_transient(error: &Error) -> bool {
    match error {
        Error::RequestTimeoutError | Error::HyperLegacyError { .. } | Error::HyperResponseError { .. } => {
            io_kind(error) != Some(std::io::ErrorKind::PermissionDenied)
        }
        Error::IOError { .. } => true,
        Error::DockerResponseServerError { status_code, .. } => matches!(status_code, 502..=504),
        _ => false,
    }
}

/// Whether the engine's answer says that something is there, or gone, or otherwise than the one who asked believed.
fn contradicts(error: &Error) -> bool {
    /// Said with other codes: a start whose network is gone, a network of which there are two, an endpoint that is there.
    const WORDS: &[&str] = &["not found", "no such", "already exists", "is ambiguous", "is not connected"];
    let message = message(error);
    match status(error) {
        Some(404 | 409) => true,
        Some(_) => WORDS.iter().any(|words| message.contains(words)),
        None => false,
    }
}

/// Messages of engines from 20.10 to 29, and what to do about them.
const KNOWN: &[(&[&str], &str)] = &[
    (&["no such image"], "pull or build the image first (`mainstay up --pull`, or a `build` section)"),
    (
        &["no space left on device"],
        "free disk space: `docker system df` shows what takes it; never prune volumes blindly",
    ),
    (
        &["could not find an available, non-overlapping", "all predefined address pools have been fully subnetted"],
        "the engine has no address range left for another network: remove unused networks, or set `default-address-pools` in its daemon.json",
    ),
    (&["pool overlaps with other one"], "another network has this subnet: choose another `ipam.config.subnet`"),
    (
        &["has active endpoints"],
        "containers are still on the network: `docker network inspect` names them; detach or stop them first",
    ),
    (&["volume is in use"], "a container still uses the volume: remove that container first"),
    (&["minimum supported api version"], "this engine is newer than this Mainstay understands: upgrade Mainstay"),
    (
        &["bind source path does not exist"],
        "make the folder on the engine's machine, or allow it with `create_host_path: true`",
    ),
    (&["executable file not found"], "the image has no such program: check `command` and `entrypoint`"),
    (&["exec format error"], "the image is for another processor: check `platform`"),
    (
        &["could not select device driver"],
        "the engine has no driver for the requested device (GPU runtime not installed?)",
    ),
    (
        &["unauthorized", "authentication required", "access denied", "no basic auth"],
        "log in first: `docker login <registry>`",
    ),
    (&["toomanyrequests"], "the registry limits anonymous pulls: log in, or wait"),
    (&["manifest unknown", "not found: manifest"], "the registry has no such tag"),
    (
        &["operation not permitted", "unable to apply caps"],
        "the engine's machine does not grant this (capabilities, devices or limits)",
    ),
];

fn hints(error: &Error) -> Vec<String> {
    match io_kind(error) {
        Some(std::io::ErrorKind::PermissionDenied) => {
            return vec!["this user may not use the engine's socket: join the group `docker`, or run as root".into()];
        }
        Some(std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) => {
            return vec![
                "is the engine running? (`systemctl status docker`)".into(),
                "another engine is chosen with DOCKER_HOST".into(),
            ];
        }
        _ => {}
    }
    let message = message(error);
    let known = KNOWN.iter().filter(|(parts, _)| parts.iter().any(|part| message.contains(part)));
    known.map(|(_, hint)| (*hint).to_owned()).collect()
}

/// The published port that an engine message names as taken.
pub(super) fn taken_port(error: &Error) -> Option<u16> {
    let message = message(error);
    let taken = ["port is already allocated", "address already in use", "failed to bind"];
    if !taken.iter().any(|part| message.contains(part)) {
        return None;
    }
    // `Bind for 0.0.0.0:8080 failed: port is already allocated`, `listen tcp4 0.0.0.0:80: bind: address already in use`
    message.split([' ', '/']).filter_map(|word| word.trim_end_matches([':', '.', ',']).rsplit_once(':')).find_map(
        |(before, port)| {
            let is_address = before.ends_with(|c: char| c.is_ascii_digit() || c == ']' || c == ':');
            if is_address { port.parse().ok() } else { None }
        },
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn engine(status_code: u16, message: &str) -> Error {
        Error::DockerResponseServerError { status_code, message: message.into() }
    }

    #[test]
    fn a_taken_port_is_found_in_the_engines_sentence() {
        let old = "driver failed programming external connectivity on endpoint web (0d1): Bind for 0.0.0.0:8080 failed: port is already allocated";
        let host = "driver failed programming external connectivity on endpoint x (1a): Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use";
        let new = "failed to set up container networking: driver failed programming external connectivity on endpoint web (1): Bind for :::8443 failed: port is already allocated";
        assert_eq!(taken_port(&engine(500, old)), Some(8080));
        assert_eq!(taken_port(&engine(500, host)), Some(80));
        assert_eq!(taken_port(&engine(500, new)), Some(8443));
        assert_eq!(taken_port(&engine(500, "no such thing: 10.0.0.1:99")), None);
    }

    #[test]
    fn known_refusals_have_a_hint_and_the_engines_words_as_cause() {
        let told = Refusal::new("`web` could not be made").explain(engine(404, "No such image: acme/web:9"));
        assert_eq!(told.to_string(), "`web` could not be made");
        assert_eq!(told.source().map(ToString::to_string).as_deref(), Some("No such image: acme/web:9"));
        assert!(told.hints[0].contains("pull or build"));
        assert!(!told.transient);
    }

    #[test]
    fn what_contradicts_a_plan_is_told_from_what_is_just_wrong() {
        let contradicts = |code, message: &str| Refusal::new("x").explain(engine(code, message)).contradicts;
        assert!(contradicts(404, "No such container: 4f2"));
        assert!(contradicts(409, "Conflict. The container name \"/web\" is already in use by container \"4f2\"."));
        assert!(contradicts(403, "endpoint with name web already exists in network back"));
        assert!(contradicts(400, "network back is ambiguous (2 matches found on name)"));
        assert!(contradicts(500, "network 77ab not found"));
        assert!(!contradicts(500, "Bind for 0.0.0.0:80 failed: port is already allocated"));
        assert!(!contradicts(400, "invalid mount config for type \"bind\""));
    }

    #[test]
    fn an_engine_that_is_not_there_is_transient() {
        let told = Refusal::new("no engine").explain(Error::RequestTimeoutError);
        assert!(told.transient);
    }
}
