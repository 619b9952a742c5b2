//! A fixed port of the host is had by one container at a time: who takes it starts after its holder has stopped.

use std::collections::{BTreeMap, BTreeSet};

use super::up::Up;
use crate::declared::Service;
use crate::plan::StepId;

#[derive(Default)]
pub(super) struct Ports {
    /// By container id.
    stops: BTreeMap<String, StepId>,
    starts: Vec<(StepId, BTreeSet<String>)>,
}

impl Ports {
    pub fn stops(&mut self, container_id: &str, step: StepId) {
        self.stops.insert(container_id.to_owned(), step);
    }

    pub fn stop_of(&self, container_id: &str) -> Option<StepId> {
        self.stops.get(container_id).copied()
    }

    pub fn starts(&mut self, step: StepId, service: &Service) {
        let ports = service.container.ports.iter();
        let fixed = ports.filter_map(|port| Some(format!("{}/{}", port.published.as_ref()?, port.protocol)));
        self.starts.push((step, fixed.collect()));
    }
}

impl<'a> Up<'a> {
    /// A port that moves from one container to another within this plan. It is a wish and not a need, but the first
    /// one to be granted: serving until dependencies are ready counts less than being able to start at all.
    pub fn hand_over_ports(&mut self) {
        for (start, wanted) in std::mem::take(&mut self.ports.starts) {
            for (container_id, stop) in &self.ports.stops {
                let held = self.world.container(container_id).into_iter().flat_map(|c| &c.ports);
                if held.filter_map(|text| host_port(text)).any(|port| wanted.contains(&port)) {
                    self.draft.wish_first(start, *stop);
                }
            }
        }
    }
}

/// `127.0.0.1:8080->80/tcp` to `8080/tcp`.
fn host_port(text: &str) -> Option<String> {
    let (host, container) = text.split_once("->")?;
    let port = host.rsplit(':').next()?;
    let protocol = container.split_once('/').map_or("tcp", |(_, protocol)| protocol);
    Some(format!("{port}/{protocol}"))
}
