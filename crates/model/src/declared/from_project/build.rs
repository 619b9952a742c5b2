//! How the image of a service is made.

use std::collections::BTreeMap;

use super::container::{extra_hosts, ulimits_of};
use super::files::{self, Content, Kind};
use super::mounts::permissions;
use super::place::Place;
use super::{Project, volumes};
use crate::declared::Build;
use crate::declared::container::{Hidden, Injected};
use crate::identity::ServiceName;
use crate::identity::labels::{PROJECT, SERVICE};

pub(super) fn read(project: &Project, name: &ServiceName, place: &Place) -> Build {
    let mut build = as_written(project, name, place);
    // As Compose does: so an image says whose it is.
    build.labels.insert(PROJECT.to_owned(), project.stack.to_string());
    build.labels.insert(SERVICE.to_owned(), name.to_string());
    build
}

fn as_written(project: &Project, name: &ServiceName, place: &Place) -> Build {
    if place.node.as_map().is_none() {
        return Build { context: context(project, place.as_text()), ..Build::default() };
    }
    let inline = place.text("dockerfile_inline");
    let platforms = place.strings("platforms");
    if platforms.len() > 1
        && let Some(child) = place.child("platforms")
    {
        child.warn(
            "not-honoured",
            format!("has several platforms, which is not honoured: `{name}` is built for the one that it runs on here"),
        );
    }
    Build {
        context: context(project, place.word("context")),
        dockerfile: if inline.is_some() { None } else { place.word("dockerfile") },
        dockerfile_inline: inline,
        target: place.word("target"),
        args: args(project, place),
        labels: volumes::labels(place),
        tags: place.strings("tags"),
        cache_from: place.strings("cache_from"),
        extra_hosts: extra_hosts(place),
        network: place.word("network"),
        platforms,
        no_cache: place.flag("no_cache"),
        pull: place.flag("pull"),
        shm_size_bytes: place.size("shm_size"),
        ulimits: place.child("ulimits").map(|ulimits| ulimits_of(&ulimits)).unwrap_or_default(),
        ssh: ssh(project, place),
        secrets: secrets(project, place),
        privileged: place.flag("privileged"),
    }
}

/// A path is absolute by now; without one, the project's folder is the context.
fn context(project: &Project, text: Option<String>) -> String {
    match text.as_deref() {
        None | Some("" | ".") => project.directory.to_owned(),
        Some(text) => text.to_owned(),
    }
}

/// Shorter values are found everywhere.
const TELLING: usize = 6;

fn args(project: &Project, place: &Place) -> BTreeMap<String, Option<Hidden>> {
    let Some(child) = place.child("args") else { return BTreeMap::new() };
    let args = child.as_options();
    for (name, value) in &args {
        let holds = |secret: &Hidden| {
            let secret = secret.reveal();
            secret.len() >= TELLING && value.as_ref().is_some_and(|value| value.contains(secret))
        };
        if let Some((secret, _)) = project.secrets.iter().find(|(_, value)| holds(value)) {
            child.warn(
                "secret-argument",
                format!("gives the secret `{secret}` as the argument `{name}`, which stays in the image's history; write it under `build.secrets`, and mount it with `RUN --mount=type=secret`"),
            );
        }
    }
    args.into_iter().map(|(name, value)| (name, value.map(Hidden::new))).collect()
}

/// The sockets of SSH agents by id. `default` is the agent of whoever gives the order.
fn ssh(project: &Project, place: &Place) -> BTreeMap<String, String> {
    let Some(child) = place.child("ssh") else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for (id, path) in child.as_options() {
        match path.filter(|path| !path.is_empty()).or_else(|| project.agent.map(str::to_owned)) {
            Some(path) => drop(found.insert(id, path)),
            None => child.refuse(format!("names the agent `{id}`, and `SSH_AUTH_SOCK` is not set")),
        }
    }
    found
}

/// By id, which is the target or else the secret's name. A file's path stands as content of none: the builder reads it.
fn secrets(project: &Project, place: &Place) -> BTreeMap<String, Injected> {
    let mut found = BTreeMap::new();
    for item in place.child("secrets").map(|secrets| secrets.items()).unwrap_or_default() {
        let Some(name) = files::reference(&item) else { continue };
        let Some(content) = files::content(project, &item, Kind::Secret, &name) else { continue };
        let is_long = item.node.as_map().is_some();
        let id = is_long.then(|| item.word("target")).flatten().unwrap_or(name);
        let (target, content) = match content {
            Content::File(path) => (path, Hidden::default()),
            Content::Text(text) => (String::new(), text),
        };
        let mode = is_long.then(|| item.child("mode")).flatten().and_then(|mode| permissions(&mode));
        found.insert(id, Injected { target, content, uid: None, gid: None, mode });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::{declared, warned};
    use super::{Hidden, PROJECT, SERVICE};
    use crate::declared::Build;

    fn build(keys: &str) -> Build {
        let project = declared(&format!(
            r#"{{"services": {{"web": {{"build": {{{keys}}}}}}}, "secrets": {{"key": {{"file": "/key"}}}}}}"#
        ));
        project.services.into_values().next().and_then(|service| service.build).expect("the service is built")
    }

    #[test]
    fn every_key_of_a_classic_build_is_kept() {
        let build = build(
            r#""context": "/srv/shop/app", "dockerfile": "Dockerfile.prod", "target": "run", "args": {"A": "1", "B": null},
               "tags": ["a:1"], "cache_from": ["a:0"], "network": "host", "no_cache": true, "pull": true, "shm_size": "64m",
               "extra_hosts": ["a=10.0.0.1"], "labels": {"l": "v"}, "ulimits": {"nproc": 5}, "platforms": ["linux/amd64"]"#,
        );
        assert_eq!((build.context.as_str(), build.dockerfile.as_deref()), ("/srv/shop/app", Some("Dockerfile.prod")));
        assert_eq!(build.args["A"].as_ref().map(|value| value.reveal()), Some("1"));
        assert_eq!(build.args["B"], None);
        assert!(build.no_cache && build.pull);
        let labels: Vec<_> = build.labels.iter().map(|(label, value)| (label.as_str(), value.as_str())).collect();
        assert_eq!(labels, [(PROJECT, "shop"), (SERVICE, "web"), ("l", "v")]);
        assert_eq!(
            (build.shm_size_bytes, build.extra_hosts.as_slice()),
            (Some(64 << 20), ["a:10.0.0.1".to_owned()].as_slice())
        );
    }

    #[test]
    fn an_inline_dockerfile_stands_in_place_of_a_path() {
        let build = build(r#""context": "/a", "dockerfile": "Dockerfile", "dockerfile_inline": "FROM scratch\n""#);
        assert_eq!((build.dockerfile, build.dockerfile_inline.as_deref()), (None, Some("FROM scratch\n")));
    }

    #[test]
    fn a_secret_of_a_build_is_known_by_its_target() {
        let build = build(r#""context": "/a", "secrets": [{"source": "key", "target": "token"}]"#);
        assert_eq!(build.secrets["token"].target, "/key");
    }

    #[test]
    fn the_socket_of_an_agent_is_kept_and_the_callers_own_must_be_there() {
        assert_eq!(build(r#""context": "/a", "ssh": {"deploy": "/run/agent"}"#).ssh["deploy"], "/run/agent");
        let json = r#"{"services": {"web": {"build": {"context": "/a", "ssh": {"default": null}}}}}"#;
        assert_eq!(super::super::testing::refused(json).len(), 1);
    }

    #[test]
    fn a_secret_as_an_argument_is_warned_about() {
        let json = r#"{"services": {"web": {"build": {"context": "/a", "args": {"URL": "pg://u:hunter22@db", "MODE": "x"}}}}}"#;
        let mut loaded = super::super::testing::loaded(json);
        assert!(crate::declared::declare(&loaded).is_ok_and(|settled| settled.warnings.is_empty()));
        loaded.kept.values.insert("DB_PASSWORD".to_owned(), Hidden::new("hunter22"));
        let settled = crate::declared::declare(&loaded).expect("a warning is no refusal");
        let warning = &settled.warnings[0];
        assert!(warning.message.contains("the secret `DB_PASSWORD` as the argument `URL`"), "{}", warning.message);
        assert!(!warning.message.contains("hunter22"));
    }

    #[test]
    fn several_platforms_are_warned_about() {
        let json =
            r#"{"services": {"web": {"build": {"context": "/a", "platforms": ["linux/amd64", "linux/arm64"]}}}}"#;
        assert_eq!(warned(json).len(), 1);
    }
}
