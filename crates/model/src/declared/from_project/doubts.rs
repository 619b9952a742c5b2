//! What Compose takes and an engine will not, or what will surely do something else than was meant: warnings.

use std::collections::BTreeSet;

use super::place::Place;
use crate::compose::{Diagnostic, Span, Value};

/// Words that only a shell understands.
const OPERATORS: &[&str] = &["&&", "||", "|", ";", ">", ">>", "<", "2>&1", "&"];

/// Longer texts are not repeated.
const LONGEST_SHOWN: usize = 60;

/// Looks through one service.
pub(super) fn of_service(service: &Place) {
    image(service);
    container_name(service);
    for key in ["command", "entrypoint"] {
        let Some(command) = service.child(key) else { continue };
        operators(&command);
    }
    if let Some(test) = service.child("healthcheck").and_then(|check| check.child("test")) {
        operators(&test);
    }
    for mount in service.child("volumes").into_iter().flat_map(|volumes| volumes.items()) {
        target(&mount);
    }
}

/// The word after a whole list is its own argument: `["migrate", "&&", "serve"]` hands `&&` to `migrate`.
fn operators(command: &Place) {
    if !matches!(command.node.value, Value::List(_)) {
        return;
    }
    let items = command.items();
    let words: Vec<&str> = items.iter().filter_map(|item| item.node.as_str()).collect();
    let is_read_by_a_shell = words.iter().any(|word| matches!(*word, "-c" | "-ec" | "-lc" | "-euc" | "CMD-SHELL"));
    // Written as one line, it was split by the loader, which tells that by itself.
    let is_one_line = items.windows(2).all(|pair| pair[0].node.span == pair[1].node.span);
    if is_read_by_a_shell || is_one_line {
        return;
    }
    let Some(operator) =
        items.iter().skip(1).find(|item| item.node.as_str().is_some_and(|word| OPERATORS.contains(&word)))
    else {
        return;
    };
    let word = operator.node.as_str().unwrap_or_default();
    let message = format!("`{word}` means nothing in a list: no shell reads it, and `{}` gets it as a word", words[0]);
    let hint = "have a shell read one text: `[\"sh\", \"-c\", \"… && …\"]`";
    command.say(Diagnostic::warning("no-shell", operator.node.span, message).hint(hint));
}

fn image(service: &Place) {
    let Some(place) = service.child("image") else { return };
    let Some(image) = place.node.as_str().filter(|image| image.len() <= LONGEST_SHOWN) else { return };
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    // After the last slash a colon starts the tag; before it, the port of a registry.
    let repository = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    };
    let path =
        repository.split_once('/').filter(|(host, _)| host.contains(['.', ':'])).map_or(repository, |(_, path)| path);
    let hint = if image.contains("://") {
        "an image is named without `https://`, as `docker pull` takes it"
    } else if image.contains(char::is_whitespace) {
        "an image's name has no spaces: `name:tag`"
    } else if path.chars().any(|c| c.is_ascii_uppercase()) {
        "write the name in small letters; only the tag may have large ones"
    } else {
        return;
    };
    let message = format!("`{image}` cannot be the name of an image: no engine will find it");
    place.say(Diagnostic::warning("bad-image-name", place.value_span(), message).hint(hint));
}

fn container_name(service: &Place) {
    let Some(place) = service.child("container_name") else { return };
    let Some(name) = place.node.as_str().filter(|name| !name.is_empty()) else { return };
    if name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) {
        return;
    }
    let message = format!("`{name}` cannot be the name of a container: the engine will refuse it");
    let hint = "write letters, digits, `_`, `.` and `-`";
    place.say(Diagnostic::warning("bad-container-name", place.value_span(), message).hint(hint));
}

fn target(mount: &Place) {
    let backslashed = mount.text("source").filter(|source| source.contains('\\') && source.starts_with('/'));
    if let Some(source) = backslashed {
        let message = format!("`{source}` has a backslash in it, which is a letter like any other on this machine");
        mount.say(Diagnostic::warning("backslash", mount.span, message).hint("write folders with `/`: `./conf:/conf`"));
    }
    let Some(target) = mount.text("target").filter(|target| !target.starts_with('/')) else { return };
    if target.contains('\\') || target.is_empty() {
        return;
    }
    let message = format!("`{target}` is no absolute path in the container: the engine will refuse it");
    let hint = match mount.word("source") {
        Some(_) => format!("begin it with `/`: `/{target}`"),
        None => "a mount has two halves, what and where: `./data:/data`".to_owned(),
    };
    mount.say(Diagnostic::warning("relative-target", mount.span, message).hint(hint));
}

/// One port of the host that somebody publishes.
struct Published<'a> {
    service: &'a str,
    address: String,
    port: u16,
    protocol: String,
    place: Place<'a>,
    replicas: u32,
}

/// Ports of the host that two publish: whoever comes second will not start.
pub(super) fn of_ports<'a>(services: &[(&'a str, Place<'a>)], replicas: impl Fn(&Place) -> u32) {
    let mut all: Vec<Published> = Vec::new();
    for (service, place) in services {
        let count = replicas(place);
        let is_host = place.word("network_mode").is_some_and(|mode| mode == "host");
        let ports = place.child("ports").into_iter().flat_map(|ports| ports.items());
        all.extend(ports.filter(|_| !is_host && count > 0).filter_map(|port| published(service, port, count)));
    }
    // A range is several ports of one place.
    let mut told: BTreeSet<Span> = BTreeSet::new();
    for (index, one) in all.iter().enumerate() {
        let other = all[..index].iter().find(|other| clashes(one, other));
        let (message, hint) = match other {
            Some(other) if other.service == one.service => (
                format!("`{}` publishes the port {} of this host twice", one.service, one.port),
                "give one of the two another port on the left of the `:`",
            ),
            Some(other) => (
                format!("the port {} of this host is published by `{}` already", one.port, other.service),
                "give one of them another port on the left of the `:`; whoever comes second does not start",
            ),
            None if one.replicas > 1 => (
                format!(
                    "{} containers of `{}` cannot all have the port {} of this host",
                    one.replicas, one.service, one.port
                ),
                "publish a range with a port for each (`8080-8082:80`), or run one container",
            ),
            None => continue,
        };
        if told.insert(one.place.span) || !one.place.span.is_written() {
            one.place.say(Diagnostic::warning("port-clash", one.place.span, message).hint(hint));
        }
    }
}

fn published<'a>(service: &'a str, place: Place<'a>, replicas: u32) -> Option<Published<'a>> {
    let port = place.node.get("published").and_then(|port| match &port.value {
        Value::String(text) => text.parse().ok(),
        Value::Int(port) => u16::try_from(*port).ok(),
        _ => None,
    })?;
    let text = |key: &str| place.node.get(key).and_then(|node| node.as_str()).unwrap_or_default().to_owned();
    let (address, protocol) = (text("host_ip"), text("protocol"));
    let protocol = if protocol.is_empty() { "tcp".to_owned() } else { protocol };
    (port > 0).then_some(Published { service, address, port, protocol, place, replicas })
}

fn clashes(one: &Published, other: &Published) -> bool {
    let is_v6 = |address: &str| address.contains(':');
    let is_any = |address: &str| matches!(address, "" | "0.0.0.0" | "::");
    let same_family =
        one.address.is_empty() || other.address.is_empty() || is_v6(&one.address) == is_v6(&other.address);
    let overlap = one.address == other.address || (same_family && (is_any(&one.address) || is_any(&other.address)));
    one.port == other.port && one.protocol == other.protocol && overlap
}
