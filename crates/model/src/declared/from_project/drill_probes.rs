//! `x-mainstay.databases.NAME.probes`: what every restored copy is asked.

use super::place::Place;
use super::routes::only;
use crate::compose::Diagnostic;
use crate::declared::DrillProbe;

const WORDS: &[&str] = &["name", "sql", "expect", "within"];
const WITHIN_SECS: u64 = 60;

pub(super) fn probes(place: &Place) -> Vec<DrillProbe> {
    place.items().iter().filter_map(probe).collect()
}

fn probe(place: &Place) -> Option<DrillProbe> {
    only(place, WORDS);
    let (sql, expect) = (place.text("sql"), place.text("expect"));
    let (Some(sql), Some(expect)) = (sql, expect) else {
        let message = format!("`{}` needs the keys `sql` and `expect`", place.path);
        let hint = "a query and its answer, as text: `{ sql: \"select count(*) > 0 from guests\", expect: \"t\" }`";
        place.say(Diagnostic::error("missing-key", place.span, message).hint(hint));
        return None;
    };
    let within_secs = match place.text("within") {
        None => WITHIN_SECS,
        Some(text) => match crate::compose::duration::parse(&text) {
            Ok(within) => within.as_secs().max(1),
            Err(_) => {
                place.refuse("has a `within` that is no time such as `30s`");
                return None;
            }
        },
    };
    let name = place.text("name").unwrap_or_else(|| sql.split_whitespace().collect::<Vec<_>>().join(" "));
    Some(DrillProbe { name, sql, expect: expect.trim_end_matches('\n').to_owned(), within_secs })
}
