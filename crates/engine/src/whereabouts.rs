//! Where a service of a stack stands now: its container that runs, at an address that this host reaches.

use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::observed::{Container, State};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReached {
    #[error("no container of `{service}` runs")]
    NotRunning { service: ServiceName },
    #[error("`{container}` has no address on a network")]
    NoAddress { container: String },
}

/// The first container of a service that runs.
///
/// # Errors
/// When none does.
pub fn running<'c>(
    service: &ServiceName,
    stack: &StackName,
    containers: &'c [Container],
) -> Result<&'c Container, NotReached> {
    let is_it = |one: &&Container| one.stack.as_ref() == Some(stack) && one.service.as_ref() == Some(service);
    let mut running = containers.iter().filter(is_it).filter(|one| !one.one_off && one.state == State::Running);
    running.next().ok_or_else(|| NotReached::NotRunning { service: service.clone() })
}

/// Its address on one of its networks.
///
/// # Errors
/// When it is on none.
pub fn address(container: &Container) -> Result<String, NotReached> {
    let mut addresses = container.endpoints.iter().filter_map(|endpoint| endpoint.ipv4_address.clone());
    let address = addresses.find(|one| !one.is_empty());
    address.ok_or_else(|| NotReached::NoAddress { container: container.name.clone() })
}
