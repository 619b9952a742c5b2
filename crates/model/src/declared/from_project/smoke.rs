//! `x-mainstay.smoke`: what must be answered where.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderName, HeaderValue};

use super::place::Place;
use super::routes::only;
use crate::compose::schema::suggest;
use crate::compose::{Diagnostic, Value};
use crate::declared::{Hidden, Service};
use crate::identity::{ServiceName, StackName, container_name};
use crate::smoke::{Address, Check, Expected, Pattern, Rule, Scheme, Tls, Whence};

const WORDS: &[&str] = &[
    "name",
    "url",
    "method",
    "headers",
    "body",
    "status",
    "location",
    "contains",
    "matches",
    "answer_headers",
    "tls",
    "from",
    "within",
    "timeout",
];
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const RULE_WORDS: &[&str] = &["contains", "matches"];
const OK: u16 = 200;
/// A service that has just been moved, or a certificate that is being made, has so much time.
const WITHIN_MS: u64 = 30_000;
const TIMEOUT_MS: u64 = 10_000;
/// Longer waits are a slip of the unit.
const LONGEST_MS: u64 = 3_600_000;

/// The checks of a stack; its services say what `from` is where it is not said.
pub(super) fn checks(place: &Place, stack: &StackName, services: &BTreeMap<ServiceName, Service>) -> Vec<Check> {
    let single = place.node.as_map().is_some();
    let items = if single { vec![place.clone()] } else { place.items() };
    let checks: Vec<(Place, Check)> =
        items.into_iter().filter_map(|item| one(&item, stack, services).map(|check| (item, check))).collect();
    let mut names = BTreeSet::new();
    for (item, check) in &checks {
        if let Some(name) = check.name.as_ref().filter(|name| !names.insert((*name).clone())) {
            let message = format!("`{}.name` is `{name}`, as that of another check", item.path);
            item.say(Diagnostic::error("bad-value", item.span, message).hint("name each check differently, or none"));
        }
    }
    checks.into_iter().map(|(_, check)| check).collect()
}

fn one(item: &Place, stack: &StackName, services: &BTreeMap<ServiceName, Service>) -> Option<Check> {
    if item.node.as_map().is_none() {
        item.say(
            Diagnostic::error("bad-value", item.value_span(), format!("`{}` must be a mapping with `url`", item.path))
                .hint("write `- { url: \"https://shop.example.com\", status: 200 }`"),
        );
        return None;
    }
    only(item, WORDS);
    let url = item.child("url");
    if url.is_none() {
        let message = format!("`{}` needs the key `url`", item.path);
        item.say(
            Diagnostic::error("missing-key", item.span, message)
                .hint("write the address to ask, such as `url: https://shop.example.com`"),
        );
    }
    let address = url.as_ref().and_then(address);
    let method = item.child("method").map_or(Some("GET".to_owned()), |place| method(&place));
    let headers = request_headers(item);
    let expected = expected(item, method.as_deref());
    let within_ms = item.child("within").map_or(Some(WITHIN_MS), |place| millis(&place, 0));
    let timeout_ms = item.child("timeout").map_or(Some(TIMEOUT_MS), |place| millis(&place, 1));
    let said = item.child("from").map(|place| whence(&place));
    let url = address?;
    let tls = tls(item, &url);
    let from = match said {
        Some(said) => said?,
        None => default_whence(&url, services),
    };
    let body = body(item, from);
    fits_inside(item, &url, from)?;
    let container = container(&url, from, stack, services);
    Some(Check {
        name: item.text("name").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()),
        url,
        method: method?,
        headers,
        body,
        expected: expected?,
        tls: tls?,
        from,
        container,
        within_ms: within_ms?,
        timeout_ms: timeout_ms?,
    })
}

fn address(place: &Place) -> Option<Address> {
    let text = place.as_text()?;
    match Address::parse(&text) {
        Ok(address) => Some(address),
        Err(problem) => {
            // The text is not repeated: it may hold a password.
            let message = format!("`{}` {}", place.path, problem.why);
            place.say(Diagnostic::error("bad-value", place.value_span(), message).hint(problem.advice));
            None
        }
    }
}

fn method(place: &Place) -> Option<String> {
    let text = place.as_text()?;
    let method = text.to_ascii_uppercase();
    if METHODS.contains(&method.as_str()) {
        return Some(method);
    }
    let message = format!("`{}` is `{text}`, which is no method that a check can use", place.path);
    let hint = match suggest(&method, METHODS.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known: `{}`", METHODS.join("`, `")),
    };
    place.say(Diagnostic::error("bad-value", place.value_span(), message).hint(hint));
    None
}

fn request_headers(item: &Place) -> BTreeMap<String, Hidden> {
    let Some(place) = item.child("headers") else { return BTreeMap::new() };
    let mut headers = BTreeMap::new();
    for (name, child) in place.children() {
        let Some(value) = child.as_text() else { continue };
        let fits = header_name(&child, name).is_some();
        if HeaderValue::from_str(&value).is_err() {
            child.refuse("cannot be sent as a header: it has a line break or another control character in it");
        } else if fits {
            headers.insert(name.to_owned(), Hidden::new(value));
        }
    }
    headers
}

/// In small letters, as answers are compared.
fn header_name(place: &Place, name: &str) -> Option<String> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).ok().map(|name| name.as_str().to_owned());
    if parsed.is_none() {
        let message = format!("`{}` is no name of a header", place.path);
        place.say(Diagnostic::error("bad-name", place.span, message).hint("letters, digits and `-`"));
    }
    parsed
}

fn body(item: &Place, from: Whence) -> Option<Hidden> {
    let place = item.child("body")?;
    if from == Whence::Inside {
        let message = format!("`{}` cannot be sent from inside", place.path);
        place.say(
            Diagnostic::error("bad-value", place.span, message).hint("ask the address of a route, with `from: edge`"),
        );
        return None;
    }
    place.as_text().map(Hidden::new)
}

fn expected(item: &Place, method: Option<&str>) -> Option<Expected> {
    let statuses = item.child("status").map_or(Some(vec![OK]), |place| statuses(&place));
    let location = item.child("location").map(|place| rule(&place));
    if let (Some(place), Some(statuses)) = (item.child("location"), &statuses)
        && !statuses.iter().any(|status| *status == 201 || (300..400).contains(status))
    {
        let message = format!("`{}` stands beside a status that leads nowhere", place.path);
        place.say(
            Diagnostic::error("bad-value", place.span, message)
                .hint("say which redirect it is, such as `status: 302`; redirects are not followed"),
        );
    }
    let contains: Vec<String> = item.strings("contains").into_iter().filter(|part| !part.is_empty()).collect();
    let matches = item.child("matches").map(|place| pattern(&place));
    for word in ["contains", "matches"] {
        if let (Some("HEAD"), Some(place)) = (method, item.child(word)) {
            place.refuse("looks at a body, and the answer to HEAD has none; write `method: GET`");
        }
    }
    let mut headers = BTreeMap::new();
    for (name, child) in item.child("answer_headers").iter().flat_map(Place::children) {
        if let (Some(name), Some(rule)) = (header_name(&child, name), rule(&child)) {
            headers.insert(name, rule);
        }
    }
    let location = match location {
        Some(rule) => Some(rule?),
        None => None,
    };
    let matches = match matches {
        Some(pattern) => Some(pattern?),
        None => None,
    };
    Some(Expected { statuses: statuses?, location, contains, matches, headers })
}

fn statuses(place: &Place) -> Option<Vec<u16>> {
    let items = place.items();
    if items.is_empty() {
        place.refuse("names no status; write `status: 200`");
        return None;
    }
    items.iter().map(status).collect()
}

fn status(place: &Place) -> Option<u16> {
    if let Value::String(text) = &place.node.value
        && text.len() == 3
        && text.to_ascii_lowercase().ends_with("xx")
    {
        let message = format!("`{}` is `{text}`, and a check says which status it is", place.path);
        place.say(
            Diagnostic::error("bad-value", place.value_span(), message).hint(
                "a redirect to a login page is no success: write `status: 200`, or a list of those that are right",
            ),
        );
        return None;
    }
    let number: u16 = place.as_int()?;
    let fits = (200..600).contains(&number);
    if !fits {
        place.refuse("must be the status of an answer, from 200 to 599");
    }
    fits.then_some(number)
}

/// A text, `true` for "there", `false` for "not there", or a mapping that says what is in it.
fn rule(place: &Place) -> Option<Rule> {
    match &place.node.value {
        Value::Bool(true) => return Some(Rule::Present),
        Value::Bool(false) => return Some(Rule::Absent),
        Value::Map(_) => {}
        _ => return place.as_text().map(Rule::Is),
    }
    only(place, RULE_WORDS);
    match (place.child("contains"), place.child("matches")) {
        (Some(contains), None) => contains.as_text().map(Rule::Contains),
        (None, Some(matches)) => pattern(&matches).map(Rule::Matches),
        _ => {
            let message = format!("`{}` needs one of the keys `contains` and `matches`", place.path);
            place.say(Diagnostic::error("bad-value", place.span, message).hint("or write the whole value as text"));
            None
        }
    }
}

fn pattern(place: &Place) -> Option<Pattern> {
    let text = place.as_text()?;
    match Pattern::new(text) {
        Ok(pattern) => Some(pattern),
        Err(problem) => {
            let message = format!("`{}` is no regular expression: {problem}", place.path);
            place.say(Diagnostic::error("bad-value", place.value_span(), message));
            None
        }
    }
}

fn tls(item: &Place, url: &Address) -> Option<Tls> {
    let Some(place) = item.child("tls") else { return Some(Tls::Valid) };
    if url.scheme == Scheme::Http {
        place.say(
            Diagnostic::error(
                "bad-value",
                place.span,
                format!("`{}` stands beside an address without TLS", place.path),
            )
            .hint("write `url: https://…`, or take it out"),
        );
        return None;
    }
    match place.as_text()?.as_str() {
        "valid" => Some(Tls::Valid),
        "any" => Some(Tls::Any),
        _ => {
            place.refuse("must be `valid` (the default) or `any`, which does not look at the certificate");
            None
        }
    }
}

fn whence(place: &Place) -> Option<Whence> {
    let text = place.as_text()?;
    let found = Whence::WORDS.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        place.refuse("must be `edge` (its published ports), `inside` (services by their names) or `outside` (by DNS)");
    }
    found.map(|(_, whence)| *whence)
}

/// A route of this stack and a name that only this machine has are asked at the edge, a service by its name from
/// inside, everything else as a visitor would. A port of its own is no port of the edge.
fn default_whence(url: &Address, services: &BTreeMap<ServiceName, Service>) -> Whence {
    let is_routed = services.values().flat_map(|service| &service.routes).any(|route| route.covers_host(&url.host));
    if url.port.is_none() && (is_routed || url.is_of_this_machine() && url.host != "localhost") {
        return Whence::Edge;
    }
    let is_service = services.keys().any(|name| name.as_str() == url.host);
    if url.scheme == Scheme::Http && is_service { Whence::Inside } else { Whence::Outside }
}

/// The first container of the service that the URL names.
fn container(
    url: &Address,
    from: Whence,
    stack: &StackName,
    services: &BTreeMap<ServiceName, Service>,
) -> Option<String> {
    let service = services.values().find(|service| from == Whence::Inside && service.name.as_str() == url.host)?;
    Some(service.container_name.clone().unwrap_or_else(|| container_name(stack, &service.name, 1)))
}

/// What can be asked from inside: services answer there without TLS.
fn fits_inside(item: &Place, url: &Address, from: Whence) -> Option<()> {
    if from != Whence::Inside || url.scheme == Scheme::Http {
        return Some(());
    }
    let place = item.child("from")?;
    let message = format!("`{}` is `inside`, where services are asked without TLS", place.path);
    place
        .say(Diagnostic::error("bad-value", place.value_span(), message).hint("write `url: http://SERVICE:PORT/PATH`"));
    None
}

fn millis(place: &Place, least: u64) -> Option<u64> {
    let millis = place.as_nanos()? / 1_000_000;
    if millis < least || millis > LONGEST_MS {
        place.refuse("must be an hour at most, and a millisecond at least");
        return None;
    }
    Some(millis)
}

#[cfg(test)]
mod tests;
