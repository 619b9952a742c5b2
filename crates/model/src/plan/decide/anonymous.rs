//! Anonymous volumes: nothing but the container that mounts one leads to its data.
//!
//! So a container that takes another one's place takes its anonymous volumes over, path by path, wherever the
//! declaration or the image still asks for a volume without a name. Both containers hold the volume while the one gives
//! way to the other, which is safe because the new one starts only after the old one has stopped.
//!
//! What is not carried over stays on the engine, always, and is told by its name: a volume goes only when somebody names
//! it, and until somebody does, it is the way back.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::containers::worth;
use super::draft::Draft;
use super::up::Up;
use super::{listed, plural};
use crate::declared::Service;
use crate::declared::container::Occupant;
use crate::observed::{AnonymousVolume, Container, Observed};
use crate::plan::{Action, Level, TargetContainer};

impl<'a> Up<'a> {
    /// The volumes that a new container takes over from those who stand in its place, the one that serves best first.
    pub fn carried_over(&self, service: &Service, from: &[&Container]) -> Vec<AnonymousVolume> {
        if self.options.renew_anon_volumes {
            return Vec::new();
        }
        let mut from = from.to_vec();
        from.sort_by_key(|container| Reverse(worth(container)));
        let mut carried: BTreeMap<&String, &AnonymousVolume> = BTreeMap::new();
        for volume in from.iter().flat_map(|container| &container.anonymous_volumes) {
            if self.asks_for(service, &volume.target) && !self.is_borrowed(service, volume, &from) {
                carried.entry(&volume.target).or_insert(volume);
            }
        }
        carried.into_values().cloned().collect()
    }

    /// Whether a container that is made now would get an anonymous volume at this path. Of an image that this plan
    /// fetches nothing is known yet; whoever makes the container asks it then.
    fn asks_for(&self, service: &Service, target: &str) -> bool {
        match service.container.occupant(target) {
            Occupant::AnonymousVolume => true,
            Occupant::Other => false,
            Occupant::Nobody if self.images.is_fetched(&service.image) => true,
            Occupant::Nobody => {
                self.world.image_volumes.get(&service.image).is_some_and(|targets| targets.contains(target))
            }
        }
    }

    /// What a container has by `volumes_from` comes again from there, and may be another volume by then.
    fn is_borrowed(&self, service: &Service, volume: &AnonymousVolume, place: &[&Container]) -> bool {
        let others = self.world.containers.iter().filter(|other| place.iter().all(|own| own.id != other.id));
        let mut volumes = others.flat_map(|other| &other.anonymous_volumes);
        !service.container.volumes_from.is_empty() && volumes.any(|other| other.name == volume.name)
    }
}

/// Tells which anonymous volumes no container holds any more after the removals of a plan.
pub(super) fn tell_about_left_volumes(draft: &mut Draft, world: &Observed, level: Level) {
    let mut goes: BTreeSet<&String> = BTreeSet::new();
    let mut held: BTreeSet<&String> = BTreeSet::new();
    for step in draft.steps() {
        match &step.action {
            Action::RemoveContainer { target, .. } => match &target.container {
                TargetContainer::Id(id) => drop(goes.insert(id)),
                TargetContainer::MadeBy(_) => {}
            },
            Action::CreateContainer { carried, .. } => held.extend(carried.iter().map(|volume| &volume.name)),
            _ => {}
        }
    }
    let stays = world.containers.iter().filter(|container| !goes.contains(&container.id));
    held.extend(stays.flat_map(|container| &container.anonymous_volumes).map(|volume| &volume.name));
    let mut told = Vec::new();
    for container in world.containers.iter().filter(|container| goes.contains(&container.id)) {
        let left = container.anonymous_volumes.iter().filter(|volume| !held.contains(&volume.name));
        let (targets, names): (Vec<&str>, Vec<&str>) = left.map(|v| (v.target.as_str(), v.name.as_str())).unzip();
        if names.is_empty() {
            continue;
        }
        let message = format!(
            "the anonymous {} of `{}` ({}) {} on the engine, without a container",
            plural(names.len(), "volume", "volumes"),
            container.name,
            listed(&targets),
            plural(names.len(), "stays", "stay"),
        );
        let removed = plural(names.len(), "it, with its data", "them, with their data");
        told.push((message, format!("`docker volume rm {}` removes {removed}", names.join(" "))));
    }
    for (message, hint) in told {
        draft.tell(level, "anonymous-volume-left", message, Some(&hint));
    }
}
