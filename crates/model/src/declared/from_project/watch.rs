//! `develop.watch` of a service. A rule that cannot be followed is warned about where it stands and left out: it is for
//! development, and no reason why a stack should not come up.

use std::collections::BTreeMap;

use super::place::{Complaints, Place};
use crate::compose::Loaded;
use crate::declared::container::Hidden;
use crate::declared::watch::{Hook, Watch, WatchAction};
use crate::identity::ServiceName;

/// The rules of every service that has some, without those that cannot be followed.
pub fn watched(loaded: &Loaded) -> BTreeMap<ServiceName, Vec<Watch>> {
    // Told already, when the files were declared.
    let complaints = Complaints::default();
    let root = Place::root(&loaded.project, &complaints);
    let services = root.child("services").map(|services| services.children()).unwrap_or_default();
    let rules = services.into_iter().filter_map(|(name, service)| {
        let rules = rules(&service);
        Some((ServiceName::new(name).ok()?, rules)).filter(|(_, rules)| !rules.is_empty())
    });
    rules.collect()
}

pub(super) fn rules(service: &Place) -> Vec<Watch> {
    let Some(watch) = service.child("develop").and_then(|develop| develop.child("watch")) else { return Vec::new() };
    watch.items().iter().filter_map(|item| rule(service, item)).collect()
}

fn rule(service: &Place, item: &Place) -> Option<Watch> {
    let path = item.word("path")?;
    let word = item.child("action")?;
    let named = word.as_text()?;
    // The files' own rules know no other action, and no syncing without a target.
    let action = WatchAction::ALL.into_iter().find(|action| action.word() == named)?;
    let target = item.word("target");
    if action.syncs() {
        let place = item.child("target")?;
        if !target.as_ref()?.starts_with('/') {
            place.warn(
                "bad-watch-target",
                "is not absolute, so the rule is not followed; write where in the container the files go, such as `/app`",
            );
            return None;
        }
        if let Some(mount) = bound_at(service, &path) {
            word.warn(
                "watch-of-bind",
                format!(
                    "is not followed: `{mount}` is bound into the container, so what changes there is there already"
                ),
            );
            return None;
        }
    }
    if action == WatchAction::Rebuild && service.child("build").is_none() {
        word.warn("no-watch-build", "is `rebuild`, and the service has no `build`, so the rule is not followed; write `restart`, or `sync` with a `target`");
        return None;
    }
    let exec = item.child("exec").map(|place| hook(&place)).filter(|hook| !hook.command.is_empty());
    if action == WatchAction::SyncExec && exec.is_none() {
        word.warn("no-watch-exec", "is `sync+exec`, and no command says what to run, so the rule is not followed; write `exec: { command: … }`");
        return None;
    }
    let rule = Watch {
        path,
        action,
        target,
        ignore: item.strings("ignore"),
        include: item.strings("include"),
        initial_sync: item.flag("initial_sync"),
        exec,
    };
    tell_unused(item, &rule);
    Some(rule)
}

/// What the action of a rule has no use for.
fn tell_unused(item: &Place, rule: &Watch) {
    let unused = [
        ("target", rule.target.is_some() && !rule.action.syncs()),
        ("initial_sync", rule.initial_sync && !rule.action.syncs()),
        ("exec", rule.exec.is_some() && rule.action != WatchAction::SyncExec),
    ];
    for (key, _) in unused.iter().filter(|(_, is_unused)| *is_unused) {
        if let Some(place) = item.child(key) {
            place.warn("unused-watch-key", format!("has no effect where the action is `{}`", rule.action.word()));
        }
    }
}

/// The bind mount in which a path lies.
fn bound_at(service: &Place, path: &str) -> Option<String> {
    let mounts = service.child("volumes")?.items();
    let sources = mounts.iter().filter(|mount| mount.text("type").as_deref() == Some("bind"));
    sources.filter_map(|mount| mount.word("source")).find(|source| {
        let rest = path.strip_prefix(source.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn hook(place: &Place) -> Hook {
    let pairs = place.child("environment").map(|pairs| pairs.as_pairs()).unwrap_or_default();
    Hook {
        command: place.strings("command"),
        user: place.word("user"),
        working_dir: place.word("working_dir"),
        privileged: place.flag("privileged"),
        environment: pairs.into_iter().map(|(name, value)| (name, Hidden::new(value))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{loaded, warned, web_project};
    use super::*;

    fn watch(keys: &str) -> String {
        web_project(&format!(r#""build": {{"context": "/srv/shop"}}, "develop": {{"watch": [{keys}]}}"#))
    }

    #[test]
    fn a_rule_says_where_what_and_whereto() {
        let text = watch(
            r#"{"path": "/srv/shop/src", "action": "sync+exec", "target": "/app/src", "ignore": ["node_modules/"],
                "include": ["*.js"], "initial_sync": true, "exec": {"command": ["nginx", "-s", "reload"], "user": "root"}}"#,
        );
        let rules = watched(&loaded(&text));
        let rule = &rules.values().next().expect("a service")[0];
        assert_eq!((rule.action, rule.target.as_deref()), (WatchAction::SyncExec, Some("/app/src")));
        assert_eq!(
            (rule.ignore.as_slice(), rule.include.as_slice()),
            (["node_modules/".into()].as_slice(), ["*.js".into()].as_slice())
        );
        let exec = rule.exec.as_ref().expect("a program");
        assert_eq!((exec.command.concat().as_str(), exec.user.as_deref()), ("nginx-sreload", Some("root")));
        assert!(rule.initial_sync);
        assert_eq!(warned(&text), [""; 0]);
    }

    #[test]
    fn a_rule_that_cannot_be_followed_is_told_with_its_place_and_left_out() {
        for (rule, part) in [
            (r#"{"path": "/a", "action": "sync", "target": "x"}"#, "develop.watch[0].target` is not absolute"),
            (r#"{"path": "/a", "action": "sync+exec", "target": "/x"}"#, "no command says what to run"),
        ] {
            let text = watch(rule);
            let told = warned(&text);
            assert!(told.len() == 1 && told[0].contains(part), "{rule}: {told:?}");
            assert!(watched(&loaded(&text)).is_empty(), "{rule}");
        }
        let no_build = web_project(r#""develop": {"watch": [{"path": "/a", "action": "rebuild"}]}"#);
        assert!(warned(&no_build)[0].contains("has no `build`"));
        let unused = watch(r#"{"path": "/a", "action": "restart", "target": "/x"}"#);
        assert!(warned(&unused)[0].contains("develop.watch[0].target` has no effect"));
    }

    #[test]
    fn what_is_bound_into_the_container_is_not_synced() {
        let text = |path: &str| {
            web_project(&format!(
                r#""volumes": [{{"type": "bind", "source": "/srv/shop/src", "target": "/app"}}],
                   "develop": {{"watch": [{{"path": "{path}", "action": "sync", "target": "/app"}}]}}"#
            ))
        };
        assert!(warned(&text("/srv/shop/src/deep"))[0].contains("is bound into the container"));
        assert_eq!(warned(&text("/srv/shop/src2")), [""; 0]);
    }
}
