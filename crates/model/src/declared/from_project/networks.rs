//! Networks of the project, and the places of a service on them.

use std::collections::{BTreeMap, BTreeSet};

use super::place::Place;
use super::service::{container_names, is_service, missing_service};
use super::{Project, volumes};
use crate::compose::Diagnostic;
use crate::compose::schema::suggest;
use crate::declared::network::IpamPool;
use crate::declared::{Attachment, Network, NetworkMode, Service};
use crate::identity::{ServiceName, default_resource_name};

/// The key of the network that services are on when they name none.
const DEFAULT: &str = "default";

/// Every network under the top-level `networks`, by its key.
pub(super) fn declared(project: &Project) -> BTreeMap<String, Network> {
    let Some(networks) = project.root.child("networks") else { return BTreeMap::new() };
    networks.children().into_iter().map(|(key, place)| (key.to_owned(), one(project, key, &place))).collect()
}

/// Only those that a service is on: Compose makes no others.
pub(super) fn used(
    networks: BTreeMap<String, Network>,
    services: &BTreeMap<ServiceName, Service>,
) -> BTreeMap<String, Network> {
    let used: BTreeMap<&str, &str> = services
        .values()
        .flat_map(|service| &service.attachments)
        .map(|attachment| (attachment.key.as_str(), attachment.network.as_str()))
        .collect();
    let implied = used.get(DEFAULT).filter(|_| !networks.contains_key(DEFAULT));
    let implied = implied.map(|name| (DEFAULT.to_owned(), Network { name: (*name).to_owned(), ..Network::default() }));
    let declared = networks.into_iter().filter(|(key, _)| used.contains_key(key.as_str()));
    declared.chain(implied).collect()
}

fn one(project: &Project, key: &str, place: &Place) -> Network {
    let external = volumes::is_external(place);
    let ipam = place.child("ipam");
    Network {
        name: volumes::resource_name(project, key, place, external),
        external,
        driver: place.word("driver"),
        driver_opts: place.pairs("driver_opts"),
        internal: place.flag("internal"),
        attachable: place.flag("attachable"),
        enable_ipv4: place.child("enable_ipv4").and_then(|flag| flag.as_flag()),
        enable_ipv6: place.child("enable_ipv6").and_then(|flag| flag.as_flag()),
        ipam_driver: ipam.as_ref().and_then(|ipam| ipam.word("driver")),
        ipam_options: ipam.as_ref().map(|ipam| ipam.pairs("options")).unwrap_or_default(),
        ipam: ipam.map(|ipam| pools(&ipam)).unwrap_or_default(),
        labels: volumes::labels(place),
    }
}

fn pools(ipam: &Place) -> Vec<IpamPool> {
    let Some(config) = ipam.child("config") else { return Vec::new() };
    let pool = |item: &Place| IpamPool {
        subnet: item.word("subnet"),
        ip_range: item.word("ip_range"),
        gateway: item.word("gateway"),
        aux_addresses: item.pairs("aux_addresses"),
    };
    config.items().iter().map(pool).collect()
}

/// How the service meets the network.
pub(super) fn mode(project: &Project, service: &Place) -> NetworkMode {
    let Some(child) = service.child("network_mode") else { return NetworkMode::Attached };
    let text = child.as_text().unwrap_or_default();
    match text.as_str() {
        "" => NetworkMode::Attached,
        "none" => NetworkMode::None,
        "host" => NetworkMode::Host,
        "bridge" | "default" => NetworkMode::Bridge,
        other => match other.split_once(':') {
            Some(("service", name)) => of_service(project, &child, name),
            Some(("container", name)) if !name.is_empty() => NetworkMode::Container(name.to_owned()),
            _ => {
                let message = format!("`{}` is `{other}`, which is no mode that is known here", child.path);
                let hint = format!(
                    "to join a network that is there, declare it under `networks` with `external: true` and `name: {other}`"
                );
                child.say(Diagnostic::error("bad-value", child.span, message).hint(hint));
                NetworkMode::Attached
            }
        },
    }
}

fn of_service(project: &Project, child: &Place, name: &str) -> NetworkMode {
    if !is_service(project, name) {
        child.say(missing_service(child, name));
    }
    ServiceName::new(name).map_or(NetworkMode::None, NetworkMode::Service)
}

/// The places of the service on its networks, in the order in which they are joined.
pub(super) fn attachments(
    project: &Project,
    name: &ServiceName,
    service: &Place,
    mode: &NetworkMode,
    networks: &BTreeMap<String, Network>,
) -> Vec<Attachment> {
    let links = links(project, service);
    let declared = service.child("networks");
    if *mode != NetworkMode::Attached {
        refuse_beside_mode(service, &links);
        return Vec::new();
    }
    let mut found: Vec<Attachment> = match declared {
        Some(declared) => entries(&declared)
            .into_iter()
            .filter_map(|(key, entry)| attachment(project, name, key, &entry, networks))
            .collect(),
        None => vec![plain(name, DEFAULT, &engine_name(project, DEFAULT, networks))],
    };
    // By their keys, and not by the engine's names: the first one gives the default route, as in Compose.
    found.sort_by(|a, b| (-a.priority, &a.key).cmp(&(-b.priority, &b.key)));
    for attachment in &mut found {
        attachment.links.clone_from(&links);
    }
    if let (Some(first), Some(address)) = (found.first_mut(), service.word("mac_address")) {
        first.mac_address.get_or_insert(address);
    }
    found
}

/// The short form is a list of keys, the long one a mapping.
fn entries<'a>(declared: &Place<'a>) -> Vec<(&'a str, Place<'a>)> {
    if declared.node.as_list().is_none() {
        return declared.children();
    }
    declared.items().into_iter().filter_map(|item| Some((item.node.as_str()?, item))).collect()
}

fn refuse_beside_mode(service: &Place, links: &[String]) {
    if let Some(networks) = service.child("networks")
        && !entries(&networks).is_empty()
    {
        networks.refuse("cannot stand beside `network_mode`");
    }
    if !links.is_empty() {
        service.refuse("has links, which need the stack's own networks, beside `network_mode`");
    }
}

fn plain(name: &ServiceName, key: &str, network: &str) -> Attachment {
    Attachment {
        key: key.to_owned(),
        network: network.to_owned(),
        aliases: vec![name.to_string()],
        ..Attachment::default()
    }
}

fn attachment(
    project: &Project,
    name: &ServiceName,
    key: &str,
    entry: &Place,
    networks: &BTreeMap<String, Network>,
) -> Option<Attachment> {
    if key != DEFAULT && !networks.contains_key(key) {
        let message = format!("`{}` names a network that is not declared under the top-level `networks`", entry.path);
        let complaint = Diagnostic::error("no-such-network", entry.span, message);
        entry.say(match suggest(key, networks.keys().map(String::as_str)) {
            Some(meant) => complaint.hint(format!("did you mean `{meant}`?")),
            None => complaint.hint(format!(
                "declare it: `networks: {{ {key}: {{}} }}`, with `external: true` when another stack makes it"
            )),
        });
        return None;
    }
    let mut found = plain(name, key, &engine_name(project, key, networks));
    if entry.node.as_map().is_none() {
        return Some(found);
    }
    let aliases: BTreeSet<String> = entry.strings("aliases").into_iter().chain([name.to_string()]).collect();
    found.aliases = aliases.into_iter().collect();
    found.ipv4_address = entry.word("ipv4_address");
    found.ipv6_address = entry.word("ipv6_address");
    found.link_local_ips = entry.strings("link_local_ips");
    found.mac_address = entry.word("mac_address");
    found.driver_opts = entry.pairs("driver_opts");
    found.priority = entry.int("priority").unwrap_or_default();
    Some(found)
}

fn engine_name(project: &Project, key: &str, networks: &BTreeMap<String, Network>) -> String {
    networks.get(key).map_or_else(|| default_resource_name(&project.stack, key), |network| network.name.clone())
}

/// `links` and `external_links` as the engine takes them: `container:alias`.
fn links(project: &Project, service: &Place) -> Vec<String> {
    let mut found = BTreeSet::new();
    for item in service.child("links").map(|links| links.items()).unwrap_or_default() {
        let Some(text) = item.as_text() else { continue };
        let (target, alias) = text.split_once(':').unwrap_or((&text, &text));
        let place = project.root.child("services").and_then(|services| services.child(target));
        match (place, ServiceName::new(target)) {
            (Some(place), Ok(target)) => {
                let names = container_names(project, &target, &place);
                // The two more are Compose's: what version 1 called a container.
                let called = [alias.to_owned(), format!("{target}-1"), format!("{}-{target}-1", project.stack)];
                found.extend(names.iter().flat_map(|name| called.iter().map(move |alias| format!("{name}:{alias}"))));
            }
            _ => item.say(missing_service(&item, target)),
        }
    }
    for text in service.strings("external_links") {
        let (target, alias) = text.split_once(':').unwrap_or((&text, &text));
        found.insert(format!("{target}:{alias}"));
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{declared, refused, web, web_project};
    use super::*;

    fn attached(project: &crate::declared::Declared, name: &str) -> Vec<Attachment> {
        project.services[&ServiceName::new(name).expect("a name")].attachments.clone()
    }

    #[test]
    fn a_service_without_networks_is_on_the_default_one() {
        let project = web(r#""tty": false"#);
        let found = attached(&project, "web");
        assert_eq!(
            (found[0].network.as_str(), found[0].aliases.as_slice()),
            ("shop_default", ["web".to_owned()].as_slice())
        );
        assert_eq!(project.networks["default"].name, "shop_default");
    }

    #[test]
    fn attachments_are_sorted_by_falling_priority_and_then_by_name() {
        let project = declared(
            r#"{"services": {"web": {"image": "nginx", "networks": {
                    "b": null, "a": {"aliases": ["www", "web", "www"], "ipv4_address": "10.1.0.100"}, "c": {"priority": 10}}}},
                "networks": {"a": {"name": "shop_a"}, "b": {"name": "shop_b"}, "unused": {},
                             "c": {"name": "supabase_default", "external": true}}}"#,
        );
        let found = attached(&project, "web");
        let names: Vec<&str> = found.iter().map(|attachment| attachment.network.as_str()).collect();
        assert_eq!(names, ["supabase_default", "shop_a", "shop_b"]);
        assert_eq!(found[1].aliases, ["web", "www"]);
        assert_eq!(found[1].ipv4_address.as_deref(), Some("10.1.0.100"));
        assert!(project.networks["c"].external);
        assert!(!project.networks.contains_key("unused"));
    }

    #[test]
    fn a_network_that_nobody_declared_is_refused() {
        let found = refused(&web_project(r#""networks": {"supabase": null}"#));
        assert_eq!(
            found,
            [
                "`services.web.networks.supabase` names a network that is not declared under the top-level `networks` (declare it: `networks: { supabase: {} }`, with `external: true` when another stack makes it)"
            ]
        );
    }

    #[test]
    fn network_modes_take_the_place_of_attachments() {
        let mode = |text: &str| {
            let json = format!(
                r#"{{"services": {{"db": {{"image": "a"}}, "web": {{"image": "nginx", "network_mode": "{text}"}}}}}}"#
            );
            let project = declared(&json);
            assert_eq!(attached(&project, "web"), []);
            project.services[&ServiceName::new("web").expect("a name")].network_mode.clone()
        };
        assert_eq!(mode("host"), NetworkMode::Host);
        assert_eq!(mode("none"), NetworkMode::None);
        assert_eq!(mode("bridge"), NetworkMode::Bridge);
        assert_eq!(mode("service:db"), NetworkMode::Service(ServiceName::new("db").expect("a name")));
        assert_eq!(mode("container:old"), NetworkMode::Container("old".into()));
        assert_eq!(refused(&web_project(r#""network_mode": "their_net""#)).len(), 1);
        assert_eq!(refused(&web_project(r#""network_mode": "service:gone""#)).len(), 1);
    }

    #[test]
    fn links_become_names_of_containers() {
        let project = declared(
            r#"{"services": {"db": {"image": "a"}, "web": {"image": "nginx", "links": ["db:database"],
                "external_links": ["old_1:old"]}}}"#,
        );
        assert_eq!(
            attached(&project, "web")[0].links,
            ["old_1:old", "shop-db-1:database", "shop-db-1:db-1", "shop-db-1:shop-db-1"]
        );
    }

    #[test]
    fn pools_and_options_of_a_network_are_kept() {
        let project = declared(
            r#"{"services": {"web": {"image": "nginx", "networks": {"a": null}}},
                "networks": {"a": {"name": "shop_a", "driver": "bridge", "internal": true, "enable_ipv6": true,
                    "driver_opts": {"com.docker.network.driver.mtu": "1400"}, "labels": {"a": "b"},
                    "ipam": {"driver": "default", "config": [{"subnet": "10.1.0.0/16", "gateway": "10.1.0.1"}]}}}}"#,
        );
        let network = &project.networks["a"];
        assert!(network.internal && network.enable_ipv6 == Some(true) && network.enable_ipv4.is_none());
        assert_eq!(network.ipam[0].subnet.as_deref(), Some("10.1.0.0/16"));
        assert_eq!(network.ipam_driver.as_deref(), Some("default"));
        assert_eq!(network.driver_opts["com.docker.network.driver.mtu"], "1400");
    }

    #[test]
    fn an_external_network_without_a_name_is_called_by_its_key() {
        let project = declared(
            r#"{"services": {"web": {"image": "nginx", "networks": {"edge": null}}}, "networks": {"edge": {"external": true}}}"#,
        );
        assert_eq!(attached(&project, "web")[0].network, "edge");
    }
}
