//! Containers of the stack whose service the files no longer have.

use super::listed;
use super::up::Up;
use crate::declared::Declared;
use crate::identity::ServiceName;
use crate::observed::{Container, Maker};
use crate::plan::Level;

/// Switched off by a profile is not gone.
fn is_declared(declared: &Declared, service: &ServiceName) -> bool {
    declared.services.contains_key(service) || declared.disabled.contains(service)
}

impl<'a> Up<'a> {
    /// Told, or taken away when that was asked for. An order for some services is not about the rest.
    pub fn orphans(&mut self) {
        if !self.options.services.is_empty() {
            return;
        }
        let world = self.world;
        let of_stack = world.containers.iter().filter(|c| c.stack.as_ref() == Some(&self.declared.stack) && !c.one_off);
        let orphans = of_stack
            .filter(|c| c.service.as_ref().is_none_or(|service| !is_declared(self.declared, service)))
            .filter(|c| c.maker != Maker::Foreign);
        let (goes, stays): (Vec<&Container>, Vec<&Container>) = orphans.partition(|container| {
            let may = container.maker == Maker::Mainstay || self.options.take_over;
            self.options.remove_orphans && may
        });
        for container in goes {
            self.stop_and_remove(container, "its service is no longer declared");
        }
        if stays.is_empty() {
            return;
        }
        let names: Vec<&String> = stays.iter().map(|container| &container.name).collect();
        let message = format!("{} of services that are not declared: left alone", listed(&names));
        let hint = match self.options.remove_orphans {
            false => "`--remove-orphans` removes them",
            true => "`docker compose` made them: `--take-over` allows their removal too",
        };
        self.draft.tell(Level::Note, "orphans", message, Some(hint));
    }
}
