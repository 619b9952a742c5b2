//! How the engine finds out whether a container is well.

use super::place::Place;
use crate::declared::container::Healthcheck;

/// Nothing where the check says nothing: then the image's own counts.
pub(super) fn read(place: &Place) -> Option<Healthcheck> {
    let check = Healthcheck {
        test: test(place),
        interval_nanos: place.nanos("interval"),
        timeout_nanos: place.nanos("timeout"),
        start_period_nanos: place.nanos("start_period"),
        start_interval_nanos: place.nanos("start_interval"),
        retries: place.int("retries"),
    };
    (check != Healthcheck::default()).then_some(check)
}

fn test(place: &Place) -> Option<Vec<String>> {
    if place.flag("disable") {
        return Some(vec!["NONE".to_owned()]);
    }
    let child = place.child("test")?;
    if child.node.as_list().is_none() {
        return Some(vec!["CMD-SHELL".to_owned(), child.as_text()?]);
    }
    let words = child.as_strings();
    match words.first().map(String::as_str) {
        None => return None,
        Some("NONE" | "CMD") => {}
        Some("CMD-SHELL") => {
            if words.len() > 2 {
                child.warn(
                    "healthcheck-words",
                    "has several words after `CMD-SHELL`, and the shell runs only the first as its script; write one string, or `CMD`",
                );
            }
        }
        Some(other) => child.refuse(format!("starts with `{other}`, and must start with `CMD`, `CMD-SHELL` or `NONE`")),
    }
    Some(words)
}
