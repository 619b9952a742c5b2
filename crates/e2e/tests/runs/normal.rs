//! Takes out of a snapshot what two runs of one program would not have in common: ids, times, addresses that the engine
//! picked, and the order of lists that are sets.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What a run is, rather than what was asked for.
const OF_THE_RUN: &[&str] = &[
    "Created",
    "CreatedAt",
    "EndpointID",
    "ExecIDs",
    "FinishedAt",
    "GraphDriver",
    "Health",
    "HostnamePath",
    "HostsPath",
    "LogPath",
    "NetworkID",
    "Pid",
    "ResolvConfPath",
    "SandboxID",
    "SandboxKey",
    "StartedAt",
];

/// Lists whose order means nothing to the engine.
const SETS: &[&str] = &[
    "Aliases",
    "Binds",
    "CapAdd",
    "CapDrop",
    "DNSNames",
    "Env",
    "ExtraHosts",
    "Links",
    "Mounts",
    "SecurityOpt",
    "Ulimits",
];
/// A label that lists what is a set.
const DEPENDS_ON: &str = "com.docker.compose.depends_on";

/// A snapshot made comparable. `prefix` is what the scene puts before its names; `subnets` are those that the files
/// declare: all others were picked by the engine.
pub fn normalise(snapshot: Value, prefix: &str, subnets: &[String]) -> Value {
    let names = names_of(&snapshot);
    let normal = Normal { names, prefix, subnets };
    let mut found = normal.value("", snapshot);
    addresses(&mut found);
    found
}

struct Normal<'a> {
    /// Ids, and their short forms, to what they stand for.
    names: BTreeMap<String, String>,
    prefix: &'a str,
    subnets: &'a [String],
}

impl Normal<'_> {
    fn value(&self, key: &str, value: Value) -> Value {
        match value {
            Value::Object(map) => self.map(key, map),
            Value::Array(list) => {
                let mut list: Vec<Value> = list.into_iter().map(|item| self.value("", item)).collect();
                if key == "RepoTags" {
                    // Other scenes may have made the same image.
                    list.retain(|tag| tag.as_str().is_some_and(|tag| tag.starts_with("scene")));
                }
                if SETS.contains(&key) {
                    list.sort_by_key(Value::to_string);
                }
                // By what they are at, so that one more is one difference.
                if key == "Mounts" {
                    return by(list, &["Destination", "Target"]);
                }
                Value::Array(list)
            }
            Value::String(text) if key == DEPENDS_ON => {
                let mut entries: Vec<&str> = text.split(',').collect();
                entries.sort_unstable();
                Value::String(entries.join(","))
            }
            Value::String(text) => Value::String(self.text(&text)),
            other => other,
        }
    }

    fn map(&self, key: &str, map: Map<String, Value>) -> Value {
        // Of a network: who is on it, which the containers tell as well.
        let of_the_run = |name: &str| OF_THE_RUN.contains(&name) || (name == "Containers" && !key.is_empty());
        let keep = map.into_iter().filter(|(name, _)| !of_the_run(name));
        Value::Object(keep.map(|(name, value)| (self.text(&name), self.value(&name, value))).collect())
    }

    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // Full ids first: a short one is their beginning.
        for (id, name) in self.names.iter().rev() {
            text = text.replace(id, name);
        }
        text = text.replace(self.prefix, "scene");
        match picked(&text) {
            true if !self.subnets.iter().any(|subnet| inside(&text, subnet)) => "<picked>".into(),
            _ => text,
        }
    }
}

fn by(list: Vec<Value>, keys: &[&str]) -> Value {
    let mut found = Map::new();
    for item in list {
        let key = keys.iter().find_map(|key| item[key].as_str()).unwrap_or_default().to_owned();
        found.insert(key, item);
    }
    Value::Object(found)
}

fn names_of(snapshot: &Value) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for (name, seen) in snapshot["images"].as_object().into_iter().flatten() {
        if let Some(id) = seen["Id"].as_str() {
            names.insert(id.to_owned(), format!("<id of {name}>"));
        }
    }
    for kind in ["containers", "networks"] {
        for (name, seen) in snapshot[kind].as_object().into_iter().flatten() {
            let Some(id) = seen["Id"].as_str() else { continue };
            names.insert(id.to_owned(), format!("<id of {name}>"));
            names.insert(id[..12].to_owned(), format!("<id of {name}>"));
            for mount in seen["Mounts"].as_array().into_iter().flatten() {
                if let Some(volume) = mount["Name"].as_str().filter(|name| name.len() == 64) {
                    names.insert(volume.to_owned(), "<anonymous>".into());
                }
            }
        }
    }
    names
}

/// An address, or a network, from the engine's own pools.
fn picked(text: &str) -> bool {
    let mut parts = text.split(['.', '/']).map_while(|part| part.parse::<u8>().ok());
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(172), Some(second), Some(_), Some(_)) => (16..32).contains(&second),
        (Some(192), Some(168), Some(_), Some(_)) => true,
        _ => false,
    }
}

fn inside(address: &str, subnet: &str) -> bool {
    let number =
        |text: &str| text.split('/').next().and_then(|ip| ip.parse::<std::net::Ipv4Addr>().ok()).map(u32::from);
    let bits = subnet.split('/').nth(1).and_then(|bits| bits.parse::<u32>().ok()).unwrap_or(32);
    let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
    matches!((number(address), number(subnet)), (Some(a), Some(b)) if a & mask == b & mask)
}

/// An address that nobody asked for, the hardware address that the engine makes of it, and a port that it picked.
fn addresses(snapshot: &mut Value) {
    for container in snapshot["containers"].as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        let asked_mac = container["Config"]["MacAddress"].clone();
        let settings = &mut container["NetworkSettings"];
        for endpoint in settings["Networks"].as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
            unless_asked(endpoint, &asked_mac);
        }
        unless_asked(settings, &asked_mac);
        let bindings = container["HostConfig"]["PortBindings"].clone();
        for (port, bound) in container["NetworkSettings"]["Ports"].as_object_mut().into_iter().flatten() {
            let asked = bindings[port.as_str()].as_array().cloned().unwrap_or_default();
            for one in bound.as_array_mut().into_iter().flatten() {
                if !asked.iter().any(|asked| asked["HostPort"] == one["HostPort"]) {
                    one["HostPort"] = "<picked>".into();
                }
            }
        }
    }
}

fn unless_asked(endpoint: &mut Value, asked_mac: &Value) {
    let asked = endpoint["IPAMConfig"]["IPv4Address"].is_string();
    if let Some(address) = endpoint.get_mut("IPAddress").filter(|address| !asked && **address != "") {
        *address = "<picked>".into();
    }
    if endpoint["Gateway"] == "<picked>" {
        endpoint["IPPrefixLen"] = "<picked>".into();
    }
    let ours = endpoint.get_mut("MacAddress").filter(|mac| *mac != asked_mac && **mac != "");
    if let Some(mac) = ours.filter(|mac| mac.as_str().is_some_and(|mac| mac.starts_with("02:42:"))) {
        *mac = "<made from the address>".into();
    }
}
