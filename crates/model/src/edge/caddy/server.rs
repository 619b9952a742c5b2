//! The servers: HTTPS, the plain one that leads to it, the private one of releases to come, the probe's, and the one of the container's health check.

use serde_json::{Value, json};

use super::site::{self, Door, PRIVATE, PUBLIC};
use super::{FOLDER, HEALTH_ADDRESS, NEXT_HEADER, PROBE_HEADER, SET_HEADER, UNREACHED_HEADER};
use crate::edge::{RouteTable, slots};
use crate::identity::StackName;

pub(super) fn servers(table: &RouteTable, preview: &RouteTable) -> Value {
    json!({
        "https": https(table),
        "http": http(table),
        "preview": private(preview),
        "probe": probe(table, preview),
        "health": health(),
    })
}

fn https(table: &RouteTable) -> Value {
    json!({
        "listen": [":443"],
        // HTTP/3 is told to browsers with the port that Caddy has, which is the one outside only by default.
        "protocols": if table.settings.https_port == 443 { json!(["h1", "h2", "h3"]) } else { json!(["h1", "h2"]) },
        "routes": routed(table, &PUBLIC),
        "tls_connection_policies": [{}],
        // The plain server is written out below, so that it leads to the port that people outside use.
        "automatic_https": { "disable_redirects": true },
        "logs": access_log(table),
    })
}

/// What visitors get once a release is committed, asked before it is: same names, same certificates, same routes, and the
/// containers of the release.
fn private(table: &RouteTable) -> Value {
    json!({
        "listen": [format!("unix/{FOLDER}/preview.sock|0600")],
        "protocols": ["h1", "h2"],
        "routes": routed(table, &PRIVATE),
        "tls_connection_policies": [{}],
        "automatic_https": { "disable_redirects": true },
    })
}

fn routed(table: &RouteTable, door: &Door) -> Vec<Value> {
    let mut routes: Vec<Value> = table.hosts().into_iter().map(|(host, sites)| site::host(host, sites, door)).collect();
    routes.push(no_route());
    routes
}

/// Every name that is served leads to HTTPS; the certificate authority's own question is answered by Caddy before.
fn http(table: &RouteTable) -> Value {
    let port = match table.settings.https_port {
        443 => String::new(),
        port => format!(":{port}"),
    };
    let hosts: Vec<&str> = table.hosts().into_iter().map(|(host, _)| host).collect();
    let mut routes = Vec::new();
    if !hosts.is_empty() {
        routes.push(json!({
            "match": [{ "host": hosts }],
            "terminal": true,
            "handle": [{
                "handler": "static_response",
                "status_code": 308,
                "headers": { "Location": [format!("https://{{http.request.host}}{port}{{http.request.uri}}")] },
            }],
        }));
    }
    routes.push(no_route());
    json!({
        "listen": [":80"],
        "protocols": ["h1"],
        "routes": routes,
        "automatic_https": { "disable": true },
    })
}

/// Asks one upstream from where the edge stands, without being a route: a release is probed before it is served.
///
/// It also says which set of slots it reads for a stack.
fn probe(table: &RouteTable, preview: &RouteTable) -> Value {
    let served = slots::of(table).into_keys().map(|stack| set_of(SET_HEADER, slots::LIVE, &stack));
    let to_come = slots::of(preview).into_keys().map(|stack| set_of(NEXT_HEADER, slots::NEXT, &stack));
    let mut routes: Vec<Value> = served.chain(to_come).collect();
    // A peer on a unix socket has no address, and then Caddy takes away what says that a request came over TLS.
    routes.push(json!({
        "match": [{ "header": { "X-Forwarded-Proto": ["https"] } }],
        "terminal": true,
        "handle": [asked(&json!({ "X-Forwarded-Proto": ["https"] }))],
    }));
    routes.push(json!({ "handle": [asked(&json!({}))] }));
    json!({
        "listen": [format!("unix/{FOLDER}/probe.sock|0600")],
        "protocols": ["h1"],
        "automatic_https": { "disable": true },
        "routes": routes,
        // Told apart from a service that answers 502 itself.
        "errors": {
            "routes": [{
                "handle": [{
                    "handler": "static_response",
                    "status_code": "{http.error.status_code}",
                    "headers": { UNREACHED_HEADER: ["{http.error.message}"] },
                }],
            }],
        },
    })
}

fn asked(set: &Value) -> Value {
    json!({
        "handler": "reverse_proxy",
        "upstreams": [{ "dial": format!("{{http.request.header.{PROBE_HEADER}}}") }],
        "headers": { "request": { "set": set, "delete": [PROBE_HEADER] } },
        // One that is kept would count as a request under way when the container is drained.
        "transport": { "protocol": "http", "keep_alive": { "enabled": false } },
    })
}

fn set_of(header: &str, links: &str, stack: &StackName) -> Value {
    json!({
        "match": [{ "header": { header: [stack] } }],
        "terminal": true,
        "handle": [{
            "handler": "static_response",
            "status_code": 200,
            "body": slots::placeholder(links, stack, slots::SET),
        }],
    })
}

/// Asked by the container's own health check: that Caddy answers, not that any service does.
fn health() -> Value {
    json!({
        "listen": [HEALTH_ADDRESS],
        "protocols": ["h1"],
        "automatic_https": { "disable": true },
        "routes": [{ "handle": [{ "handler": "static_response", "status_code": 200 }] }],
    })
}

pub(super) fn no_route() -> Value {
    json!({
        "handle": [{
            "handler": "static_response",
            "status_code": 404,
            "headers": { "Content-Type": ["text/plain; charset=utf-8"] },
            "body": "No route of this edge has this host and path.\n",
        }],
    })
}

/// Only the hosts that want it are logged.
fn access_log(table: &RouteTable) -> Value {
    let hosts = table.hosts().into_iter().filter(|(_, sites)| sites.iter().any(|site| site.access_log));
    let names: serde_json::Map<String, Value> = hosts.map(|(host, _)| (host.to_owned(), json!([""]))).collect();
    json!({ "logger_names": names, "skip_unmapped_hosts": true })
}
