//! Holds the table to the specification and the page for users to the table.
#![expect(clippy::disallowed_methods, reason = "a test that may write the page it checks")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::*;
use crate::compose::schema;

const PAGE: &str = include_str!("../../../../../../docs/COMPOSE.md");
const START: &str = "<!-- keys: written by a test, see its end -->\n";
const END: &str = "<!-- end of keys";

#[test]
fn no_key_stands_twice_in_the_table() {
    let mut seen = BTreeSet::new();
    for group in KEYS {
        for key in group.keys {
            assert!(seen.insert((group.at, key.name)), "{}.{}", group.at, key.name);
        }
    }
}

fn fate(at: &str, name: &str) -> Option<Fate> {
    let group = KEYS.iter().find(|group| group.at == at)?;
    group.keys.iter().find(|key| key.name == name).map(|key| key.fate)
}

/// The nearest key above a mapping that the table does not take apart: what is below shares its fate.
fn fate_above(at: &str) -> Option<(String, Fate)> {
    let mut path = at.to_owned();
    while !path.is_empty() {
        path = path.trim_end_matches("[]").trim_end_matches(".*").to_owned();
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", &path));
        if let Some(fate) = fate(parent, name) {
            return Some((path, fate));
        }
        path = parent.to_owned();
    }
    None
}

fn row(at: &str, name: &str) -> String {
    let (fate, above) = match fate(at, name) {
        Some(fate) => (fate, None),
        None if KEYS.iter().any(|group| group.at == at) => {
            panic!("`{at}.{name}` is in the specification and not in the table of keys")
        }
        None => fate_above(at).map(|(path, fate)| (fate, Some(path))).expect("some key above is in the table"),
    };
    let (what, why) = match fate {
        Fate::Honoured => ("honoured", ""),
        Fate::Differs(how) => ("honoured differently", how),
        Fate::Quiet(why) => ("no effect of its own", why),
        Fate::Warned(why) => ("warned about", why),
        Fate::Refused(why) => ("refused", why),
    };
    let note = above.map_or(why.to_owned(), |path| format!("with `{path}`"));
    format!("| `{name}` | {what} | {note} |")
}

fn tables() -> String {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (at, name) in schema::every_key() {
        groups.entry(at).or_default().push(name);
    }
    let mut out = String::new();
    for (at, names) in groups {
        let title = if at.is_empty() { "Top level".to_owned() } else { format!("`{at}`") };
        let _ = writeln!(out, "\n### {title}\n\n| key | | |\n|---|---|---|");
        names.iter().for_each(|name| out.push_str(&format!("{}\n", row(&at, name))));
    }
    out.push('\n');
    out
}

/// `MAINSTAY_WRITE_DOCS=1` writes the page instead of comparing.
#[test]
fn the_page_for_users_shows_every_key_of_the_specification_and_its_fate() {
    let (before, rest) = PAGE.split_once(START).expect("where the tables start");
    let (shown, after) = rest.split_once(END).expect("where the tables end");
    let tables = tables();
    if std::env::var_os("MAINSTAY_WRITE_DOCS").is_some() {
        let page = format!("{before}{START}{tables}{END}{after}");
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/COMPOSE.md"), page)
            .expect("the page is written");
        return;
    }
    assert!(shown == tables, "docs/COMPOSE.md is behind the table of keys: run this test with MAINSTAY_WRITE_DOCS=1");
}
