//! What the edge does with the requests of a route besides leading them on.

use std::collections::BTreeMap;

use super::place::Place;
use super::routes::only;
use crate::compose::Diagnostic;
use crate::declared::route::Handling;
use crate::edge::{Account, Headers, Protocol};

/// The words of a route that are read here.
pub(super) const WORDS: &[&str] =
    &["headers", "basic_auth", "max_body", "access_log", "maintenance", "protocol", "strip_path", "sticky"];
const SIDES: &[&str] = &["request", "response"];
/// bcrypt, which is what the edge compares with.
const HASHES: &[&str] = &["$2a$", "$2b$", "$2y$"];
const STICKY_COOKIE: &str = "mainstay_replica";
const MAINTENANCE_PAGE: &str = "<!doctype html><title>Maintenance</title><p>This site is being worked on. \
     Please try again in a few minutes.</p>\n";

pub(super) fn handling(route: &Place) -> Handling {
    Handling {
        headers: route.child("headers").map(|place| headers(&place)).unwrap_or_default(),
        accounts: route.child("basic_auth").map(|place| accounts(&place)).unwrap_or_default(),
        max_body_bytes: route.size("max_body"),
        access_log: route.flag("access_log"),
        maintenance: route.child("maintenance").and_then(|place| switch_or_text(&place, MAINTENANCE_PAGE)),
        protocol: route.child("protocol").and_then(|place| protocol(&place)).unwrap_or_default(),
        strip_path: route.flag("strip_path"),
        sticky_cookie: route.child("sticky").and_then(|place| sticky(&place)),
    }
}

fn headers(place: &Place) -> Headers {
    only(place, SIDES);
    let side = |key: &str| place.child(key).map(|side| fields(&side)).unwrap_or_default();
    Headers { request: side("request"), response: side("response") }
}

fn fields(place: &Place) -> BTreeMap<String, Option<String>> {
    let mut found = BTreeMap::new();
    for (name, value) in place.as_options() {
        let is_token =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        let is_one_line = value.as_deref().is_none_or(|value| !value.contains(['\r', '\n', '\0']));
        if is_token && is_one_line {
            found.insert(name, value);
        } else {
            let message = format!("`{}` has `{}`, which is no header field", place.path, name.escape_debug());
            place.say(
                Diagnostic::error("bad-value", place.span, message)
                    .hint("a name without spaces and colons, and a value on one line; `null` takes the field away"),
            );
        }
    }
    found
}

fn accounts(place: &Place) -> Vec<Account> {
    let pairs = place.as_options().into_iter();
    let account = |(user, hash): (String, Option<String>)| {
        let hash = hash.unwrap_or_default();
        if HASHES.iter().any(|start| hash.starts_with(start)) && hash.len() == 60 {
            return Some(Account { user, password_hash: hash });
        }
        // The value is not shown: it may be the password itself.
        let message = format!("`{}.{user}` is not the bcrypt hash of a password", place.path);
        place.say(Diagnostic::error("bad-value", place.span, message).hint(
            "`caddy hash-password` or `htpasswd -nB NAME` makes one; in a Compose file each `$` is written `$$`",
        ));
        None
    };
    pairs.filter_map(account).collect()
}

fn protocol(place: &Place) -> Option<Protocol> {
    match place.as_text()?.as_str() {
        "http" => Some(Protocol::Http),
        "h2c" | "grpc" => Some(Protocol::H2c),
        "https" => Some(Protocol::Https),
        _ => {
            place.refuse("must be `http` (WebSockets included), `h2c` (as gRPC speaks it) or `https`");
            None
        }
    }
}

/// `true` for what is usual, a text for something else.
fn switch_or_text(place: &Place, usual: &str) -> Option<String> {
    match place.as_text()?.as_str() {
        "false" | "" => None,
        "true" => Some(usual.to_owned()),
        text => Some(text.to_owned()),
    }
}

fn sticky(place: &Place) -> Option<String> {
    let name = switch_or_text(place, STICKY_COOKIE)?;
    let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if !fits {
        place.refuse("must be `true`, or the name of a cookie: letters, digits, `_`, `-` and `.`");
    }
    fits.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{refused, web, web_project};
    use super::*;

    const HASH: &str = "$2b$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234";

    fn keys(words: &str) -> String {
        format!(r#""x-mainstay": {{"routes": [{{"host": "a.example", "port": 80, {words}}}]}}"#)
    }

    fn of(words: &str) -> Handling {
        web(&keys(words)).services.into_values().next().expect("a service").routes.remove(0).handling
    }

    #[test]
    fn everything_that_a_route_can_ask_for_is_read() {
        let all = of(&format!(
            r#""headers": {{"request": {{"X-A": "1"}}, "response": {{"Server": null}}}}, "basic_auth": {{"ada": "{HASH}"}},
               "max_body": "10mb", "access_log": true, "protocol": "grpc", "strip_path": true, "sticky": true"#
        ));
        assert_eq!(all.headers.request["X-A"].as_deref(), Some("1"));
        assert_eq!(all.headers.response["Server"], None);
        assert_eq!(all.accounts, [Account { user: "ada".into(), password_hash: HASH.into() }]);
        assert_eq!(all.max_body_bytes, Some(10 * 1024 * 1024));
        assert!(all.access_log && all.strip_path);
        assert_eq!((all.protocol, all.sticky_cookie.as_deref()), (Protocol::H2c, Some(STICKY_COOKIE)));
        assert_eq!(of(r#""maintenance": true"#).maintenance.as_deref(), Some(MAINTENANCE_PAGE));
        assert_eq!(of(r#""maintenance": "<p>At noon</p>""#).maintenance.as_deref(), Some("<p>At noon</p>"));
        assert_eq!(of(r#""maintenance": false"#).maintenance, None);
    }

    #[test]
    fn a_password_in_the_place_of_its_hash_is_refused_and_not_shown() {
        let told = refused(&web_project(&keys(r#""basic_auth": {"ada": "hunter2"}"#))).concat();
        assert!(told.contains("basic_auth.ada") && told.contains("htpasswd") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn what_is_no_header_cookie_or_protocol_is_refused() {
        for (words, wanted) in [
            (r#""headers": {"request": {"X A": "1"}}"#, "no header field"),
            (r#""headers": {"reqest": {}}"#, "did you mean `request`?"),
            (r#""protocol": "spdy""#, "must be `http`"),
            (r#""sticky": "a b""#, "name of a cookie"),
            (r#""max_body": "-1""#, ""),
        ] {
            let told = refused(&web_project(&keys(words))).concat();
            assert!(!told.is_empty() && told.contains(wanted), "{words}: {told}");
        }
    }
}
