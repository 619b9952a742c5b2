//! Ports that are published, and ports that are only told.

use std::collections::BTreeSet;

use super::place::Place;
use crate::declared::container::Port;

/// Protocols that the engine can publish.
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// Sorted, without doubles, as Compose does not keep an order either.
pub(super) fn published(service: &Place) -> Vec<Port> {
    let Some(child) = service.child("ports") else { return Vec::new() };
    let found: BTreeSet<Port> = child.items().iter().filter_map(one).collect();
    found.into_iter().collect()
}

fn one(item: &Place) -> Option<Port> {
    if item.node.as_map().is_none() {
        item.refuse("must be in the long form here, with a `target`");
        return None;
    }
    let Some(target) = item.int::<u16>("target").filter(|port| *port > 0) else {
        item.refuse("needs a `target` from 1 to 65535");
        return None;
    };
    let published = item.word("published").filter(|text| text != "0");
    if let Some(text) = &published
        && range(text).is_none()
    {
        item.refuse(format!("is published at `{text}`, and that is no port and no range such as `8000-8010`"));
    }
    Some(Port { target, protocol: protocol(item, item.word("protocol"))?, published, host_ip: item.word("host_ip") })
}

fn protocol(item: &Place, word: Option<String>) -> Option<String> {
    let protocol = word.unwrap_or_else(|| "tcp".to_owned()).to_ascii_lowercase();
    if !PROTOCOLS.contains(&protocol.as_str()) {
        item.refuse(format!("has the protocol `{protocol}`, and must have `tcp`, `udp` or `sctp`"));
        return None;
    }
    Some(protocol)
}

/// `8000` or `8000-8010`.
fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some((first, last))
}

/// `3000`, `3000/udp` and `3000-3005` as `3000/tcp`, one entry a port.
pub(super) fn exposed(service: &Place) -> Vec<String> {
    let Some(child) = service.child("expose") else { return Vec::new() };
    let mut found = BTreeSet::new();
    for item in child.items() {
        let Some(text) = item.as_text() else { continue };
        let (ports, word) = text.split_once('/').map_or((text.as_str(), None), |(ports, word)| (ports, Some(word)));
        let Some(protocol) = protocol(&item, word.map(str::to_owned)) else { continue };
        match range(ports) {
            Some((first, last)) => found.extend((first..=last).map(|port| format!("{port}/{protocol}"))),
            None => item.refuse(format!("is `{text}`, and must be a port such as `3000` or `3000/udp`")),
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{container, refused, web_project};
    use super::*;

    #[test]
    fn a_port_is_published_as_text_or_as_a_number() {
        let ports = container(
            r#""ports": [{"target": 80, "published": "8080", "protocol": "tcp", "mode": "ingress"},
                         {"target": "53", "published": 53, "protocol": "udp", "host_ip": "127.0.0.1"},
                         {"target": 9000}, {"target": 9001, "published": "0"}, {"target": 7000, "published": "8000-8010"}]"#,
        )
        .ports;
        let published: Vec<_> = ports.iter().map(|port| (port.target, port.published.as_deref())).collect();
        let expected = [(53, Some("53")), (80, Some("8080")), (7000, Some("8000-8010")), (9000, None), (9001, None)];
        assert_eq!(published, expected);
        assert_eq!(ports[0].host_ip.as_deref(), Some("127.0.0.1"));
        assert_eq!(ports[0].protocol, "udp");
    }

    #[test]
    fn what_is_no_port_is_refused() {
        for port in [
            r#"{"target": 0}"#,
            r#"{"target": 80, "published": "http"}"#,
            r#"{"target": 80, "protocol": "icmp"}"#,
            "80",
        ] {
            assert_eq!(refused(&web_project(&format!(r#""ports": [{port}]"#))).len(), 1, "{port}");
        }
    }

    #[test]
    fn told_ports_are_spread_out() {
        let found = container(r#""expose": ["3000", "53/udp", "9091-9092", 80]"#).expose;
        assert_eq!(found, ["3000/tcp", "53/udp", "80/tcp", "9091/tcp", "9092/tcp"]);
        assert_eq!(range("5-3"), None);
    }
}
