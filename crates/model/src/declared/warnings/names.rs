//! Who answers to which name on which network, and what a service can resolve.

use std::collections::{BTreeMap, BTreeSet};

use crate::declared::{Declared, NetworkMode, Service};
use crate::identity::container_name;
use crate::observed::{Member, Observed};

/// Names in lower case, by the engine's name of the network.
pub(super) struct Answers {
    by_network: BTreeMap<String, BTreeSet<String>>,
    /// Networks that were seen, or that the stack makes itself: of the others nobody knows who is on them.
    known: BTreeSet<String>,
}

impl Answers {
    /// What will be answered once the stack is as declared, on every network that is declared or was seen.
    pub(super) fn of(declared: &Declared, observed: &Observed) -> Self {
        let mut answers = Answers { by_network: BTreeMap::new(), known: BTreeSet::new() };
        for network in declared.networks.values().filter(|network| !network.external) {
            answers.known.insert(network.name.clone());
        }
        for service in declared.services.values() {
            for attachment in &service.attachments {
                let names = answers.by_network.entry(attachment.network.clone()).or_default();
                names.extend(attachment.aliases.iter().map(|alias| alias.to_ascii_lowercase()));
                names.extend(own_names(declared, service));
            }
        }
        for network in &observed.networks {
            answers.known.insert(network.name.clone());
            let names = answers.by_network.entry(network.name.clone()).or_default();
            for member in network.members.iter().filter(|member| !is_redeclared(declared, member)) {
                names.insert(member.container_name.to_ascii_lowercase());
                names.extend(member.aliases.iter().map(|alias| alias.to_ascii_lowercase()));
            }
        }
        answers
    }

    /// The networks on which a name is answered, sorted.
    pub(super) fn networks_with(&self, host: &str) -> Vec<&str> {
        self.by_network.iter().filter(|(_, names)| names.contains(host)).map(|(name, _)| name.as_str()).collect()
    }

    pub(super) fn is_known(&self, network: &str) -> bool {
        self.known.contains(network)
    }

    pub(super) fn answers(&self, network: &str, host: &str) -> bool {
        self.by_network.get(network).is_some_and(|names| names.contains(host))
    }
}

/// A running container of a declared service: what it answers to follows from the declaration.
pub(super) fn is_redeclared(declared: &Declared, member: &Member) -> bool {
    member.stack.as_ref() == Some(&declared.stack)
        && member
            .service
            .as_deref()
            .is_some_and(|name| declared.services.keys().any(|service| service.as_str() == name))
}

/// The names of a service's containers, in lower case.
pub(super) fn container_names(declared: &Declared, service: &Service) -> BTreeSet<String> {
    match &service.container_name {
        Some(name) => BTreeSet::from([name.to_ascii_lowercase()]),
        None => (1..=service.replicas).map(|number| container_name(&declared.stack, &service.name, number)).collect(),
    }
}

/// The names of a service's containers, and its own host name, which newer engines resolve too.
pub(super) fn own_names(declared: &Declared, service: &Service) -> BTreeSet<String> {
    let mut names = container_names(declared, service);
    if let Some(hostname) = &service.container.hostname {
        names.insert(hostname.to_ascii_lowercase());
        if let Some(domain) = &service.container.domainname {
            names.insert(format!("{hostname}.{domain}").to_ascii_lowercase());
        }
    }
    names
}

/// Where a service's questions for names go.
pub(super) enum Reach<'a> {
    /// To the engine, for the names on these networks.
    Networks(Vec<&'a str>),
    /// To the host's own resolver: containers have no names there.
    Host,
    /// To nobody, or to whom cannot be known: nothing is said about such a service.
    Unknown,
}

pub(super) fn reach<'a>(declared: &'a Declared, observed: &'a Observed, service: &'a Service) -> Reach<'a> {
    match &service.network_mode {
        NetworkMode::Attached => Reach::Networks(networks_of(service)),
        NetworkMode::Host | NetworkMode::Bridge => Reach::Host,
        NetworkMode::None => Reach::Unknown,
        NetworkMode::Service(name) => match declared.services.get(name) {
            Some(other) if other.network_mode == NetworkMode::Attached => Reach::Networks(networks_of(other)),
            _ => Reach::Unknown,
        },
        NetworkMode::Container(name) => match observed.container_named(name) {
            Some(other) => Reach::Networks(other.endpoints.iter().map(|endpoint| endpoint.network.as_str()).collect()),
            None => Reach::Unknown,
        },
    }
}

fn networks_of(service: &Service) -> Vec<&str> {
    service.attachments.iter().map(|attachment| attachment.network.as_str()).collect()
}

/// Names that a container resolves whatever its networks: its own, and those written into its hosts file.
pub(super) fn at_home(declared: &Declared, service: &Service) -> BTreeSet<String> {
    let mut names = own_names(declared, service);
    names.insert(service.name.as_str().to_ascii_lowercase());
    for attachment in &service.attachments {
        names.extend(attachment.aliases.iter().map(|alias| alias.to_ascii_lowercase()));
        let alias = |link: &String| link.split_once(':').map(|(_, alias)| alias.to_ascii_lowercase());
        names.extend(attachment.links.iter().filter_map(alias));
    }
    let host = |line: &String| line.split_once(':').map(|(host, _)| host.to_ascii_lowercase());
    names.extend(service.container.extra_hosts.iter().filter_map(host));
    // In the namespace of another service, the hosts file is that one's.
    if let NetworkMode::Service(other) = &service.network_mode
        && let Some(other) = declared.services.get(other).filter(|other| other.network_mode == NetworkMode::Attached)
    {
        names.extend(at_home(declared, other));
    }
    names
}

/// What stands before an end that a machine made: eight or more letters and digits, mixed, or only digits.
pub(super) fn random_end(host: &str) -> Option<&str> {
    if host.contains('.') {
        return None;
    }
    let (base, end) = host.rsplit_once(['-', '_'])?;
    let digits = end.chars().filter(char::is_ascii_digit).count();
    let is_plain = end.chars().all(|c| c.is_ascii_alphanumeric());
    let is_mixed = digits >= 2 && digits < end.len() && starts_mixed(end);
    let is_random = is_plain && end.len() >= 8 && (is_mixed || digits == end.len());
    (is_random && !base.is_empty()).then_some(base)
}

/// Whether digits stand among the letters: `postgres15` is a word with a version, `k0c8ow4s` is not a word.
fn starts_mixed(end: &str) -> bool {
    let changes = end.as_bytes().windows(2).filter(|pair| match pair {
        [a, b] => a.is_ascii_digit() != b.is_ascii_digit(),
        _ => false,
    });
    changes.count() >= 2
}
