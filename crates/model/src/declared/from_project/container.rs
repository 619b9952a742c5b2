//! What every container of a service is made with.

use std::collections::{BTreeMap, BTreeSet};

use super::place::Place;
use super::service::{is_service, missing_service};
use super::{Project, files, health, limits, mounts, ports, restart, volumes};
use crate::declared::Volume;
use crate::declared::container::{ContainerSpec, Device, Hidden, Logging, Ulimit, VolumesFrom, VolumesSource};
use crate::identity::ServiceName;

pub(super) fn read(project: &Project, place: &Place, declared: &BTreeMap<String, Volume>) -> ContainerSpec {
    let (environment, unset_environment) = environment(place);
    let mut spec = ContainerSpec {
        command: argv(place, "command"),
        entrypoint: argv(place, "entrypoint"),
        environment,
        unset_environment,
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

/// Values byte for byte, and the names without one, which were not set where the files were read.
fn environment(place: &Place) -> (BTreeMap<String, Hidden>, BTreeSet<String>) {
    let Some(child) = place.child("environment") else { return Default::default() };
    let (mut set, mut unset) = (BTreeMap::new(), BTreeSet::new());
    for (name, value) in child.as_options() {
        match value {
            Some(value) => drop(set.insert(name, Hidden::new(value))),
            None => drop(unset.insert(name)),
        }
    }
    (set, unset)
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

#[cfg(test)]
mod tests {
    use super::super::testing::{container, declared, refused, web_project};
    use super::*;
    use crate::declared::container::Restart;

    #[test]
    fn environment_is_taken_byte_for_byte_and_unset_names_are_kept_apart() {
        let spec = container(r#""environment": {"A": " a=\"b\" $x\n", "B": "", "C": null, "D": 5, "E": true}"#);
        let values: Vec<(&str, &str)> =
            spec.environment.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
        assert_eq!(values, [("A", " a=\"b\" $x\n"), ("B", ""), ("D", "5"), ("E", "true")]);
        assert_eq!(spec.unset_environment, BTreeSet::from(["C".to_owned()]));
    }

    #[test]
    fn labels_that_mainstay_sets_itself_are_told_and_left_out() {
        let json = web_project(r#""labels": {"a": "b", "empty": null, "com.docker.compose.project": "other"}"#);
        let settled = super::super::testing::settled(&json);
        assert_eq!(settled.warnings.len(), 1);
        let service = settled.declared.services.into_values().next().expect("the project has a service");
        let expected = BTreeMap::from([("a".to_owned(), "b".to_owned()), ("empty".to_owned(), String::new())]);
        assert_eq!(service.container.labels, expected);
    }

    #[test]
    fn commands_are_lists_and_an_empty_one_is_not_a_missing_one() {
        assert_eq!(container(r#""command": null"#).command, None);
        assert_eq!(container(r#""entrypoint": []"#).entrypoint, Some(Vec::new()));
        assert_eq!(container(r#""command": ["a", "b c"]"#).command, Some(vec!["a".to_owned(), "b c".to_owned()]));
        assert_eq!(
            refused(&web_project(r#""command": "a b""#)),
            ["`services.web.command` must be a list of words here, and is a string"]
        );
    }

    #[test]
    fn restart_has_all_its_forms_and_deploy_wins() {
        let restart = |keys: &str| container(keys).restart;
        assert_eq!(restart(r#""restart": "unless-stopped""#), Restart::UnlessStopped);
        assert_eq!(restart(r#""restart": "no""#), Restart::No);
        assert_eq!(restart(r#""restart": "on-failure:5""#), Restart::OnFailure { max_retries: 5 });
        assert_eq!(
            restart(r#""deploy": {"restart_policy": {"condition": "on-failure", "max_attempts": 2}}"#),
            Restart::OnFailure { max_retries: 2 }
        );
        assert_eq!(restart(r#""deploy": {"restart_policy": {"condition": "any"}}"#), Restart::Always);
        assert_eq!(refused(&web_project(r#""restart": "maybe""#)).len(), 1);
        let silent = web_project(r#""restart": "always", "deploy": {"restart_policy": {"max_attempts": 3}}"#);
        assert_eq!(super::super::testing::warned(&silent).len(), 2, "no condition, and it differs from `restart`");
        let settled =
            super::super::testing::settled(&web_project(r#""deploy": {"restart_policy": {"max_attempts": 3}}"#));
        let web = settled.declared.services.into_values().next().expect("the project has a service");
        assert_eq!(web.container.restart, Restart::No);
        let both = web_project(r#""restart": "always", "deploy": {"restart_policy": {"condition": "none"}}"#);
        assert_eq!(
            super::super::testing::warned(&both),
            ["`services.web.deploy.restart_policy` wins over the service's `restart`, as in Compose, and they differ"]
        );
    }

    #[test]
    fn a_health_check_is_read_in_nanoseconds() {
        let check = container(
            r#""healthcheck": {"test": ["CMD-SHELL", "pg_isready"], "interval": "1m30s", "retries": 3, "start_period": "0s"}"#,
        );
        let check = check.healthcheck.expect("there is a check");
        assert_eq!(check.test, Some(vec!["CMD-SHELL".to_owned(), "pg_isready".to_owned()]));
        assert_eq!(check.interval_nanos, Some(90_000_000_000));
        assert_eq!(check.start_period_nanos, Some(0));
        assert_eq!((check.timeout_nanos, check.retries), (None, Some(3)));
    }

    #[test]
    fn a_disabled_health_check_switches_the_images_own_off() {
        let check = container(r#""healthcheck": {"disable": true, "test": ["CMD", "x"]}"#).healthcheck;
        assert_eq!(check.and_then(|check| check.test), Some(vec!["NONE".to_owned()]));
        assert_eq!(container(r#""healthcheck": {"retries": null}"#).healthcheck, None);
    }

    #[test]
    fn several_words_after_cmd_shell_are_warned_about() {
        let json = web_project(r#""healthcheck": {"test": ["CMD-SHELL", "pg_isready", "-U", "me"]}"#);
        assert_eq!(super::super::testing::warned(&json).len(), 1);
    }

    #[test]
    fn extra_hosts_end_as_the_engine_takes_them() {
        let hosts = |keys: &str| container(keys).extra_hosts;
        let list = hosts(r#""extra_hosts": ["host.docker.internal=host-gateway", "a:10.0.0.1", "six=[::1]"]"#);
        assert_eq!(list, ["host.docker.internal:host-gateway", "a:10.0.0.1", "six:::1"]);
        assert_eq!(hosts(r#""extra_hosts": {"a": ["10.0.0.1", "10.0.0.2"]}"#), ["a:10.0.0.1", "a:10.0.0.2"]);
    }

    #[test]
    fn namespaces_and_volumes_of_other_services_need_those_services() {
        let project = declared(
            r#"{"services": {
                "db": {"image": "postgres"},
                "web": {"image": "nginx", "pid": "service:db", "ipc": "host",
                        "volumes_from": ["db:ro", "container:old"]}}}"#,
        );
        let spec = &project.services[&ServiceName::new("web").expect("a name")].container;
        assert_eq!((spec.pid.as_deref(), spec.ipc.as_deref()), (Some("service:db"), Some("host")));
        let db = ServiceName::new("db").expect("a name");
        let expected = [
            VolumesFrom { from: VolumesSource::Service(db), read_only: true },
            VolumesFrom { from: VolumesSource::Container("old".into()), read_only: false },
        ];
        assert_eq!(spec.volumes_from, expected);
        assert_eq!(refused(&web_project(r#""pid": "service:db", "volumes_from": ["db"]"#)).len(), 2);
    }

    #[test]
    fn devices_ulimits_and_grace_are_read() {
        let spec = container(
            r#""devices": [{"source": "/dev/fuse", "target": "/dev/fuse", "permissions": "rwm"},
                           {"source": "nvidia.com/gpu=all", "target": "nvidia.com/gpu=all", "permissions": "rwm"}],
               "ulimits": {"nproc": 65535, "nofile": {"soft": 1, "hard": 2}},
               "stop_grace_period": "1m0.5s", "stop_signal": "SIGUSR1""#,
        );
        assert_eq!(spec.devices.len(), 1);
        assert_eq!(spec.device_requests.first().and_then(|request| request.driver.as_deref()), Some("cdi"));
        assert_eq!(spec.ulimits["nproc"], Ulimit { soft: 65535, hard: 65535 });
        assert_eq!(spec.ulimits["nofile"], Ulimit { soft: 1, hard: 2 });
        assert_eq!(spec.stop_grace_secs, Some(61));
        assert_eq!(spec.stop_signal.as_deref(), Some("SIGUSR1"));
    }
}
