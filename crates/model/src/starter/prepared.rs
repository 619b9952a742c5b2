//! An app that has a Dockerfile: only what stands there is known.

use super::app::health_in;
use super::{App, DOCKERFILE, Found};

const PORT: u16 = 8080;

pub(super) fn app(found: &Found) -> App {
    let text = found.text(DOCKERFILE).unwrap_or_default();
    let word = |line: &str, keyword: &str| {
        let (first, rest) = line.trim().split_once(char::is_whitespace)?;
        first.eq_ignore_ascii_case(keyword).then(|| rest.trim().to_owned())
    };
    let last = |keyword: &str| text.lines().rev().find_map(|line| word(line, keyword));
    let exposed = last("EXPOSE").and_then(|ports| ports.split(['/', ' ']).next()?.parse().ok());
    let mut notes = Vec::new();
    if exposed.is_none() {
        notes.push(format!("the Dockerfile has no `EXPOSE`: set the port in compose.yaml, where {PORT} stands now"));
    }
    if last("USER").is_none_or(|user| matches!(user.as_str(), "root" | "0")) {
        notes.push("the Dockerfile ends as root: a `USER` line takes that from whoever breaks in".to_owned());
    }
    let sources = found.sources(&[".js", ".mjs", ".ts", ".py", ".rs"]).map(|(_, text)| text);
    App {
        what: "an app with a Dockerfile".to_owned(),
        port: exposed.unwrap_or(PORT),
        health: health_in(sources).unwrap_or_else(|| "/".to_owned()),
        takes_port: false,
        dockerfile: None,
        ignored: vec!["node_modules", "target"],
        notes,
    }
}
