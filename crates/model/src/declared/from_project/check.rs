//! Every key of a project held against the table of keys.

use super::keys::{Fate, Group, KEYS};
use super::place::Place;
use crate::compose::schema::suggest;
use crate::compose::{Diagnostic, Value};

/// Holds every key of the project against the table.
pub(super) fn keys(project: &Place) {
    walk(project, "");
}

fn walk(place: &Place, at: &str) {
    match &place.node.value {
        Value::Map(_) => walk_mapping(place, at),
        Value::List(_) => {
            let below = format!("{at}[]");
            for item in place.items() {
                walk(&item, &below);
            }
        }
        _ => {}
    }
}

fn walk_mapping(place: &Place, at: &str) {
    let group = KEYS.iter().find(|group| group.at == at);
    for (name, child) in place.children() {
        let below = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        match group {
            Some(group) if name.starts_with("x-") => extension(&child, group, name),
            Some(group) => match group.keys.iter().find(|key| key.name == name) {
                Some(key) if matches!(key.fate, Fate::Honoured | Fate::Differs(_)) => walk(&child, &below),
                Some(key) => tell(&child, key.fate),
                None => unknown(&child, group, name),
            },
            None => walk(&child, &format!("{at}.*")),
        }
    }
}

/// Extensions are ignored by Compose and by us, save our own, which is read where it may stand.
fn extension(place: &Place, group: &Group, name: &str) {
    if name == "x-mainstay" && !matches!(group.at, "" | "services.*" | "services.*.volumes[]") {
        place.say(
            Diagnostic::error("misplaced-key", place.span, format!("`{}` is never read", place.path))
                .hint("`x-mainstay` stands at the top of the file, in a service or in one of its mounts"),
        );
    }
    if name != "x-mainstay" && is_nearly_ours(name) {
        place.say(
            Diagnostic::warning("unknown-key", place.span, format!("`{}` is read by nobody", place.path))
                .hint("did you mean `x-mainstay`?"),
        );
    }
}

fn is_nearly_ours(name: &str) -> bool {
    suggest(name, ["x-mainstay"].into_iter()).is_some()
}

fn tell(place: &Place, fate: Fate) {
    if is_blank(&place.node.value) {
        return;
    }
    let path = &place.path;
    match fate {
        Fate::Warned(why) => {
            let message = format!("`{path}` is not honoured: {why}");
            place.say(Diagnostic::warning("not-honoured", place.span, message));
        }
        Fate::Refused(why) => {
            let message = format!("`{path}` is not supported: {why}");
            place.say(Diagnostic::error("unsupported-key", place.span, message));
        }
        Fate::Honoured | Fate::Differs(_) | Fate::Quiet(_) => {}
    }
}

fn unknown(place: &Place, group: &Group, name: &str) {
    let complaint =
        Diagnostic::error("unknown-key", place.span, format!("`{}` is not a key that Compose knows", place.path));
    place.say(match suggest(name, group.keys.iter().map(|key| key.name)) {
        Some(meant) => complaint.hint(format!("did you mean `{meant}`?")),
        None => complaint,
    });
}

/// Whether a value asks for nothing: null, `false`, or empty all the way down.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::List(items) => items.iter().all(|item| is_blank(&item.value)),
        Value::Map(map) => map.iter().all(|(_, entry)| is_blank(&entry.node.value)),
        Value::Bool(true) | Value::Int(_) | Value::Float(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{refused, warned, web, web_project};
    use super::KEYS;

    #[test]
    fn an_unknown_key_is_refused_with_the_likely_one() {
        assert_eq!(
            refused(&web_project(r#""enviroment": {}"#)),
            ["`services.web.enviroment` is not a key that Compose knows (did you mean `environment`?)"]
        );
    }

    #[test]
    fn an_extension_of_others_is_let_be() {
        web(r#""x-casaos": {"kitchen": true}, "labels": {"x": "y"}"#);
    }

    #[test]
    fn a_key_that_would_change_what_runs_is_refused_by_name() {
        assert_eq!(
            refused(&web_project(r#""provider": {"type": "model"}"#)),
            ["`services.web.provider` is not supported: services that a plugin provides are not built yet"]
        );
        for keys in [
            r#""post_start": [{"command": ["a"]}]"#,
            r#""pre_stop": [{"command": ["a"]}]"#,
            r#""models": {"llm": {}, "other": {"endpoint_var": "URL"}}"#,
            r#""credential_spec": {"file": "a"}"#,
            r#""use_api_socket": true"#,
            r#""build": {"context": "/a", "additional_contexts": {"b": "/b"}}"#,
        ] {
            assert_eq!(refused(&web_project(keys)).len(), 1, "{keys}");
        }
    }

    #[test]
    fn a_key_without_meaning_on_one_machine_is_warned_about() {
        assert_eq!(
            warned(&web_project(r#""deploy": {"placement": {"constraints": ["node.role==manager"]}}"#)),
            [
                "`services.web.deploy.placement` is not honoured: it is for a Swarm cluster, and this stack runs on one machine"
            ]
        );
    }

    #[test]
    fn a_key_that_asks_for_nothing_is_not_talked_about() {
        web(
            r#""deploy": {"placement": {}, "update_config": null}, "develop": null, "post_start": [], "use_api_socket": false"#,
        );
    }

    #[test]
    fn our_own_key_is_refused_where_it_is_never_read() {
        assert_eq!(
            refused(&web_project(r#""healthcheck": {"x-mainstay": {"probe": 1}}"#)),
            [
                "`services.web.healthcheck.x-mainstay` is never read (`x-mainstay` stands at the top of the file, in a service or in one of its mounts)"
            ]
        );
    }

    /// Wraps a value in the mappings and lists of a path of the table.
    fn at(path: &str, value: serde_json::Value) -> serde_json::Value {
        path.split('.').rev().filter(|step| !step.is_empty()).fold(value, |inner, step| {
            let (name, is_list) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
            let inner = if is_list { serde_json::json!([inner]) } else { inner };
            let name = if name == "*" { "web" } else { name };
            serde_json::json!({ name: inner })
        })
    }

    #[test]
    fn no_value_at_any_key_makes_the_reading_fall_over() {
        let odd = r#"[null, true, -1, 1e300, 99999999999999999999, "", "x", "-", ":", "/", "a:b:c", "service:", "=", "9-1",
            [], {}, [null], [[]], [{}], ["x", 1], {"a": null}, {"a": {}}, {"a": [1]}, {"name": 1}, {"web": "web"}]"#;
        let odd: Vec<serde_json::Value> = serde_json::from_str(odd).expect("the values are JSON");
        for group in KEYS {
            for key in group.keys {
                for value in &odd {
                    let json = at(&format!("{}.{}", group.at, key.name), value.clone());
                    let project = super::super::testing::loaded(&json.to_string());
                    if let Err(complaints) = crate::declared::declare(&project) {
                        assert!(!complaints.is_empty(), "{json}");
                    }
                }
            }
        }
    }
}
