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

pub(super) fn read(project: &Project, name: &ServiceName, place: &Place) -> Build {
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
        args: args(place),
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

fn args(place: &Place) -> BTreeMap<String, Option<Hidden>> {
    let Some(child) = place.child("args") else { return BTreeMap::new() };
    child.as_options().into_iter().map(|(name, value)| (name, value.map(Hidden::new))).collect()
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
