//! The volumes of the stack: made when missing, never changed and never removed by `up`.

use std::collections::BTreeSet;

use super::up::Up;
use crate::declared::Volume;
use crate::declared::container::MountKind;
use crate::identity::digest;
use crate::observed::{Maker, ObservedVolume};
use crate::plan::{Action, Impact, Level};

impl<'a> Up<'a> {
    pub fn volumes(&mut self) {
        let in_scope = self.declared.services.values().filter(|service| self.scope.contains(&service.name));
        let mounted: BTreeSet<&String> = in_scope
            .flat_map(|service| &service.container.mounts)
            .filter(|mount| mount.kind == MountKind::Volume)
            .filter_map(|mount| mount.source.as_ref())
            .collect();
        let whole_stack = self.options.services.is_empty();
        for (key, volume) in &self.declared.volumes {
            if whole_stack || mounted.contains(&volume.name) {
                self.volume(key, volume);
            }
        }
    }

    fn volume(&mut self, key: &str, volume: &Volume) {
        let name = &volume.name;
        match self.world.volume_named(name) {
            Some(found) => self.tell_about_volume(volume, found),
            None if volume.external => {
                let message = format!("the external volume `{name}` does not exist");
                let hint = format!("`docker volume create {name}`");
                self.draft.tell(Level::Refusal, "missing-volume", message, Some(&hint));
            }
            None => {
                let action = Action::CreateVolume { key: key.into(), name: name.clone() };
                let step = self.draft.add(action, Impact::Live, "it does not exist", []);
                self.volumes_made.insert(name.clone(), step);
            }
        }
    }

    fn tell_about_volume(&mut self, volume: &Volume, found: &ObservedVolume) {
        let name = &volume.name;
        if volume.external {
            return;
        }
        if found.stack.as_ref() != Some(&self.declared.stack) {
            let message = format!("the volume `{name}` was not made for this stack; it is used as it is");
            let hint = "`external: true` says so in the file";
            self.draft.tell(Level::Warning, "foreign-volume", message, Some(hint));
        } else if found.maker == Maker::Mainstay && found.digest.as_ref().is_some_and(|was| *was != digest(volume)) {
            // Making it anew would empty it, so there is no step for this, with whatever option.
            let message = format!("the volume `{name}` was made from another declaration; it is used as it is");
            let hint = "back it up, remove it by name with `mainstay down --volume`, and restore into the new one";
            self.draft.tell(Level::Warning, "volume-differs", message, Some(hint));
        }
    }
}
