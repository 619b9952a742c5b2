//! The Compose file.

use std::fmt::Write as _;

use serde_json::json;

use super::environment::{From, variables};
use super::{App, Found};

/// Of what is made up; more than anybody asks for.
const SECRET_BYTES: u32 = 48;

pub(super) fn file(found: &Found, app: &App) -> String {
    let (name, port) = (found.stack_name(), app.port);
    let mut text = format!(
        "# Written by `mainstay init` for {what}.
# It is yours from now on, and `docker compose` understands it too.
name: {name}

services:
  web:
    # Built here until a tag is promoted: `mainstay promote --tag TAG`, or promote.yaml.
    image: {image}:${{TAG:-main-latest}}
    build: .
    restart: unless-stopped
    init: true
",
        what = app.what,
        image = found.image(),
    );
    text += &environment(found, app);
    let _ = write!(
        text,
        "    expose: [\"{port}\"]
    # To look at it without the edge:
    # ports: [\"127.0.0.1:{port}:{port}\"]
    x-mainstay:
      routes:
        - {{ host: \"${{DOMAIN:-{name}.localhost}}\", port: {port} }}
      # A new container takes over when it answers this; name a path that says whether all is well.
      probe: {{ path: {health}, status: 200, within: 60s }}

x-mainstay:
",
        health = app.health,
    );
    text += &secrets(found);
    let path = if app.health == "/" { String::new() } else { app.health.clone() };
    let _ = write!(
        text,
        "  # What must be answered for a release to count: `mainstay smoke` asks it at any time.
  smoke:
    - {{ url: \"https://${{DOMAIN:-{name}.localhost}}{path}\", status: 200 }}
"
    );
    text
}

fn environment(found: &Found, app: &App) -> String {
    let mut lines = Vec::new();
    if app.takes_port {
        lines.push(format!("      PORT: \"{}\"", app.port));
    }
    for variable in variables(found) {
        let name = variable.name;
        lines.push(match variable.value {
            From::Default(value) => format!("      {name}: {}", json!(format!("${{{name}:-{value}}}"))),
            // Without a value here it takes the one that is kept under its name, or that stands in `.env`.
            From::Made | From::Required => format!("      {name}:"),
        });
    }
    if lines.is_empty() {
        return String::new();
    }
    format!("    environment:\n{}\n", lines.join("\n"))
}

fn secrets(found: &Found) -> String {
    let mut lines = Vec::new();
    for variable in variables(found) {
        match variable.value {
            From::Made => lines.push(format!("    {}: {{ generate: {SECRET_BYTES}, min_length: 32 }}", variable.name)),
            From::Required => lines.push(format!("    {}: {{ required: true }}", variable.name)),
            From::Default(_) => {}
        }
    }
    if lines.is_empty() {
        return String::new();
    }
    let head = "  # Never in this file: `mainstay secret set NAME` asks for a value, `up` generates one where it says so.\n  secrets:\n";
    format!("{head}{}\n", lines.join("\n"))
}
