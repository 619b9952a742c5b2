//! A fixed port of the host is had by one container at a time: who takes it starts after its holder has stopped.

use std::collections::{BTreeMap, BTreeSet};

use super::containers::is_up;
use super::listed;
use super::up::Up;
use crate::declared::Service;
use crate::plan::{Level, StepId};

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
        let mut closed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (start, wanted) in std::mem::take(&mut self.ports.starts) {
            for (container_id, stop) in &self.ports.stops {
                let Some(holder) = self.world.container(container_id) else { continue };
                let held = holder.ports.iter().filter_map(|text| host_port(text));
                let handed: BTreeSet<String> = held.filter(|port| wanted.contains(port)).collect();
                if handed.is_empty() {
                    continue;
                }
                self.draft.wish_first(start, *stop);
                if is_up(holder) {
                    closed.entry(holder.name.clone()).or_default().extend(handed);
                }
            }
        }
        for (holder, ports) in closed {
            let (noun, are) = if ports.len() == 1 { ("port", "is") } else { ("ports", "are") };
            let all = listed(&ports.iter().collect::<Vec<_>>());
            let message =
                format!("the {noun} {all} {are} closed from the stop of `{holder}` until the start of what takes over");
            let hint = "an engine publishes a port to one container at a time, so there is no way without";
            self.draft.tell(Level::Note, "ports-closed", message, Some(hint));
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
