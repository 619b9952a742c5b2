//! What every container of a service is made with.

use std::collections::BTreeMap;

use super::place::Place;
use super::service::{is_service, missing_service};
use super::{Project, files, health, limits, mounts, ports, restart, volumes};
use crate::declared::Volume;
use crate::declared::container::{ContainerSpec, Device, Hidden, Logging, Ulimit, VolumesFrom, VolumesSource};
use crate::identity::ServiceName;

pub(super) fn read(project: &Project, place: &Place, declared: &BTreeMap<String, Volume>) -> ContainerSpec {
    let mut spec = ContainerSpec {
        command: argv(place, "command"),
        entrypoint: argv(place, "entrypoint"),
        environment: environment(place),
        labels: volumes::labels(place),
        annotations: place.pairs("annotations"),
        user: place.word("user"),
        working_dir: place.word("working_dir"),
        hostname: place.word("hostname"),
        domainname: place.word("domainname"),
        mac_address: place.word("mac_address"),
        tty: place.flag("tty"),
        stdin_open: place.flag("stdin_open"),
        init: place.child("init").and_then(|init| init.as_flag()),
        read_only: place.flag("read_only"),
        privileged: place.flag("privileged"),
        restart: restart::read(place),
        stop_signal: place.word("stop_signal"),
        stop_grace_secs: place.nanos("stop_grace_period").map(|nanos| nanos.div_ceil(1_000_000_000)),
        healthcheck: place.child("healthcheck").and_then(|check| health::read(&check)),
        ports: ports::published(place),
        expose: ports::exposed(place),
        mounts: mounts::read(place, declared),
        tmpfs: mounts::tmpfs(place),
        volumes_from: volumes_from(project, place),
        logging: place.child("logging").map(|logging| logging_of(&logging)),
        ..ContainerSpec::default()
    };
    isolation(project, place, &mut spec);
    limits::read(place, &mut spec);
    files::read(project, place, &mut spec);
    mounts::refuse_doubles(place, &spec);
    spec
}

/// What separates the container from its host and from others, and what is let through.
fn isolation(project: &Project, place: &Place, spec: &mut ContainerSpec) {
    (spec.devices, spec.device_requests) = devices(place);
    spec.device_cgroup_rules = place.strings("device_cgroup_rules");
    spec.cap_add = place.strings("cap_add");
    spec.cap_drop = place.strings("cap_drop");
    spec.security_opt = place.strings("security_opt");
    spec.sysctls = place.pairs("sysctls");
    spec.ulimits = place.child("ulimits").map(|ulimits| ulimits_of(&ulimits)).unwrap_or_default();
    spec.dns = place.strings("dns");
    spec.dns_search = place.strings("dns_search");
    spec.dns_opt = place.strings("dns_opt");
    spec.extra_hosts = extra_hosts(place);
    spec.group_add = place.strings("group_add");
    spec.ipc = namespace(project, place, "ipc");
    spec.pid = namespace(project, place, "pid");
    spec.uts = place.word("uts");
    spec.userns_mode = place.word("userns_mode");
    spec.cgroup = place.word("cgroup");
    spec.cgroup_parent = place.word("cgroup_parent");
    spec.runtime = place.word("runtime");
    spec.isolation = place.word("isolation");
    spec.storage_opt = place.pairs("storage_opt");
}

/// A list of words. An empty one is kept: it takes the image's own away.
fn argv(place: &Place, key: &str) -> Option<Vec<String>> {
    let child = place.child(key)?;
    if child.node.as_list().is_none() {
        child.refuse(format!("must be a list of words here, and is {}", child.node.kind()));
        return None;
    }
    Some(child.as_strings())
}

/// Values byte for byte; a name without a value was not set where the files were read, and is dropped as Compose does.
fn environment(place: &Place) -> BTreeMap<String, Hidden> {
    let Some(child) = place.child("environment") else { return BTreeMap::new() };
    child.as_options().into_iter().filter_map(|(name, value)| Some((name, Hidden::new(value?)))).collect()
}

fn logging_of(place: &Place) -> Logging {
    Logging { driver: place.word("driver"), options: place.pairs("options") }
}

/// One number sets both; `soft` and `hard` set each.
pub(super) fn ulimits_of(place: &Place) -> BTreeMap<String, Ulimit> {
    let one = |(name, entry): (&str, Place)| {
        let limit = if entry.node.as_map().is_none() {
            let both = entry.as_int()?;
            Ulimit { soft: both, hard: both }
        } else if let Some(both) = entry.int("single") {
            Ulimit { soft: both, hard: both }
        } else {
            match (entry.int("soft"), entry.int("hard")) {
                (Some(soft), Some(hard)) => Ulimit { soft, hard },
                _ => {
                    entry.refuse("needs both `soft` and `hard`, or one number for both");
                    return None;
                }
            }
        };
        Some((name.to_owned(), limit))
    };
    place.children().into_iter().filter_map(one).collect()
}

/// `name:address`, whichever of Compose's notations was used (`name=address`, `name:address`, a mapping).
pub(super) fn extra_hosts(place: &Place) -> Vec<String> {
    let Some(child) = place.child("extra_hosts") else { return Vec::new() };
    let mut found = Vec::new();
    if child.node.as_map().is_some() {
        for (name, addresses) in child.children() {
            found.extend(addresses.as_strings().iter().map(|address| host(name, address)));
        }
        return found;
    }
    for item in child.items() {
        let Some(text) = item.as_text() else { continue };
        match text.split_once('=').or_else(|| text.split_once(':')) {
            Some((name, address)) if !name.is_empty() && !address.is_empty() => found.push(host(name, address)),
            _ => item.refuse(format!("is `{text}`, and must be `name=address`")),
        }
    }
    found
}

fn host(name: &str, address: &str) -> String {
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    format!("{name}:{bare}")
}

/// `ipc` and `pid`: text for the engine; `service:x` stays, for the engine's room knows the container.
fn namespace(project: &Project, place: &Place, key: &str) -> Option<String> {
    let child = place.child(key)?;
    let text = child.as_text().filter(|text| !text.is_empty())?;
    if let Some(name) = text.strip_prefix("service:")
        && !is_service(project, name)
    {
        child.say(missing_service(&child, name));
    }
    Some(text)
}

/// `service`, `service:ro`, `container:name`, `container:name:ro`.
fn volumes_from(project: &Project, place: &Place) -> Vec<VolumesFrom> {
    let Some(child) = place.child("volumes_from") else { return Vec::new() };
    let mut found = Vec::new();
    for item in child.items() {
        let Some(text) = item.as_text() else { continue };
        let (source, read_only) = match text.rsplit_once(':') {
            Some((source, "ro")) => (source, true),
            Some((source, "rw")) => (source, false),
            _ => (text.as_str(), false),
        };
        let from = match source.strip_prefix("container:") {
            Some(name) => VolumesSource::Container(name.to_owned()),
            None => match ServiceName::new(source) {
                Ok(name) if is_service(project, source) => VolumesSource::Service(name),
                _ => {
                    item.say(missing_service(&item, source));
                    continue;
                }
            },
        };
        found.push(VolumesFrom { from, read_only });
    }
    found
}

/// Plain devices, and those in the container device interface's notation (`vendor.com/class=name`), which are requests.
fn devices(place: &Place) -> (Vec<Device>, Vec<crate::declared::container::DeviceRequest>) {
    let mut plain = Vec::new();
    let mut named = Vec::new();
    for item in place.child("devices").map(|devices| devices.items()).unwrap_or_default() {
        let Some(device) = device(&item) else { continue };
        match !device.source.starts_with('/') && device.source.contains('/') && device.source.contains('=') {
            true => named.push(device.source),
            false => plain.push(device),
        }
    }
    let mut requests = Vec::new();
    if !named.is_empty() {
        requests.push(crate::declared::container::DeviceRequest {
            driver: Some("cdi".to_owned()),
            device_ids: named,
            ..Default::default()
        });
    }
    requests.extend(limits::device_requests(place));
    (plain, requests)
}

fn device(item: &Place) -> Option<Device> {
    if item.node.as_map().is_none() {
        let text = item.as_text()?;
        let mut parts = text.split(':');
        let source = parts.next().unwrap_or_default().to_owned();
        let target = parts.next().unwrap_or(&source).to_owned();
        let permissions = parts.next().unwrap_or("rwm").to_owned();
        return Some(Device { source, target, permissions });
    }
    let Some(source) = item.word("source") else {
        item.refuse("needs a `source`");
        return None;
    };
    let target = item.word("target").unwrap_or_else(|| source.clone());
    let permissions = item.word("permissions").unwrap_or_else(|| "rwm".to_owned());
    Some(Device { source, target, permissions })
}
