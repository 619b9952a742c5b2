//! Named volumes, and what volumes and networks have in common.

use std::collections::BTreeMap;

use super::Project;
use super::place::Place;
use crate::compose::Value;
use crate::declared::container::MountKind;
use crate::declared::{Service, Volume};
use crate::identity::{ServiceName, default_resource_name};

/// Every volume under the top-level `volumes`, by its key.
pub(super) fn declared(project: &Project) -> BTreeMap<String, Volume> {
    let Some(volumes) = project.root.child("volumes") else { return BTreeMap::new() };
    let one = |(key, place): (&str, Place)| {
        let external = is_external(&place);
        let volume = Volume {
            name: resource_name(project, key, &place, external),
            external,
            driver: place.word("driver"),
            driver_opts: place.pairs("driver_opts"),
            labels: labels(&place),
        };
        (key.to_owned(), volume)
    };
    volumes.children().into_iter().map(one).collect()
}

/// Only those that a service mounts: Compose makes no others.
pub(super) fn used(
    volumes: BTreeMap<String, Volume>,
    services: &BTreeMap<ServiceName, Service>,
) -> BTreeMap<String, Volume> {
    let is_mounted = |volume: &Volume| {
        services
            .values()
            .flat_map(|service| &service.container.mounts)
            .any(|mount| mount.kind == MountKind::Volume && mount.source.as_deref() == Some(volume.name.as_str()))
    };
    volumes.into_iter().filter(|(_, volume)| is_mounted(volume)).collect()
}

/// `external: true`, or the old `external: { name: … }`.
pub(super) fn is_external(place: &Place) -> bool {
    let Some(external) = place.child("external") else { return false };
    matches!(external.node.value, Value::Map(_)) || external.as_flag().unwrap_or(false)
}

/// The engine's name: its own, the key of an external one, else Compose's.
pub(super) fn resource_name(project: &Project, key: &str, place: &Place, external: bool) -> String {
    let old = || match place.child("external") {
        Some(external) if external.node.as_map().is_some() => external.word("name"),
        _ => None,
    };
    place.word("name").or_else(old).unwrap_or_else(|| match external {
        true => key.to_owned(),
        false => default_resource_name(&project.stack, key),
    })
}

/// Labels as declared; those that Compose and Mainstay set by themselves are told, for they are set over.
pub(super) fn labels(place: &Place) -> BTreeMap<String, String> {
    let Some(child) = place.child("labels") else { return BTreeMap::new() };
    let (own, free): (BTreeMap<String, String>, BTreeMap<String, String>) = child
        .as_pairs()
        .into_iter()
        .partition(|(name, _)| name.starts_with("com.docker.compose.") || name.starts_with("dev.mainstay."));
    for name in own.keys() {
        child.warn("not-honoured", format!("has `{name}`, which is not honoured: Mainstay sets that label by itself"));
    }
    free
}
