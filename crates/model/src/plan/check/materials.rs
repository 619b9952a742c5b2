//! Images, networks and volumes: there or surely made before they are used; ours when they go.

use super::Reader;
use crate::declared::Service;
use crate::declared::container::MountKind;
use crate::observed::Maker;
use crate::plan::{Action, Order, Step};

impl Reader<'_> {
    pub fn read_materials(&mut self, step: &Step) {
        match &step.action {
            Action::CreateContainer { service, networks, .. } => {
                let declared = self.declared().and_then(|declared| declared.services.get(service));
                match declared {
                    Some(service) => self.read_creation(step, service, networks),
                    None => self.wrong(step, "not-declared", format!("`{service}` is not declared")),
                }
            }
            Action::Attach { attachment, .. } => self.read_network_use(step, &attachment.network),
            Action::CreateNetwork { key, name } => {
                let declared = self.declared().and_then(|declared| declared.networks.get(key));
                if !declared.is_some_and(|network| network.name == *name && !network.external) {
                    self.wrong(step, "foreign-network", format!("`{name}` is not this stack's to make"));
                }
                if self.world.networks.iter().any(|network| network.name == *name) {
                    self.wrong(step, "network-twice", format!("there is a network `{name}` already"));
                }
            }
            Action::CreateVolume { key, name } => {
                let declared = self.declared().and_then(|declared| declared.volumes.get(key));
                if !declared.is_some_and(|volume| volume.name == *name && !volume.external) {
                    self.wrong(step, "foreign-volume", format!("`{name}` is not this stack's to make"));
                }
                if self.world.volumes.iter().any(|volume| volume.name == *name) {
                    self.wrong(step, "volume-twice", format!("there is a volume `{name}` already"));
                }
            }
            Action::RemoveNetwork { id, name } => self.read_network_removal(step, id, name),
            Action::RemoveVolume { name } => self.read_volume_removal(step, name),
            _ => {}
        }
    }

    fn read_creation(&mut self, step: &Step, service: &Service, networks: &[String]) {
        let wanted: Vec<&String> = service.attachments.iter().map(|attachment| &attachment.network).collect();
        if wanted != networks.iter().collect::<Vec<_>>() {
            self.wrong(step, "other-networks", "its networks are not the declared ones");
        }
        for network in networks {
            self.read_network_use(step, network);
        }
        let image = &service.image;
        let fetches = |other: &Step| match &other.action {
            Action::PullImage { image: fetched, .. } | Action::BuildImage { image: fetched, .. } => fetched == image,
            _ => false,
        };
        let fetched_before = self.earlier(step).any(fetches);
        let is_fetched = self.plan.steps.iter().any(fetches);
        let is_there = self.world.images.contains_key(image);
        if !fetched_before && (is_fetched || !is_there) && !self.is_refused() {
            self.wrong(step, "no-image", format!("`{image}` is not surely there"));
        }
        let Some(declared) = self.declared() else { return };
        for mount in service.container.mounts.iter().filter(|mount| mount.kind == MountKind::Volume) {
            let Some(source) = &mount.source else { continue };
            let is_there = self.world.volumes.iter().any(|volume| volume.name == *source);
            let is_declared = declared.volumes.values().any(|volume| volume.name == *source);
            let is_made = self
                .earlier(step)
                .any(|other| matches!(&other.action, Action::CreateVolume { name, .. } if name == source));
            if is_declared && !is_there && !is_made && !self.is_refused() {
                self.wrong(step, "no-volume", format!("`{source}` is not surely there"));
            }
        }
    }

    fn read_network_use(&mut self, step: &Step, name: &str) {
        let removed = |id: &String| {
            self.earlier(step)
                .any(|other| matches!(&other.action, Action::RemoveNetwork { id: gone, .. } if gone == id))
        };
        let named = self.world.networks.iter().filter(|network| network.name == name);
        let there = named.filter(|network| !removed(&network.id)).count();
        let is_made =
            self.earlier(step).any(|other| matches!(&other.action, Action::CreateNetwork { name: n, .. } if n == name));
        let is_promised = self.declared().is_some_and(|declared| {
            let external = declared.networks.values().any(|network| network.external && network.name == name);
            external && !declared.requires.is_empty()
        });
        if !(there == 1 || is_made || is_promised || self.is_refused()) {
            self.wrong(step, "no-network", format!("`{name}` is not surely there, and there once"));
        }
    }

    /// Law 4, and the attachments of others: only our own network, and only when all who are on it are gone before.
    fn read_network_removal(&mut self, step: &Step, id: &str, name: &str) {
        let Some(network) = self.world.networks.iter().find(|network| network.id == id) else {
            self.wrong(step, "no-network", format!("there is no network `{name}` with that id"));
            return;
        };
        let is_ours = network.maker == Maker::Mainstay && network.stack.as_ref() == Some(&self.plan.stack);
        // An `up` may take away what stands beside another of the same name: nobody can join by such a name.
        let has_twin = self.world.networks.iter().filter(|other| other.name == network.name).count() > 1;
        let may = matches!(self.order, Order::Down(_) | Order::Settle(_))
            || (has_twin && matches!(self.order, Order::Up { .. }));
        if !is_ours || !may {
            self.wrong(step, "foreign-network", format!("`{name}` may not be removed"));
        }
        let on_it = network.members.iter().map(|member| member.container_id.clone());
        let endpoints = self
            .world
            .containers
            .iter()
            .filter(|container| container.endpoints.iter().any(|endpoint| endpoint.network_id == id));
        let mut all: Vec<String> = on_it.chain(endpoints.map(|container| container.id.clone())).collect();
        all.retain(|container| !self.is_removed_before(step, container) && !self.has_left_before(step, container, id));
        if !all.is_empty() {
            self.wrong(step, "network-in-use", format!("`{name}` still has {} on it", all.join(", ")));
        }
    }

    /// Laws 4 and 8: named in the order, made for this stack, and after every container that may use it.
    fn read_volume_removal(&mut self, step: &Step, name: &str) {
        let is_named = matches!(self.order, Order::Down(order) if order.volumes.contains(name));
        if !is_named {
            self.wrong(step, "volume-not-named", format!("nobody named `{name}`"));
        }
        let volume = self.world.volumes.iter().find(|volume| volume.name == name);
        let is_of_stack = |of: &crate::observed::ObservedVolume| {
            of.maker != Maker::Foreign && of.stack.as_ref() == Some(&self.plan.stack)
        };
        if !volume.is_some_and(is_of_stack) {
            self.wrong(step, "foreign-volume", format!("`{name}` is not this stack's"));
        }
        let removals = self.plan.steps.iter().filter(|other| matches!(other.action, Action::RemoveContainer { .. }));
        let removals: Vec<_> = removals.map(|other| other.id).collect();
        let before = self.before.get(&step.id).cloned().unwrap_or_default();
        if removals.iter().any(|removal| !before.contains(removal)) {
            self.wrong(step, "volume-too-early", format!("`{name}` would go before the containers that may use it"));
        }
    }
}
