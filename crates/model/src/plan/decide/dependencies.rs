//! Who leans on whom, and an order in which everybody comes after those they lean on.

use std::collections::{BTreeMap, BTreeSet};

use crate::declared::container::VolumesSource;
use crate::declared::{Declared, NetworkMode, Service};
use crate::identity::ServiceName;

/// Each service with those it leans on.
pub(super) type Leaning = BTreeMap<ServiceName, BTreeSet<ServiceName>>;

pub(super) struct InOrder {
    /// By depth, then by name.
    pub services: Vec<ServiceName>,
    /// The services where a circle had to be cut.
    pub cut: Vec<ServiceName>,
}

/// Orders services so that each stands after those it leans on.
///
/// A circle cannot be declared, but labels of containers from different times of a file can contain one; it is cut at
/// the smallest name, so that `down` and `stop` always end.
pub(super) fn in_order(leaning: &Leaning) -> InOrder {
    let mut waiting: BTreeSet<&ServiceName> = leaning.keys().collect();
    let mut services = Vec::new();
    let mut cut = Vec::new();
    while let Some(first) = waiting.first().copied() {
        let mut layer: Vec<&ServiceName> = waiting
            .iter()
            .copied()
            .filter(|service| leaning[*service].iter().all(|on| on == *service || !waiting.contains(on)))
            .collect();
        if layer.is_empty() {
            cut.push(first.clone());
            layer.push(first);
        }
        for service in layer {
            waiting.remove(service);
            services.push(service.clone());
        }
    }
    InOrder { services, cut }
}

/// What a service shares with another one; it holds the very container, and not its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shares {
    Network,
    /// `ipc` or `pid`.
    Processes,
    Volumes,
}

impl Shares {
    pub fn word(self) -> &'static str {
        match self {
            Shares::Network => "network",
            Shares::Processes => "process space",
            Shares::Volumes => "volumes",
        }
    }
}

/// The services whose container this service's containers are bound to.
pub(super) fn bonds(service: &Service) -> Vec<(ServiceName, Shares)> {
    let mut bonds = Vec::new();
    if let NetworkMode::Service(owner) = &service.network_mode {
        bonds.push((owner.clone(), Shares::Network));
    }
    for space in [&service.container.ipc, &service.container.pid] {
        let owner = space.as_deref().and_then(|text| text.strip_prefix("service:"));
        bonds.extend(owner.and_then(|name| ServiceName::new(name).ok()).map(|name| (name, Shares::Processes)));
    }
    for from in &service.container.volumes_from {
        if let VolumesSource::Service(owner) = &from.from {
            bonds.push((owner.clone(), Shares::Volumes));
        }
    }
    bonds
}

/// Everyone whom a declared service leans on, as far as they are declared.
pub(super) fn leans_on(declared: &Declared, service: &Service) -> BTreeSet<ServiceName> {
    let bound = bonds(service).into_iter().map(|(owner, _)| owner);
    service.depends_on.keys().cloned().chain(bound).filter(|name| declared.services.contains_key(name)).collect()
}
