//! Whose output it is, and whose is wanted.

use std::collections::BTreeSet;
use std::sync::Arc;

use mainstay_model::identity::labels::{NUMBER, ONE_OFF};
use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::observed::Container;

use super::super::events::EngineEvent;

/// A container as far as its lines need it. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSource {
    pub container_id: Arc<str>,
    /// Its name when it was first seen.
    pub container: Arc<str>,
    pub stack: StackName,
    pub service: Option<ServiceName>,
    pub number: u32,
}

/// The containers whose output is wanted: those of whole stacks, or of some services.
#[derive(Clone, Debug, Default)]
pub struct LogsWanted {
    pub stacks: Vec<StackName>,
    /// All when empty.
    pub services: BTreeSet<ServiceName>,
    /// Only the container of this number of each service.
    pub number: Option<u32>,
}

impl LogsWanted {
    /// The container as a source, when it is wanted. What `run` made is not.
    pub fn of_container(&self, container: &Container) -> Option<LogSource> {
        let source = LogSource {
            container_id: container.id.as_str().into(),
            container: container.name.as_str().into(),
            stack: container.stack.clone()?,
            service: container.service.clone(),
            number: container.number,
        };
        self.takes(&source, container.one_off).then_some(source)
    }

    /// The same of a container that the engine tells of.
    pub(super) fn of_event(&self, event: &EngineEvent) -> Option<LogSource> {
        let label = |name: &str| event.attributes.get(name).map(String::as_str);
        let source = LogSource {
            container_id: event.actor_id.as_str().into(),
            container: event.name.as_str().into(),
            stack: event.stack.clone()?,
            service: event.service.clone(),
            number: label(NUMBER).and_then(|number| number.parse().ok()).unwrap_or_default(),
        };
        self.takes(&source, label(ONE_OFF) == Some("True")).then_some(source)
    }

    fn takes(&self, source: &LogSource, one_off: bool) -> bool {
        let has_service = || source.service.as_ref().is_some_and(|service| self.services.contains(service));
        !one_off
            && self.stacks.contains(&source.stack)
            && (self.services.is_empty() || has_service())
            && self.number.is_none_or(|number| number == source.number)
    }
}
