//! `x-mainstay.probe` of a service: what a container has to do to be taken for one that serves.

use super::place::Place;
use super::routes::{only, only_port, port_number};
use crate::compose::Diagnostic;
use crate::declared::NetworkMode;
use crate::declared::container::ContainerSpec;
use crate::declared::route::{Ask, Probe, Route, Target};

const WORDS: &[&str] = &["path", "status", "within", "port", "tcp"];
const OK: u16 = 200;
const WITHIN_SECS: u64 = 60;

/// Reads it. Without a `port` it is about the one that the routes lead to, or the only one that the service has.
pub(super) fn probe(place: &Place, routes: &[Route], container: &ContainerSpec) -> Option<Probe> {
    only(place, WORDS);
    let within_secs = place.child("within").map_or(Some(WITHIN_SECS), |within| within_secs(&within));
    let (ask, port) = match place.child("tcp") {
        Some(tcp) => {
            only_tcp(place);
            (Some(Ask::Tcp), Some(port_number(&tcp)?))
        }
        None => (http(place), port(place, routes, container)?),
    };
    if ask.as_ref().is_some_and(|ask| *ask != Ask::Tcp) {
        tell_of_other_protocols(place, routes);
    }
    Some(Probe { ask: ask?, port, within_secs: within_secs? })
}

fn http(place: &Place) -> Option<Ask> {
    let path = place.child("path").map_or(Some("/".to_owned()), |path| asked_path(&path));
    let status = place.child("status").map_or(Some(OK), |status| {
        let number: u16 = status.as_int()?;
        let fits = (100..600).contains(&number);
        if !fits {
            status.refuse("must be the status of an answer, such as 200");
        }
        fits.then_some(number)
    });
    Some(Ask::Http { path: path?, status: status? })
}

/// The port, when it is not the one of the routes. The outer `None`: there is none, and that was told.
fn port(place: &Place, routes: &[Route], container: &ContainerSpec) -> Option<Option<u16>> {
    if let Some(port) = place.child("port") {
        return port_number(&port).map(Some);
    }
    if routes.iter().any(|route| matches!(route.to, Target::Port { .. })) {
        return Some(None);
    }
    match only_port(place, container)? {
        Target::Port { port } => Some(Some(port)),
        Target::Redirect { .. } => None,
    }
}

fn within_secs(place: &Place) -> Option<u64> {
    let nanos = place.as_nanos()?;
    let fits = nanos >= 1_000_000_000;
    if !fits {
        place.refuse("must be a second at least");
    }
    fits.then_some(nanos / 1_000_000_000)
}

/// As it is sent: to many programs `/health` and `/health/` are two addresses.
fn asked_path(place: &Place) -> Option<String> {
    let text = place.as_text()?;
    let fits = text.starts_with('/') && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#');
    if !fits {
        place.refuse("must be a path that begins with `/`, without spaces and `#`");
    }
    fits.then(|| text.to_owned())
}

/// A connection alone has no path and no status.
fn only_tcp(place: &Place) {
    for word in ["path", "status", "port"] {
        let Some(child) = place.child(word) else { continue };
        let message = format!("`{}` stands beside `tcp`, which asks for a connection and nothing else", child.path);
        child.say(Diagnostic::error("bad-value", child.span, message).hint("keep one of the two"));
    }
}

/// The probe speaks HTTP/1.1.
fn tell_of_other_protocols(place: &Place, routes: &[Route]) {
    if place.child("path").is_none() && place.child("status").is_none() {
        return;
    }
    if routes.iter().any(Route::speaks_else) {
        let message = format!("`{}` asks for a connection only: its service does not speak plain HTTP/1.1", place.path);
        let hint = "give it a health check, or say `tcp: PORT`";
        place.say(Diagnostic::warning("not-honoured", place.span, message).hint(hint));
    }
}

/// A container without a network of its own has no address at which it could be asked.
pub(super) fn must_be_reachable(place: &Place, mode: &NetworkMode) {
    if *mode != NetworkMode::Attached {
        let message = format!("`{}` cannot be asked: its service has no network of its own", place.path);
        place.say(Diagnostic::error("bad-value", place.span, message).hint("give it a `healthcheck` instead"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{declared, refused, web_project};
    use super::*;

    fn keys(words: &str) -> String {
        web_project(&format!(r#""expose": ["3000"], "x-mainstay": {{"probe": {words}}}"#))
    }

    fn said(words: &str) -> Probe {
        let service = declared(&keys(words)).services.into_values().next();
        service.expect("a service").probe.expect("a probe")
    }

    fn http(path: &str, status: u16) -> Ask {
        Ask::Http { path: path.into(), status }
    }

    #[test]
    fn a_probe_has_its_defaults() {
        assert_eq!(said("{}"), Probe { ask: http("/", 200), port: Some(3000), within_secs: 60 });
        let all = said(r#"{"path": "/health", "status": 204, "within": "1m30s", "port": 9000}"#);
        assert_eq!(all, Probe { ask: http("/health", 204), port: Some(9000), within_secs: 90 });
        assert_eq!(said(r#"{"path": "/api/health/?full=1"}"#).ask, http("/api/health/?full=1", 200));
        assert_eq!(refused(&keys(r#"{"path": "health", "status": 1, "within": "1ms"}"#)).len(), 3);
    }

    #[test]
    fn a_connection_can_be_enough() {
        assert_eq!(said(r#"{"tcp": "5432"}"#), Probe { ask: Ask::Tcp, port: Some(5432), within_secs: 60 });
        let both = refused(&keys(r#"{"tcp": 5432, "path": "/", "port": 1}"#));
        assert!(both.len() == 2 && both.iter().all(|one| one.contains("keep one of the two")), "{both:?}");
        assert_eq!(
            refused(&keys(r#"{"tcp": 0}"#)),
            ["`services.web.x-mainstay.probe.tcp` must be between 1 and 65535"]
        );
    }

    #[test]
    fn nobody_guesses_what_to_ask() {
        let nowhere = refused(&web_project(r#""x-mainstay": {"probe": {"path": "/health"}}"#));
        assert!(nowhere.concat().contains("does not say to which port"), "{nowhere:?}");
        let host = refused(&web_project(r#""network_mode": "host", "x-mainstay": {"probe": {"tcp": 80}}"#));
        assert!(host.concat().contains("no network of its own"), "{host:?}");
    }
}
