//! The edge's route table as Caddy's own configuration.
//!
//! Written for Caddy 2.8 and later, which can read the content of a file for every request. The admin interface, the probe, and the
//! private door to a release that is not committed yet listen on unix sockets in a folder that only the host's Mainstay
//! and the edge share, so that no port and no network leads to them.

mod server;
mod site;
mod tls;

use serde_json::{Value, json};

use super::RouteTable;

/// The folder of the sockets and of the configuration, as the edge's container sees it.
pub const FOLDER: &str = "/run/mainstay";

/// Where Caddy answers the health check of its container, inside it.
pub const HEALTH_ADDRESS: &str = "127.0.0.1:2020";

/// The request header that tells the probe's server which upstream to ask.
pub const PROBE_HEADER: &str = "X-Mainstay-Upstream";

/// The header of the answer in which the probe's server says why it reached nobody.
pub const UNREACHED_HEADER: &str = "X-Mainstay-Unreached";

/// The request header that asks the probe's server which set of slots it reads for a stack.
pub const SET_HEADER: &str = "X-Mainstay-Set";

/// The same of what the private door reads.
pub const NEXT_HEADER: &str = "X-Mainstay-Next";

/// The whole configuration. The same table gives the same text.
pub fn render(table: &RouteTable) -> Value {
    render_with(table, table)
}

/// The same, where the private door has other routes than visitors: those of a release that is not committed yet.
pub fn render_with(table: &RouteTable, preview: &RouteTable) -> Value {
    json!({
        "admin": {
            "listen": format!("unix/{FOLDER}/admin.sock|0600"),
            // What is to be served stands in a file of ours, which is what the edge starts with.
            "config": { "persist": false },
        },
        "logging": { "logs": logs() },
        "apps": {
            "http": {
                "servers": server::servers(table, preview),
            },
            "tls": tls::automation(table, preview),
            "pki": { "certificate_authorities": { "local": tls::AUTHORITY.render() } },
        },
    })
}

/// Requests go to standard output, everything else to standard error.
fn logs() -> Value {
    json!({
        "default": { "level": "WARN", "exclude": ["http.log.access"] },
        "access": {
            "writer": { "output": "stdout" },
            "encoder": { "format": "json" },
            "include": ["http.log.access"],
        },
    })
}

#[cfg(test)]
mod tests;
