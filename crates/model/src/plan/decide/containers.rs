//! The containers of one service: which of them stays, which differs, which is too many.
//!
//! A place is a service and a number. What stands for a place is read from labels, never from names: after a crash in
//! the middle of a replacement there can be two containers for one place, the old one under the final name and the
//! new one under a temporary name, each of them in any state. The rule is the same for all such worlds: the best one
//! of those that do not differ stays, and every other one goes once that one is proven. So each leftover is just
//! another start of the same walk, and nothing has to be remembered from the plan that was cut off.

use super::dependencies::{Shares, bonds};
use super::instances::{Instance, Start, Taking};
use super::up::Up;
use super::{listed, plural};
use crate::declared::Service;
use crate::declared::container::MountKind;
use crate::identity::{changed_fields, container_name};
use crate::observed::{Container, Health, Maker, State, is_later};
use crate::plan::{Action, Impact, Level, StepId, Target, TargetContainer};

/// Whether processes of it are there, so that stopping it is felt.
pub(super) fn is_up(container: &Container) -> bool {
    matches!(container.state, State::Running | State::Paused | State::Restarting)
}

impl<'a> Up<'a> {
    pub fn service(&mut self, service: &'a Service) {
        let mut ours = self.world.of_service(&service.name);
        ours.retain(|container| container.maker != Maker::Foreign);
        let by_compose = ours.iter().filter(|container| container.maker == Maker::Compose);
        let by_compose: Vec<String> = by_compose.map(|container| container.name.clone()).collect();
        if !self.options.take_over && !by_compose.is_empty() {
            self.made_by_compose.extend(by_compose);
            self.refused.insert(service.name.clone());
            return;
        }
        let replicas = Up::replicas(service);
        for number in 1..=replicas {
            let there: Vec<&Container> = ours.iter().copied().filter(|c| c.number == number).collect();
            self.place(service, number, there);
        }
        for surplus in ours.into_iter().filter(|c| c.number == 0 || c.number > replicas) {
            let why =
                format!("`{}` has {replicas} {}", service.name, plural(replicas as usize, "container", "containers"));
            self.stop_and_remove(surplus, &why);
        }
    }

    /// One place: who stands there at the end, and how it comes to that.
    fn place(&mut self, service: &'a Service, number: u32, there: Vec<&'a Container>) {
        let name = match &service.container_name {
            Some(name) => name.clone(),
            None => container_name(&self.declared.stack, &service.name, number),
        };
        if self.name_is_taken(service, &name, &there) {
            return;
        }
        let judged: Vec<(&Container, Option<String>)> =
            there.iter().map(|container| (*container, self.difference(service, container))).collect();
        let fits = judged.iter().filter(|(_, difference)| difference.is_none()).map(|(container, _)| *container);
        let fits = fits.filter(|container| !self.would_be_one_of_two_owners(service, container, &there));
        let best = fits.max_by_key(|container| (worth(container), container.name == name));
        let others: Vec<&Container> =
            there.iter().copied().filter(|container| best.is_none_or(|best| best.id != container.id)).collect();
        match best {
            Some(container) => self.stay(service, container, others, name),
            None => {
                // The reason of the one that serves is the one to tell; leftovers differ for reasons of their own.
                let serving = judged.iter().max_by_key(|(container, _)| (worth(container), container.name == name));
                let why = serving.and_then(|(_, difference)| difference.clone());
                self.make(service, number, others, name, why);
            }
        }
    }

    /// Whether a container that fits would run beside another one in a place that others share, and not be the one whom the
    /// engine takes for the owner: that is the one that this plan makes, or the one that runs and was made last.
    fn would_be_one_of_two_owners(&self, service: &Service, container: &Container, there: &[&Container]) -> bool {
        let serving: Vec<&Container> =
            there.iter().copied().filter(|other| is_up(other) && other.id != container.id).collect();
        let is_newest = || serving.iter().all(|other| is_later(&container.created_at, &other.created_at));
        let shared = || self.declared.services.values().flat_map(bonds).any(|(owner, _)| owner == service.name);
        let is_alone = serving.is_empty() || is_up(container) && is_newest();
        !is_alone && self.goes_beside(service, &serving, !container.anonymous_volumes.is_empty()) && shared()
    }

    /// A container that is as declared: its attachments, its state, its name.
    fn stay(&mut self, service: &'a Service, container: &'a Container, others: Vec<&'a Container>, name: String) {
        let mut start = self.start_of_staying(service, container);
        let starts = matches!(start, Start::Needed(_) | Start::Again(_));
        let mut attached = self.repair_attachments(service, container, starts);
        if container.state == State::Restarting && !attached.is_empty() && starts {
            start = Start::Needed("it waits after a crash, and its networks are back".into());
        }
        // It joins by name when it starts: a network that has to lose a twin first is waited for.
        attached.extend(service.attachments.iter().filter_map(|a| self.places.get(&a.network)?.made()));
        let instance = Instance::kept(container);
        let carries_volumes = !container.anonymous_volumes.is_empty();
        self.take_place(service, Taking { instance, prepared: attached, others, name, start, carries_volumes });
    }

    /// A container that has to be made, in an empty place or for a differing one.
    fn make(
        &mut self,
        service: &'a Service,
        number: u32,
        others: Vec<&'a Container>,
        name: String,
        why: Option<String>,
    ) {
        // The final name is taken at once where it is free; else a temporary one, until the old container is gone.
        let first_name = self.names.free(&name);
        let networks = service.attachments.iter().map(|attachment| attachment.network.clone()).collect();
        let needs = self.materials(service);
        let carried = self.carried_over(service, &others);
        let carries_volumes = !carried.is_empty();
        let action = Action::CreateContainer {
            service: service.name.clone(),
            number,
            name: first_name.clone(),
            networks,
            carried,
        };
        let impact = if others.is_empty() { Impact::Live } else { Impact::Replace };
        let why = why.unwrap_or_else(|| "it does not exist".into());
        let created = self.draft.add(action, impact, why, needs);
        let target = Target {
            name: first_name,
            service: Some(service.name.clone()),
            number,
            container: TargetContainer::MadeBy(created),
        };
        let start = match (self.options.no_start, others.as_slice()) {
            (true, _) => Start::Left,
            (false, []) => Start::Needed("it is new".into()),
            (false, [old]) => Start::Needed(format!("it takes the place of `{}`", old.name)),
            (false, several) => {
                let names: Vec<&String> = several.iter().map(|container| &container.name).collect();
                Start::Needed(format!("it takes the place of {}", listed(&names)))
            }
        };
        let instance = Instance::made(target, created);
        self.take_place(service, Taking { instance, prepared: vec![created], others, name, start, carries_volumes });
    }

    /// The steps before which a container of the service cannot be made.
    fn materials(&mut self, service: &'a Service) -> Vec<StepId> {
        let mut needs: Vec<StepId> = self.image_for_new_container(service).into_iter().collect();
        needs.extend(service.attachments.iter().filter_map(|a| self.places.get(&a.network)?.made()));
        needs.extend(volumes_of(service).filter_map(|name| self.volumes_made.get(name)).copied());
        // Sharing is with a container by its id: with the one that this plan makes, else with the one that runs. So
        // the owner has to be made first, or be the only one that runs in its place.
        for (owner, _) in bonds(service) {
            if let Some(first) = self.instances.get(&owner).and_then(|instances| instances.first()) {
                match first.created {
                    Some(created) => needs.push(created),
                    None => needs.extend(first.started.iter().chain(&first.cleared)),
                }
            }
        }
        needs
    }

    /// Whether an existing container has to start, start again, or can be left.
    fn start_of_staying(&mut self, service: &Service, container: &Container) -> Start {
        if let State::Paused = container.state {
            let message = format!("`{}` is paused and stays so", container.name);
            let hint = format!("`docker unpause {}`", container.name);
            self.draft.tell(Level::Warning, "paused", message, Some(&hint));
            return Start::Left;
        }
        if self.options.no_start {
            return if is_up(container) { Start::Runs } else { Start::Left };
        }
        match container.state {
            State::Running => {
                if container.health == Health::Unhealthy {
                    let message = format!("`{}` runs and is unhealthy", container.name);
                    let hint = format!("`mainstay logs {}` shows why; `up` does not restart it", service.name);
                    self.draft.tell(Level::Warning, "unhealthy", message, Some(&hint));
                }
                self.restart_cause(service, container).map_or(Start::Runs, Start::Again)
            }
            State::Restarting => Start::Needed("it waits to be restarted after a crash".into()),
            // What ran to its good end is done; it runs again when it is replaced.
            State::Exited if self.is_one_shot(&service.name) && container.exit_code == Some(0) => Start::Left,
            State::Created => Start::Needed("it was never started".into()),
            _ => Start::Needed(format!("it does not run{}", exit_words(container))),
        }
    }

    /// In which way a container is not what would be made today; `None` when it is.
    fn difference(&self, service: &Service, container: &Container) -> Option<String> {
        if container.maker == Maker::Compose {
            return Some("it was made by `docker compose`".into());
        }
        let mut differences: Vec<String> = Vec::new();
        match container.state {
            State::Removing => differences.push("it is being removed".into()),
            State::Dead => differences.push("it is dead: the engine could not remove it whole".into()),
            _ => {}
        }
        differences.extend(self.changed_declaration(service, container));
        let made_anew: Vec<&String> =
            volumes_of(service).filter(|name| self.volumes_made.contains_key(*name)).collect();
        if !made_anew.is_empty() {
            differences.push(format!("{} {} made anew", listed(&made_anew), plural(made_anew.len(), "is", "are")));
        }
        differences.extend(self.lost_bond(service, container));
        if self.is_meant(&service.name) && self.images.built_anew.contains(&service.image) {
            differences.push(format!("image `{}` is built anew", service.image));
        }
        let is_made = self.options.made.contains(&container.id);
        if self.is_meant(&service.name) && self.options.force_recreate && !is_made {
            differences.push("`--force-recreate` was given".into());
        }
        (!differences.is_empty()).then(|| differences.join(", "))
    }

    fn changed_declaration(&self, service: &Service, container: &Container) -> Option<String> {
        let Some(before) = &container.fields else {
            return Some("its fingerprint is missing or cannot be read".into());
        };
        let there = self.world.images.get(&service.image);
        let mut changed = changed_fields(before, &service.fields());
        if there == Some(&container.image_id) {
            // Another name for the very image that it runs. Whether a pull brings another one is for the plan after it.
            changed.retain(|field| field != "image");
        }
        if !changed.is_empty() {
            return Some(format!("{} {}", listed(&changed), plural(changed.len(), "differs", "differ")));
        }
        (*there? != container.image_id)
            .then(|| format!("image `{}` is another build than the container's", service.image))
    }

    /// A container that shares something with another one holds that very container: when the other is replaced, this
    /// one holds a dead one. For a network the engine tells whom; for the rest the times of making tell enough.
    fn lost_bond(&self, service: &Service, container: &Container) -> Option<String> {
        for (owner, shares) in bonds(service) {
            let Some(first) = self.instances.get(&owner).and_then(|instances| instances.first()) else { continue };
            let Some(kept) = first.kept else {
                return Some(format!("`{owner}`, whose {} it shares, is made anew", shares.word()));
            };
            let held = container.network_mode.strip_prefix("container:").filter(|_| shares == Shares::Network);
            let lost = match held {
                Some(id) => id != kept.id && id != kept.name,
                None => is_later(&kept.created_at, &container.created_at),
            };
            if lost {
                return Some(format!("it shares the {} of a former container of `{owner}`", shares.word()));
            }
        }
        None
    }

    /// Why a running container that does not differ has to stop and start all the same.
    ///
    /// Two causes, and each of them is also seen afterwards from the engine's times, so that an `up` that was cut off
    /// between replacing a dependency and restarting its dependents is finished by the next one.
    fn restart_cause(&self, service: &Service, container: &Container) -> Option<String> {
        for (owner, shares) in bonds(service).into_iter().filter(|(_, shares)| *shares != Shares::Volumes) {
            let Some(first) = self.instances.get(&owner).and_then(|instances| instances.first()) else { continue };
            let newer = first.kept.is_some_and(|kept| is_later(&kept.started_at, &container.started_at));
            if first.started.is_some() || newer {
                return Some(format!("`{owner}`, whose {} it shares, was started after it", shares.word()));
            }
        }
        for (on, _) in service.depends_on.iter().filter(|(_, dependency)| dependency.restart) {
            let Some(first) = self.instances.get(on).and_then(|instances| instances.first()) else { continue };
            // Made after this one started. A reboot starts both in any order and makes none, so it is no cause.
            let newer = first.kept.is_some_and(|kept| is_later(&kept.created_at, &container.started_at));
            if first.created.is_some() || first.restarted || newer {
                let what = if first.restarted { "restarted" } else { "replaced" };
                return Some(format!("`{on}` is {what}, and `depends_on` says `restart: true`"));
            }
        }
        None
    }
}

/// The named volumes that a service mounts.
fn volumes_of(service: &Service) -> impl Iterator<Item = &String> {
    let volumes = service.container.mounts.iter().filter(|mount| mount.kind == MountKind::Volume);
    volumes.filter_map(|mount| mount.source.as_ref())
}

/// How much would be lost if this container went: the higher, the better it serves.
pub(super) fn worth(container: &Container) -> u8 {
    match (container.state, container.health) {
        (State::Running, Health::Unhealthy) => 5,
        (State::Running, _) => 6,
        (State::Paused, _) => 4,
        (State::Restarting, _) => 3,
        (State::Exited, _) => 2,
        (State::Created, _) => 1,
        (State::Removing | State::Dead, _) => 0,
    }
}

fn exit_words(container: &Container) -> String {
    match container.exit_code {
        _ if container.oom_killed => " (out of memory)".into(),
        Some(code) => format!(" (exit code {code})"),
        None => String::new(),
    }
}
