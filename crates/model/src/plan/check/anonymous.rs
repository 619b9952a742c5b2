//! Anonymous volumes: carried within a place only, as long as they are asked for, and never lost on the way.

use std::collections::BTreeSet;

use super::Reader;
use crate::declared::Service;
use crate::declared::container::{MountKind, bare_path};
use crate::identity::ServiceName;
use crate::observed::{AnonymousVolume, Container, Maker, State};
use crate::plan::{Action, Order, Step, StepId, Target, TargetContainer};

impl<'a> Reader<'a> {
    pub fn read_anonymous_volumes(&mut self, step: &Step) {
        match &step.action {
            Action::CreateContainer { service, number, carried, .. } => {
                let place = self.standing(service, *number);
                self.read_carried(step, service, &place, carried);
            }
            Action::StartContainer { target } => self.read_start_with_carried(step, target),
            Action::RemoveContainer { target, volumes: true } => {
                let is_carried = |volume: &&AnonymousVolume| self.is_carried_anywhere(&volume.name);
                let mounted = self.observed_target(target).map(|container| &container.anonymous_volumes);
                if let Some(volume) = mounted.into_iter().flatten().find(is_carried) {
                    self.wrong(step, "removes-carried", format!("`{}` is carried over by this plan", volume.name));
                }
            }
            _ => {}
        }
    }

    /// Who was observed in a place.
    fn standing(&self, service: &ServiceName, number: u32) -> Vec<&'a Container> {
        let of_place = self.world.containers.iter().filter(|container| {
            let ours = container.stack.as_ref() == Some(&self.plan.stack) && container.maker != Maker::Foreign;
            ours && !container.one_off && container.service.as_ref() == Some(service) && container.number == number
        });
        of_place.collect()
    }

    fn read_carried(&mut self, step: &Step, name: &ServiceName, place: &[&Container], carried: &[AnonymousVolume]) {
        let Order::Up { declared, options } = self.order else { return };
        let Some(service) = declared.services.get(name) else { return };
        let mut targets: BTreeSet<&str> = BTreeSet::new();
        for volume in carried {
            if !place.iter().any(|container| container.anonymous_volumes.contains(volume)) {
                let message = format!("`{}` is not mounted in the place that it is carried to", volume.name);
                self.wrong(step, "foreign-volume", message);
            }
            if options.renew_anon_volumes {
                self.wrong(step, "carried-renewed", format!("new volumes were ordered, not `{}`", volume.name));
            }
            if self.asks(service, &volume.target) == Some(false) {
                let message = format!("`{}` has no anonymous volume at `{}`", service.name, volume.target);
                self.wrong(step, "carried-unasked", message);
            }
            if !targets.insert(&volume.target) {
                self.wrong(step, "carried-twice", format!("two volumes are carried to `{}`", volume.target));
            }
        }
        // What comes from another container by `volumes_from` comes again from there.
        if options.renew_anon_volumes || !service.container.volumes_from.is_empty() {
            return;
        }
        let lost = place.iter().flat_map(|container| &container.anonymous_volumes);
        let lost: Vec<&AnonymousVolume> = lost
            .filter(|volume| !targets.contains(volume.target.as_str()))
            .filter(|volume| self.asks(service, &volume.target) == Some(true))
            .collect();
        for volume in lost {
            let message = format!("what `{}` holds at `{}` is left behind", volume.name, volume.target);
            self.wrong(step, "not-carried", message);
        }
    }

    /// Whether a new container of the service has an anonymous volume at a path; `None` when the image has yet to come.
    fn asks(&self, service: &Service, target: &str) -> Option<bool> {
        if service.container.tmpfs.keys().any(|path| bare_path(path) == target) {
            return Some(false);
        }
        let mounted = service.container.mounts.iter().find(|mount| bare_path(&mount.target) == target);
        if let Some(mount) = mounted {
            return Some(mount.kind == MountKind::Volume && mount.source.is_none());
        }
        let is_fetched = self.plan.steps.iter().any(|step| match &step.action {
            Action::PullImage { image, .. } | Action::BuildImage { image, .. } => *image == service.image,
            _ => false,
        });
        let by_image = self.world.image_volumes.get(&service.image);
        (!is_fetched).then(|| by_image.is_some_and(|targets| targets.contains(target)))
    }

    /// Two programs never write to one carried volume: the old container is surely down when the new one starts.
    fn read_start_with_carried(&mut self, step: &Step, target: &Target) {
        let TargetContainer::MadeBy(made) = &target.container else { return };
        let Some((service, number, carried)) = self.creation(*made) else { return };
        for old in self.standing(service, number) {
            let shares = old.anonymous_volumes.iter().any(|volume| carried.contains(volume));
            let runs = matches!(old.state, State::Running | State::Paused | State::Restarting);
            let is_stopped = self.earlier(step).any(|other| match &other.action {
                Action::StopContainer { target, .. } => target.container == TargetContainer::Id(old.id.clone()),
                _ => false,
            });
            if shares && runs && !is_stopped {
                let message = format!("`{}` still runs on a volume that `{}` has too", old.name, target.name);
                self.wrong(step, "shared-while-running", message);
            }
        }
    }

    fn creation(&self, id: StepId) -> Option<(&'a ServiceName, u32, &'a [AnonymousVolume])> {
        match &self.plan.steps.iter().find(|step| step.id == id)?.action {
            Action::CreateContainer { service, number, carried, .. } => Some((service, *number, carried)),
            _ => None,
        }
    }

    fn is_carried_anywhere(&self, name: &str) -> bool {
        self.plan.steps.iter().any(|step| match &step.action {
            Action::CreateContainer { carried, .. } => carried.iter().any(|volume| volume.name == name),
            _ => false,
        })
    }
}
