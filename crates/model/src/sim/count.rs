//! Ids and times without a clock: one more than whatever the world shows.

use crate::observed::Observed;

const ID: &str = "sim";
/// Later than any engine's time, so that what the sim does is always after what was there.
const DAY: &str = "9999-01-01T00:00:00.";

/// An id that nothing in the world has or still points to: an endpoint may name a network that is gone.
pub(super) fn fresh_id(world: &Observed, kind: &str) -> String {
    format!("{ID}{:09}{kind}", next(world))
}

/// A time after every other time of the world.
pub(super) fn now(world: &Observed) -> String {
    format!("{DAY}{:09}Z", next(world))
}

fn next(world: &Observed) -> u64 {
    let containers = world.containers.iter().flat_map(|container| {
        let own = [
            &container.id,
            &container.image_id,
            &container.network_mode,
            &container.created_at,
            &container.started_at,
            &container.finished_at,
        ];
        own.into_iter().chain(container.endpoints.iter().map(|endpoint| &endpoint.network_id))
    });
    let networks = world.networks.iter().map(|network| &network.id);
    let all = containers.chain(networks).chain(world.images.values());
    all.filter_map(|text| number(text)).max().unwrap_or(0) + 1
}

fn number(text: &str) -> Option<u64> {
    let text = text.strip_prefix("container:").unwrap_or(text);
    let digits = text.strip_prefix(ID).or_else(|| text.strip_prefix(DAY))?;
    digits.get(..9)?.parse().ok()
}
