//! The edge as a stack like any other: Caddy, its ports, and the networks of the stacks that have routes.
//!
//! Written as a Compose file, so that it is read, planned, held and shown by what does so with every stack, and so
//! that a person can look at it and run it with `docker compose`.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::json;

use super::EdgeSettings;
use super::caddy::{FOLDER, HEALTH_ADDRESS};

/// Its only service.
pub const SERVICE: &str = "caddy";

/// What the host lends the edge.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// Absolute path of the folder that the edge shares with Mainstay.
    pub folder: &'a str,
    /// Whether the kernel can hand waiting connections over when a listener closes (Linux 5.14 and later). Without
    /// it, a change of routes may reset connections that were just opened.
    pub migrates_connections: bool,
}

/// The edge's Compose file. `networks` are the engine's names of the networks on which routed services are.
pub fn compose(settings: &EdgeSettings, place: &Place<'_>, networks: &BTreeSet<String>) -> String {
    let mut text = format!(
        "# Made by Mainstay from the routes of the stacks on this host; a change here is lost at the next `up`.
name: {name}
services:
  {SERVICE}:
    image: {}
    restart: unless-stopped
    # While one container gives its ports to the next, everybody waits for requests that are under way.
    stop_grace_period: 3s
    command: [caddy, run, --config, {FOLDER}/caddy.json]
    ports:
      - \"{}:80\"
      - \"{https}:443\"
      - \"{https}:443/udp\"
    volumes:
      - data:/data
      - config:/config
      - {{ type: bind, source: {}, target: {FOLDER} }}
    healthcheck:
      test: [CMD, wget, -q, -O, /dev/null, \"http://{HEALTH_ADDRESS}/\"]
      interval: 5s
      timeout: 5s
      retries: 3
      start_period: 30s
",
        quoted(&settings.image),
        settings.http_port,
        quoted(place.folder),
        name = settings.name,
        https = settings.https_port,
    );
    if place.migrates_connections {
        text.push_str("    sysctls: { net.ipv4.tcp_migrate_req: \"1\" }\n");
    }
    let keys: Vec<String> = (1..=networks.len()).map(|number| format!("routed-{number}")).collect();
    let _ = writeln!(text, "    networks: [{}]", [&["default".to_owned()], keys.as_slice()].concat().join(", "));
    // The engine takes the network whose name sorts first as the one that published ports lead to. Were that another one
    // after the edge has joined it, connections would break.
    let _ = writeln!(text, "volumes:\n  data:\n  config:\nnetworks:\n  default: {{ name: 0-{} }}", settings.name);
    for (key, name) in keys.iter().zip(networks) {
        let _ = writeln!(text, "  {key}: {{ external: true, name: {} }}", quoted(name));
    }
    text
}

/// A YAML scalar that is text, whatever is in it; `$` is not a variable.
fn quoted(text: &str) -> String {
    json!(text.replace('$', "$$")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { folder: "/var/lib/mainstay/edge", migrates_connections: true };

    #[test]
    fn the_compose_file_of_an_edge_with_two_networks() {
        let networks = BTreeSet::from(["shop_default".to_owned(), "supabase_default".to_owned()]);
        insta::assert_snapshot!(compose(&EdgeSettings::default(), &PLACE, &networks));
    }

    #[test]
    fn a_folder_with_odd_characters_stays_one_text() {
        let place = Place { folder: "/srv/a: \"b\" ${HOME}", ..PLACE };
        let text = compose(&EdgeSettings::default(), &place, &BTreeSet::new());
        assert!(text.contains(r#"source: "/srv/a: \"b\" $${HOME}""#), "{text}");
    }
}
