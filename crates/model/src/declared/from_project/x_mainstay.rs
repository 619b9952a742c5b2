//! What Compose cannot say: `x-mainstay`, at the top of the file and in a service.

use std::collections::{BTreeMap, BTreeSet};

use super::place::Place;
use super::{Project, buckets, databases, probe, rollout, routes, secrets, smoke};
use crate::compose::schema::suggest;
use crate::compose::{Diagnostic, Dialect};
use crate::declared::container::ContainerSpec;
use crate::declared::{Database, Probe, Rollout, Route, Service, StackBucket};
use crate::identity::{ServiceName, StackName};
use crate::secrets::SecretWish;
use crate::smoke::Check;

/// The key itself.
pub(super) const KEY: &str = "x-mainstay";

/// Words at the top of the file; `schedules` are not honoured yet.
const AT_THE_TOP: &[&str] = &["requires", "dialect", "domain", "secrets", "smoke", "databases", "buckets", "schedules"];

/// Words in a service.
const IN_A_SERVICE: &[&str] = &["routes", "probe", "wait", "rollout"];

/// The words of a mount.
const IN_A_MOUNT: &[&str] = &["content"];

/// What a service's own words say.
#[derive(Default)]
pub(super) struct Words {
    pub(super) routes: Vec<Route>,
    pub(super) probe: Option<Probe>,
    pub(super) rollout: Rollout,
    pub(super) unwaited: bool,
}

/// What the words at the top of the file say.
#[derive(Default)]
pub(super) struct Top {
    /// The stacks that this one needs, in the order in which they were named.
    pub(super) requires: Vec<StackName>,
    pub(super) secrets: BTreeMap<String, SecretWish>,
}

/// Reads the words at the top of the file.
pub(super) fn at_the_top(project: &Project) -> Top {
    let mut top = Top::default();
    let Some(place) = project.root.child(KEY) else { return top };
    for (word, child) in place.children() {
        match word {
            "requires" => top.requires = stacks(project, &child),
            "secrets" => top.secrets = secrets::wishes(&child),
            "dialect" => dialect(&child),
            // It was used up when the files were read.
            "domain" => drop(child.as_text()),
            // Read by functions of their own, which have to know the services.
            "smoke" | "databases" | "buckets" => {}
            _ => tell(&child, word, AT_THE_TOP, IN_A_SERVICE, "belongs in a service"),
        }
    }
    top
}

/// What must be answered where.
pub(super) fn smoke(project: &Project, services: &BTreeMap<ServiceName, Service>) -> Vec<Check> {
    let place = project.root.child(KEY).and_then(|place| place.child("smoke"));
    place.map(|place| smoke::checks(&place, &project.stack, services)).unwrap_or_default()
}

/// The databases of the stack, by name.
pub(super) fn databases(project: &Project, services: &BTreeMap<ServiceName, Service>) -> BTreeMap<String, Database> {
    let place = project.root.child(KEY).and_then(|place| place.child("databases"));
    place.map(|place| databases::databases(project, &place, services)).unwrap_or_default()
}

/// The buckets of the stack, by name.
pub(super) fn buckets(project: &Project, services: &BTreeMap<ServiceName, Service>) -> BTreeMap<String, StackBucket> {
    let place = project.root.child(KEY).and_then(|place| place.child("buckets"));
    place.map(|place| buckets::buckets(project, &place, services)).unwrap_or_default()
}

fn stacks(project: &Project, place: &Place) -> Vec<StackName> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for item in place.items() {
        let Some(text) = item.as_text() else { continue };
        match StackName::new(text) {
            Ok(name) if name == project.stack => item.refuse("makes the stack require itself; take it out of the list"),
            Ok(name) => {
                if seen.insert(name.clone()) {
                    found.push(name);
                }
            }
            Err(problem) => {
                let hint = "write the name that `mainstay stacks` or `docker compose ls` shows";
                item.say(Diagnostic::error("bad-name", item.span, problem.to_string()).hint(hint));
            }
        }
    }
    found
}

/// It was used up when the files were read, if it is one.
fn dialect(place: &Place) {
    let Some(text) = place.as_text() else { return };
    if Dialect::named(&text).is_none() {
        let words: Vec<&str> = Dialect::WORDS.iter().map(|(word, _)| *word).collect();
        let message = format!("`{}` is `{text}`, which is no dialect that Mainstay knows", place.path);
        let hint = format!("known: `{}`", words.join("`, `"));
        place.say(Diagnostic::error("bad-value", place.span, message).hint(hint));
    }
}

/// Reads a service's own words; `container` says which ports it has.
pub(super) fn of_service(service: &Place, container: &ContainerSpec) -> Words {
    let mut words = Words::default();
    let Some(place) = service.child(KEY) else { return words };
    for (word, child) in place.children() {
        match word {
            "routes" => words.routes = routes::routes(&child, container),
            "probe" => {}
            "rollout" => words.rollout = rollout::rollout(&child),
            "wait" => words.unwaited = child.as_flag() == Some(false),
            _ => tell(&child, word, IN_A_SERVICE, AT_THE_TOP, "belongs at the top of the file"),
        }
    }
    // It leans on the routes, wherever they stand.
    words.probe = place.child("probe").and_then(|child| probe::probe(&child, &words.routes, container));
    words
}

/// The content of the file that a mount binds.
pub(super) fn content_of_mount(mount: &Place) -> Option<String> {
    let place = mount.child(KEY)?;
    let mut content = None;
    for (word, child) in place.children() {
        match word {
            "content" => content = child.as_text(),
            _ => tell(&child, word, IN_A_MOUNT, IN_A_SERVICE, "belongs in a service"),
        }
    }
    content
}

/// A known word is warned about, one from the other place is sent there, any other is refused.
fn tell(place: &Place, word: &str, here: &[&str], there: &[&str], where_to: &str) {
    let path = &place.path;
    if here.contains(&word) {
        let message = format!("`{path}` is not honoured by this version");
        place.say(Diagnostic::warning("not-honoured", place.span, message));
        return;
    }
    if there.contains(&word) {
        place.say(
            Diagnostic::error("misplaced-key", place.span, format!("`{path}` is never read"))
                .hint(format!("`{word}` {where_to}")),
        );
        return;
    }
    unknown(place, word, here);
}

/// Refuses a word that there is not.
pub(super) fn unknown(place: &Place, word: &str, here: &[&str]) {
    let message = format!("`{}` is not a word that Mainstay knows", place.path);
    let complaint = Diagnostic::error("unknown-key", place.span, message);
    place.say(match suggest(word, here.iter().copied()) {
        Some(meant) => complaint.hint(format!("did you mean `{meant}`?")),
        None => complaint.hint(format!("known here: `{}`", here.join("`, `"))),
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{declared, refused, warned, web_project};

    fn top(words: &str) -> String {
        format!(r#"{{"services": {{"web": {{"image": "nginx"}}}}, "x-mainstay": {{{words}}}}}"#)
    }

    #[test]
    fn required_stacks_are_kept_in_their_order_without_doubles() {
        let required = declared(&top(r#""requires": ["supabase", "edge", "supabase"]"#)).requires;
        let names: Vec<&str> = required.iter().map(AsRef::as_ref).collect();
        assert_eq!(names, ["supabase", "edge"]);
    }

    #[test]
    fn a_stack_cannot_require_itself_or_a_name_that_no_stack_can_have() {
        assert_eq!(
            refused(&top(r#""requires": ["shop"]"#)),
            ["`x-mainstay.requires[0]` makes the stack require itself (take it out of the list)"]
        );
        assert_eq!(refused(&top(r#""requires": ["Supa Base"]"#)).len(), 1);
    }

    #[test]
    fn words_of_later_versions_are_warned_about_once_each() {
        assert_eq!(warned(&top(r#""schedules": {}"#)), ["`x-mainstay.schedules` is not honoured by this version"]);
    }

    #[test]
    fn a_mistyped_word_is_refused_with_the_likely_one() {
        assert_eq!(
            refused(&top(r#""requries": ["supabase"]"#)),
            ["`x-mainstay.requries` is not a word that Mainstay knows (did you mean `requires`?)"]
        );
        assert_eq!(
            refused(&web_project(r#""x-mainstay": {"kitchen": 1}"#)),
            [
                "`services.web.x-mainstay.kitchen` is not a word that Mainstay knows (known here: `routes`, `probe`, `wait`, `rollout`)"
            ]
        );
    }

    #[test]
    fn a_word_in_the_wrong_place_is_sent_to_the_right_one() {
        assert_eq!(
            refused(&web_project(r#""x-mainstay": {"requires": ["supabase"]}"#)),
            ["`services.web.x-mainstay.requires` is never read (`requires` belongs at the top of the file)"]
        );
        assert_eq!(
            refused(&top(r#""routes": []"#)),
            ["`x-mainstay.routes` is never read (`routes` belongs in a service)"]
        );
    }
}
