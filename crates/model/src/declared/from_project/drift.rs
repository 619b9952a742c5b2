//! `drift` of a database: what a comparison with its migrations is about.

use super::Project;
use super::files::absolute;
use super::place::Place;
use super::routes::only;
use crate::compose::Diagnostic;
use crate::declared::database::{DriftRules, ScratchWish};

const WORDS: &[&str] = &["ignore", "schemas", "before", "scratch"];
/// The word for the server of the database itself.
const SERVER: &str = "server";

pub(super) fn drift(project: &Project, place: &Place) -> Option<DriftRules> {
    if place.node.as_map().is_none() {
        let message = format!("`{}` must be a mapping", place.path);
        let hint = "write `{ ignore: [\"public.bookings_p*\"] }`";
        place.say(Diagnostic::error("bad-value", place.value_span(), message).hint(hint));
        return None;
    }
    only(place, WORDS);
    let scratch = place.text("scratch").map(|text| match text.as_str() {
        SERVER => ScratchWish::Server,
        _ => ScratchWish::Image(text),
    });
    Some(DriftRules {
        ignore: place.strings("ignore"),
        schemas: place.strings("schemas"),
        before: place.text("before").map(|path| absolute(project, &path)),
        scratch,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{declared, refused};
    use super::*;

    fn stack(drift: &str) -> String {
        format!(
            r#"{{"services": {{"db": {{"image": "postgres:17"}}}}, "x-mainstay": {{"databases": {{"crm": {{"service": "db", "drift": {drift}}}}}}}}}"#
        )
    }

    #[test]
    fn what_a_comparison_is_about_is_declared() {
        let found = declared(&stack(
            r#"{"ignore": ["public.bookings_p*"], "schemas": ["public"], "before": "./sql/before.sql", "scratch": "supabase/postgres:15"}"#,
        ));
        let drift = found.databases["crm"].drift.clone().unwrap();
        assert_eq!((drift.ignore, drift.schemas), (vec!["public.bookings_p*".to_owned()], vec!["public".to_owned()]));
        assert!(drift.before.is_some_and(|path| path.starts_with('/') && path.ends_with("/sql/before.sql")));
        assert_eq!(drift.scratch, Some(ScratchWish::Image("supabase/postgres:15".into())));
        let found = declared(&stack(r#"{"scratch": "server"}"#));
        assert_eq!(found.databases["crm"].drift.as_ref().unwrap().scratch, Some(ScratchWish::Server));
    }

    #[test]
    fn what_is_mistyped_is_refused() {
        for (drift, words) in [(r#"{"ignored": []}"#, "did you mean `ignore`?"), (r#""public""#, "must be a mapping")] {
            let told = refused(&stack(drift)).join("\n");
            assert!(told.contains(words), "{drift}: {told}");
        }
    }
}
