//! `x-mainstay.routes` of a service.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::handling;
use super::place::Place;
use crate::compose::Diagnostic;
use crate::compose::schema::suggest;
use crate::declared::Service;
use crate::declared::container::ContainerSpec;
use crate::declared::route::{Route, Target};
use crate::identity::ServiceName;

const WORDS: &[&str] = &["host", "port", "path", "redirect", "status"];
const REDIRECTS: &[u16] = &[301, 302, 303, 307, 308];
/// Found, for now: a browser that was told so asks again.
const FOUND: u16 = 302;
/// The longest name that the internet has, and the longest part between two dots.
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// The routes of a service; `container` says which ports it has.
pub(super) fn routes(place: &Place, container: &ContainerSpec) -> Vec<Route> {
    let single = place.node.as_map().is_some();
    let items = if single { vec![place.clone()] } else { place.items() };
    items.iter().filter_map(|item| one(item, container)).collect()
}

fn one(item: &Place, container: &ContainerSpec) -> Option<Route> {
    if item.node.as_map().is_none() {
        item.say(
            Diagnostic::error("bad-value", item.span, format!("`{}` must be a mapping with `host`", item.path))
                .hint("write `- { host: shop.example.com, port: 3000 }`"),
        );
        return None;
    }
    only(item, &[WORDS, handling::WORDS].concat());
    let path = item.child("path").map_or(Some("/".to_owned()), |path| url_path(&path));
    let to = target(item, container);
    if item.child("redirect").is_some() {
        nothing_for_a_service(item);
    }
    let Some(host) = item.child("host") else {
        item.say(
            Diagnostic::error("missing-key", item.span, format!("`{}` needs the key `host`", item.path))
                .hint("write the name under which the service is reached, such as `host: shop.example.com`"),
        );
        return None;
    };
    Some(Route { host: host_name(&host)?, path: path?, to: to?, handling: handling::handling(item) })
}

/// A redirect is answered by the edge itself.
fn nothing_for_a_service(item: &Place) {
    for word in ["max_body", "protocol", "strip_path", "sticky"] {
        let Some(child) = item.child(word) else { continue };
        let message = format!("`{}` has no meaning beside `redirect`: nothing is led to a service", child.path);
        child.say(Diagnostic::error("bad-value", child.span, message).hint("leave it out"));
    }
}

/// Refuses words that nobody knows.
pub(super) fn only(place: &Place, words: &[&str]) {
    for (word, child) in place.children() {
        if words.contains(&word) || word.starts_with("x-") {
            continue;
        }
        let message = format!("`{}` is not a word that Mainstay knows", child.path);
        let hint = match suggest(word, words.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known here: `{}`", words.join("`, `")),
        };
        child.say(Diagnostic::error("unknown-key", child.span, message).hint(hint));
    }
}

fn target(item: &Place, container: &ContainerSpec) -> Option<Target> {
    if let Some(redirect) = item.child("redirect") {
        if let Some(port) = item.child("port") {
            port.say(
                Diagnostic::error("bad-value", port.span, format!("`{}` stands beside `redirect`", port.path))
                    .hint("a route goes to a port of the service or redirects: keep one of the two"),
            );
            return None;
        }
        let status = item.child("status").map_or(Some(FOUND), |status| redirect_status(&status));
        return Some(Target::Redirect { redirect: redirect_url(&redirect)?, status: status? });
    }
    if let Some(status) = item.child("status") {
        status.say(
            Diagnostic::error(
                "bad-value",
                status.span,
                format!("`{}` has a meaning only beside `redirect`", status.path),
            )
            .hint("what a healthy answer is, is said under `probe`"),
        );
        return None;
    }
    match item.child("port") {
        Some(port) => Some(Target::Port { port: port_number(&port)? }),
        None => only_port(item, container),
    }
}

pub(super) fn port_number(place: &Place) -> Option<u16> {
    let port: u16 = place.as_int()?;
    if port == 0 {
        place.refuse("must be between 1 and 65535");
    }
    (port > 0).then_some(port)
}

/// The port of a service that has just one.
pub(super) fn only_port(item: &Place, container: &ContainerSpec) -> Option<Target> {
    let exposed = container.expose.iter().filter_map(|text| text.strip_suffix("/tcp")?.parse().ok());
    let published = container.ports.iter().filter(|port| port.protocol == "tcp").map(|port| port.target);
    let ports: BTreeSet<u16> = exposed.chain(published).collect();
    if let (1, Some(port)) = (ports.len(), ports.first()) {
        return Some(Target::Port { port: *port });
    }
    let message = format!("`{}` does not say to which port of the service", item.path);
    item.say(
        Diagnostic::error("missing-key", item.span, message).hint("add `port`, the one that the service listens on"),
    );
    None
}

fn redirect_status(place: &Place) -> Option<u16> {
    let status: u16 = place.as_int()?;
    let fits = REDIRECTS.contains(&status);
    if !fits {
        place.refuse("must be 301, 302, 303, 307 or 308");
    }
    fits.then_some(status)
}

fn redirect_url(place: &Place) -> Option<String> {
    let text = place.as_text()?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let fits = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    if !fits {
        place.say(
            Diagnostic::error(
                "bad-value",
                place.span,
                format!("`{}` is `{text}`, and must be a whole address", place.path),
            )
            .hint("write it with its scheme: `redirect: https://example.com`"),
        );
    }
    fits.then_some(text)
}

fn url_path(place: &Place) -> Option<String> {
    let text = place.as_text()?;
    let fits =
        text.starts_with('/') && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "?#*".contains(c));
    if !fits {
        place.refuse(
            "must be a path that begins with `/`, without `?`, `#` and `*`: what stands below it is meant as well",
        );
        return None;
    }
    let path = text.trim_end_matches('/');
    Some(if path.is_empty() { "/".to_owned() } else { path.to_owned() })
}

fn host_name(place: &Place) -> Option<String> {
    let text = place.as_text()?;
    let host = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let refuse = |why: &str, hint: String| {
        let message = format!("`{}` is `{text}`, and {why}", place.path);
        place.say(Diagnostic::error("bad-value", place.span, message).hint(hint));
        None
    };
    if host.parse::<IpAddr>().is_ok() {
        let hint = "write a name; for a machine without one, `NAME.localhost` is found by browsers on it".to_owned();
        return refuse("sites are told apart by name", hint);
    }
    if let Some((_, rest)) = host.split_once("://") {
        return refuse(
            "a host has no scheme",
            format!("write `host: {}`", rest.split(['/', ':']).next().unwrap_or_default()),
        );
    }
    if let Some((name, path)) = host.split_once('/') {
        return refuse("a host has no path", format!("write `host: {name}` and `path: /{path}`"));
    }
    if let Some((name, port)) = host.split_once(':') {
        return refuse(
            "a host has no port",
            format!("write `host: {name}`; when {port} is the service's own port, `port: {port}`"),
        );
    }
    if host.len() > NAME_MAX {
        return refuse("that is longer than a name can be", "name it shorter".to_owned());
    }
    let labels = host.strip_prefix("*.").unwrap_or(&host);
    match labels.split('.').find(|label| !is_label(label)) {
        None => Some(host),
        Some(label) if label.len() > LABEL_MAX => {
            refuse(&format!("a part of a name has {LABEL_MAX} letters at most"), "name it shorter".to_owned())
        }
        Some(_) => refuse("that is no name of a host", "letters, digits and `-`, with dots between them".to_owned()),
    }
}

fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !label.is_empty()
        && label.len() <= LABEL_MAX
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Two services cannot answer at one place.
pub(super) fn clashes(root: &Place, services: &BTreeMap<ServiceName, Service>) {
    let mut owners: BTreeMap<(&str, &str), &ServiceName> = BTreeMap::new();
    for service in services.values() {
        for route in &service.routes {
            let Some(owner) = owners.insert((&route.host, &route.path), &service.name) else { continue };
            let message = if *owner == service.name {
                format!("service `{owner}` has two routes for `{}`", route.address())
            } else {
                format!("services `{owner}` and `{}` both have a route for `{}`", service.name, route.address())
            };
            let at = root.child("services").and_then(|all| all.child(service.name.as_str()));
            let at = at.and_then(|service| service.child("x-mainstay")?.child("routes"));
            let span = at.map_or(root.span, |routes| routes.span);
            root.say(Diagnostic::error("route-clash", span, message).hint("give one of them another `host` or `path`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{refused, web, web_project};
    use super::*;

    fn route_of(words: &str) -> Route {
        let keys = format!(r#""x-mainstay": {{"routes": [{words}]}}"#);
        web(&keys).services.into_values().next().expect("a service").routes.remove(0)
    }

    fn refusal(words: &str) -> String {
        let found = refused(&web_project(&format!(r#""x-mainstay": {{"routes": [{words}]}}"#)));
        assert_eq!(found.len(), 1, "{found:#?}");
        found.concat()
    }

    #[test]
    fn a_route_goes_to_a_port_of_the_service() {
        let route = route_of(r#"{"host": "Shop.Example.com.", "port": "3000", "path": "/api/"}"#);
        assert_eq!(
            route,
            Route {
                host: "shop.example.com".into(),
                path: "/api".into(),
                to: Target::Port { port: 3000 },
                handling: Default::default()
            }
        );
        assert_eq!(route.address(), "shop.example.com/api");
        assert_eq!(route_of(r#"{"host": "*.example.com", "port": 1}"#).host, "*.example.com");
    }

    #[test]
    fn a_route_redirects() {
        let to = |status| Target::Redirect { redirect: "https://example.com".into(), status };
        assert_eq!(route_of(r#"{"host": "www.example.com", "redirect": "https://example.com"}"#).to, to(302));
        assert_eq!(
            route_of(r#"{"host": "www.example.com", "redirect": "https://example.com", "status": 308}"#).to,
            to(308)
        );
    }

    #[test]
    fn the_only_port_of_a_service_needs_no_mention() {
        let keys = |more: &str| format!(r#"{more}"x-mainstay": {{"routes": {{"host": "a.example"}}}}"#);
        let service = web(&keys(r#""expose": ["8080"], "#)).services.into_values().next().expect("a service");
        assert_eq!(service.routes[0].to, Target::Port { port: 8080 });
        assert_eq!(refused(&web_project(&keys(r#""expose": ["1", "2"], "#))).len(), 1);
        assert_eq!(
            refused(&web_project(&keys(""))),
            [
                "`services.web.x-mainstay.routes` does not say to which port of the service (add `port`, the one that the service listens on)"
            ]
        );
    }

    #[test]
    fn a_wrong_route_is_refused_with_what_to_write() {
        for (words, wanted) in [
            (r#"{"host": "https://a.example:1/x", "port": 1}"#, "write `host: a.example`"),
            (r#"{"host": "a.example/x", "port": 1}"#, "write `host: a.example` and `path: /x`"),
            (r#"{"host": "a.example:81", "port": 1}"#, "a host has no port"),
            (r#"{"host": "a..example", "port": 1}"#, "no name of a host"),
            (r#"{"host": "-a.example", "port": 1}"#, "no name of a host"),
            (r#"{"port": 1}"#, "needs the key `host`"),
            (r#"{"host": "a.example", "port": 0}"#, "between 1 and 65535"),
            (r#"{"host": "a.example", "port": 70000}"#, "not a whole number"),
            (r#"{"host": "a.example", "port": 1, "path": "x"}"#, "begins with `/`"),
            (r#"{"host": "a.example", "port": 1, "redirect": "https://b.example"}"#, "keep one of the two"),
            (r#"{"host": "a.example", "redirect": "b.example"}"#, "with its scheme"),
            (r#"{"host": "a.example", "redirect": "https://b.example", "status": 200}"#, "must be 301"),
            (r#"{"host": "a.example", "port": 1, "status": 302}"#, "only beside `redirect`"),
            (
                r#"{"host": "a.example", "redirect": "https://b.example", "sticky": true}"#,
                "no meaning beside `redirect`",
            ),
            (r#"{"host": "127.0.0.1", "port": 1}"#, "told apart by name"),
            (r#"{"hots": "a.example", "host": "a.example", "port": 1}"#, "did you mean `host`?"),
            (r#""a.example""#, "must be a mapping with `host`"),
        ] {
            let found = refusal(words);
            assert!(found.contains(wanted), "{words}: {found}");
        }
    }

    #[test]
    fn two_services_cannot_answer_at_one_place() {
        let service = |name: &str| {
            format!(r#""{name}": {{"image": "a", "x-mainstay": {{"routes": [{{"host": "a.example", "port": 1}}]}}}}"#)
        };
        let project = format!(r#"{{"services": {{{}, {}}}}}"#, service("api"), service("web"));
        assert_eq!(
            refused(&project),
            ["services `api` and `web` both have a route for `a.example` (give one of them another `host` or `path`)"]
        );
    }

    #[test]
    fn a_route_is_written_as_people_write_it() {
        let route = Route {
            host: "a.example".into(),
            path: "/".into(),
            to: Target::Port { port: 80 },
            handling: Default::default(),
        };
        let text = serde_json::to_string(&route).expect("JSON");
        assert_eq!(text, r#"{"host":"a.example","path":"/","port":80}"#);
        assert_eq!(serde_json::from_str::<Route>(&text).expect("a route"), route);
    }
}
