//! One host's sites as a route of Caddy's, and the handlers in it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::server::no_route;
use crate::edge::{Account, Answer, Headers, Protocol, Proxy, Site, slots};

/// How long connections that were switched to another protocol (WebSockets) live on after the routes changed. A
/// change of one stack's routes must not cut those of another; what leads to a container that goes ends with it.
const STREAM_CLOSE_DELAY: &str = "24h";

/// How long a request waits for a container that is just not there: one that the engine starts again, for one.
const TRY_DURATION: &str = "5s";
const TRY_INTERVAL: &str = "100ms";

/// How long a connection to a service is kept for its next request. Shorter than the five seconds after which Node and
/// others close it themselves: a request must not be sent into a connection that is being closed.
const IDLE: &str = "3s";

/// Where requests come in.
pub(super) struct Door {
    /// The links by which it finds its containers.
    links: &'static str,
    is_private: bool,
}

pub(super) const PUBLIC: Door = Door { links: slots::LIVE, is_private: false };
pub(super) const PRIVATE: Door = Door { links: slots::NEXT, is_private: true };

pub(super) fn host(host: &str, sites: &[Site], door: &Door) -> Value {
    let mut routes: Vec<Value> = sites.iter().map(|site| route(site, door)).collect();
    if sites.iter().all(|site| site.path != "/") {
        // Without it Caddy answers what no route takes with an empty 200.
        routes.push(no_route());
    }
    json!({
        "match": [{ "host": [host] }],
        "terminal": true,
        "handle": [{ "handler": "subroute", "routes": routes }],
    })
}

fn route(site: &Site, door: &Door) -> Value {
    let mut route = json!({ "terminal": true, "handle": handlers(site, door) });
    if site.path != "/" {
        let folder = site.path.trim_end_matches('/');
        route["match"] = json!([{ "path": [folder, format!("{folder}/*")] }]);
    }
    route
}

fn handlers(site: &Site, door: &Door) -> Vec<Value> {
    let mut handlers = Vec::new();
    if !site.headers.is_empty() {
        handlers.push(headers(&site.headers));
    }
    if !site.accounts.is_empty() {
        handlers.push(accounts(&site.accounts));
    }
    if let Some(bytes) = site.max_body_bytes {
        handlers.push(json!({ "handler": "request_body", "max_size": bytes }));
    }
    match &site.answer {
        Answer::Proxy(proxy) => handlers.extend(proxied(site, proxy, door)),
        Answer::Redirect { to, status } => handlers.push(redirect(to, *status)),
        Answer::Maintenance { page } => handlers.push(unavailable("text/html; charset=utf-8", page)),
    }
    handlers
}

fn headers(headers: &Headers) -> Value {
    let mut response = changes(&headers.response);
    // Set when the answer comes back, so that the service's own value does not stand beside it.
    response["deferred"] = json!(true);
    json!({ "handler": "headers", "request": changes(&headers.request), "response": response })
}

fn changes(fields: &BTreeMap<String, Option<String>>) -> Value {
    let set: Map<String, Value> =
        fields.iter().filter_map(|(name, value)| Some((name.clone(), json!([value.as_ref()?])))).collect();
    let delete: Vec<&String> = fields.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
    let mut changes = json!({});
    if !set.is_empty() {
        changes["set"] = Value::Object(set);
    }
    if !delete.is_empty() {
        changes["delete"] = json!(delete);
    }
    changes
}

fn accounts(accounts: &[Account]) -> Value {
    let accounts: Vec<Value> =
        accounts.iter().map(|account| json!({ "username": account.user, "password": account.password_hash })).collect();
    json!({
        "handler": "authentication",
        "providers": { "http_basic": { "accounts": accounts, "hash": { "algorithm": "bcrypt" } } },
    })
}

fn proxied(site: &Site, proxy: &Proxy, door: &Door) -> Vec<Value> {
    if proxy.upstreams.is_empty() {
        return vec![unavailable("text/plain; charset=utf-8", "Nothing that serves this address is ready.\n")];
    }
    let mut handlers = Vec::new();
    if proxy.strip_path && site.path != "/" {
        handlers.push(json!({ "handler": "rewrite", "strip_path_prefix": site.path.trim_end_matches('/') }));
    }
    let slots = proxy.upstreams.iter().enumerate();
    let upstreams: Vec<Value> =
        slots.map(|(index, upstream)| json!({ "dial": slots::dial(door.links, site, index, upstream) })).collect();
    let mut balancing = json!({ "try_duration": TRY_DURATION, "try_interval": TRY_INTERVAL });
    if let Some(cookie) = &proxy.sticky_cookie {
        balancing["selection_policy"] = json!({ "policy": "cookie", "name": cookie });
    }
    let mut handler = json!({
        "handler": "reverse_proxy",
        "upstreams": upstreams,
        "load_balancing": balancing,
        "stream_close_delay": STREAM_CLOSE_DELAY,
    });
    // Behind the private door none is kept: it would count as a request under way when the container is drained.
    let keep_alive = if door.is_private { json!({ "enabled": false }) } else { json!({ "idle_timeout": IDLE }) };
    let mut transport = json!({ "protocol": "http", "keep_alive": keep_alive });
    match proxy.protocol {
        Protocol::Http => {}
        Protocol::H2c => transport["versions"] = json!(["h2c", "2"]),
        Protocol::Https => transport["tls"] = json!({ "insecure_skip_verify": true }),
    }
    handler["transport"] = transport;
    if door.is_private {
        // A peer on a unix socket has no address, and then Caddy tells a service nothing of where a request came from.
        handler["headers"] = json!({ "request": { "set": {
            "X-Forwarded-For": ["127.0.0.1"],
            "X-Forwarded-Host": ["{http.request.hostport}"],
            "X-Forwarded-Proto": ["https"],
        } } });
    }
    handlers.push(handler);
    handlers
}

fn redirect(to: &str, status: u16) -> Value {
    let location =
        if has_path(to) { to.to_owned() } else { format!("{}{{http.request.uri}}", to.trim_end_matches('/')) };
    json!({ "handler": "static_response", "status_code": status, "headers": { "Location": [location] } })
}

/// Whether a URL says more than where: then it is taken as it is.
fn has_path(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once(['/', '?', '#']).is_some_and(|(_, path)| !path.is_empty())
}

fn unavailable(kind: &str, body: &str) -> Value {
    json!({
        "handler": "static_response",
        "status_code": 503,
        "headers": { "Content-Type": [kind], "Retry-After": ["10"], "Cache-Control": ["no-store"] },
        "body": body,
    })
}
