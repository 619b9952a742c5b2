//! The short form of a port, `[ip:][host:]container[/protocol]` with ranges, brought to the long one.

use std::net::IpAddr;

use crate::compose::tree::{Map, Node, Span, Value};

/// A range from one port to another, both included.
type Range = (u16, u16);

/// The long forms of one short port: several when it is a range, but not more than `most`.
///
/// # Errors
/// What is wrong, in words that fit after the text of the port.
pub fn parse(text: &str, span: Span, most: usize) -> Result<Vec<Node>, String> {
    let (ip, host, container) = split(text);
    let (protocol, container) = split_protocol(container);
    let ip = check_ip(&ip)?;
    if container.is_empty() {
        return Err("names no port of the container; write `host:container`, such as `8080:80`".to_owned());
    }
    let inside = range(container).ok_or_else(|| no_port(container))?;
    if inside.0 == 0 {
        return Err("names port 0 of the container, which is none; write the port that the program listens on, such as `8080:80`".to_owned());
    }
    if usize::from(inside.1 - inside.0) >= most {
        return Err("makes the project have too many ports".to_owned());
    }
    let outside = match host {
        "" => None,
        host => Some(range(host).ok_or_else(|| no_port(host))?),
    };
    if let Some(outside) = outside
        && inside.0 != inside.1
        && inside.1 - inside.0 != outside.1 - outside.0
    {
        return Err(format!(
            "the ranges `{host}` and `{container}` are of different lengths; write as many ports on the left as on the right"
        ));
    }
    let protocol = protocol.to_lowercase();
    if !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
        return Err(format!("`{protocol}` is not a protocol; write `/tcp`, `/udp` or `/sctp`"));
    }
    let mut targets: Vec<u16> = (inside.0..=inside.1).collect();
    // The reference sorts the ports of a range as text.
    targets.sort_by_cached_key(|port| format!("{port}/{protocol}"));
    let port = |target: u16| long_form(&ip, published(inside, outside, target), target, &protocol, span);
    Ok(targets.into_iter().map(port).collect())
}

fn published(inside: Range, outside: Option<Range>, target: u16) -> Option<String> {
    let (from, to) = outside?;
    // One port of the container and several of the host: the engine picks a free one.
    if inside.0 == inside.1 && from != to {
        return Some(format!("{from}-{to}"));
    }
    Some((from + (target - inside.0)).to_string())
}

fn long_form(ip: &str, published: Option<String>, target: u16, protocol: &str, span: Span) -> Node {
    let mut map = Map::default();
    map.set("mode", Node::string("ingress", span));
    if !ip.is_empty() {
        map.set("host_ip", Node::string(ip, span));
    }
    map.set("target", Node::new(Value::Int(i128::from(target)), span));
    if let Some(published) = published {
        map.set("published", Node::string(published, span));
    }
    map.set("protocol", Node::string(protocol, span));
    Node::new(Value::Map(map), span)
}

/// The address, the ports of the host and of the container; an address of version 6 has colons itself.
fn split(text: &str) -> (String, &str, &str) {
    let Some((rest, container)) = text.rsplit_once(':') else { return (String::new(), "", text) };
    let Some((ip, host)) = rest.rsplit_once(':') else { return (String::new(), rest, container) };
    (ip.to_owned(), host, container)
}

fn split_protocol(container: &str) -> (&str, &str) {
    let mut parts = container.split('/');
    let port = parts.next().unwrap_or("");
    match parts.next() {
        _ if port.is_empty() => ("tcp", ""),
        None | Some("") => ("tcp", port),
        Some(protocol) => (protocol, port),
    }
}

fn check_ip(ip: &str) -> Result<String, String> {
    let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
    if ip.contains(':') && bare.len() == ip.len() {
        return Err(format!("has an address with colons: write `[{ip}]`"));
    }
    if bare.is_empty() || bare.parse::<IpAddr>().is_ok() {
        return Ok(bare.to_owned());
    }
    let hint = if ip == "localhost" { "write `127.0.0.1`" } else { "write the address of this host, or leave it out" };
    Err(format!("`{ip}` is not an IP address; {hint}"))
}

/// Why a text is no port and no range of them.
fn no_port(text: &str) -> String {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('-') {
        Some((from, to)) if range(from).is_some() && range(to).is_some() => {
            format!("the range `{text}` runs backwards; write `{to}-{from}`")
        }
        _ if is_number(text) => format!("`{text}` is not a port; they go from 0 to 65535"),
        _ => format!("`{text}` is not a port; write `host:container`, such as `8080:80` or `127.0.0.1:8080:80`"),
    }
}

fn range(text: &str) -> Option<Range> {
    let port = |text: &str| -> Option<u16> { if text.starts_with('+') { None } else { text.parse().ok() } };
    let Some((from, to)) = text.split_once('-') else {
        let single = port(text)?;
        return Some((single, single));
    };
    let (from, to) = (port(from)?, port(to)?);
    (from <= to).then_some((from, to))
}
