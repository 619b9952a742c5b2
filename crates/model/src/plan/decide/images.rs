//! Where the images of containers come from.
//!
//! An image is fetched when a container is to be made from it, or when somebody said so (`pull_policy: always`,
//! `--pull`, `--build`). The id of an image that this plan fetches is not known while deciding, so:
//!
//! - after a *build* that was asked for, the containers are replaced ("built anew");
//! - after a *pull* of an image that is there, the containers stay and a note says that the next `up` replaces those
//!   whose image changed. Replacing on suspicion would restart what works, every time;
//! - whoever walks plans can do better without a surprise: apply the pulls, look again, and decide a second plan with
//!   [`UpOptions::images_are_fresh`]. It fetches nothing that is there and compares ids.
//!
//! [`UpOptions::images_are_fresh`]: crate::plan::UpOptions::images_are_fresh

use std::collections::{BTreeMap, BTreeSet};

use super::up::Up;
use crate::declared::{PullPolicy, Service};
use crate::plan::{Action, Impact, Level, StepId};

#[derive(Default)]
pub(super) struct Images {
    /// The step that fetches an image, by its reference.
    fetched: BTreeMap<String, StepId>,
    /// References that are built because it was asked for: their containers are replaced.
    pub built_anew: BTreeSet<String>,
}

impl Images {
    /// Whether this plan pulls or builds the image, so that nothing is known of it yet.
    pub fn is_fetched(&self, image: &str) -> bool {
        self.fetched.contains_key(image)
    }
}

impl<'a> Up<'a> {
    /// The fetching that was asked for, whether a container has to be made or not.
    pub fn images_of(&mut self, service: &'a Service) {
        if Up::replicas(service) == 0 || self.options.images_are_fresh || !self.is_meant(&service.name) {
            return;
        }
        let asked_to_build = self.options.build || service.pull_policy == PullPolicy::Build;
        let asked_to_pull = match service.build {
            // An image that is built here is pulled only when the file itself says so: `--pull` means the others.
            Some(_) => service.pull_policy == PullPolicy::Always,
            None if self.builder_of(&service.image).is_some() => service.pull_policy == PullPolicy::Always,
            None => self.options.pull || service.pull_policy == PullPolicy::Always,
        };
        if service.build.is_some() && asked_to_build {
            let why = if self.options.build { "`--build` was given" } else { "`pull_policy` is `build`" };
            self.images.built_anew.insert(service.image.clone());
            self.fetch(service, true, why);
        } else if asked_to_pull && service.pull_policy != PullPolicy::Never {
            let why = if service.pull_policy == PullPolicy::Always {
                "`pull_policy` is `always`"
            } else {
                "`--pull` was given"
            };
            self.fetch(service, false, why);
            if !self.world.of_service(&service.name).is_empty() {
                let message =
                    format!("`{}` may be newer after the pull; `{}` stays as it is", service.image, service.name);
                let hint = "the next `up` replaces the containers whose image changed";
                self.draft.tell(Level::Note, "pulled-image", message, Some(hint));
            }
        }
    }

    /// The step after which a container of the service can be made; `None` when the image is there already.
    pub fn image_for_new_container(&mut self, service: &'a Service) -> Option<StepId> {
        if let Some(step) = self.images.fetched.get(&service.image) {
            return Some(*step);
        }
        if self.world.images.contains_key(&service.image) {
            return None;
        }
        // A service may run the image that another one of the stack builds.
        let builder = match service.build {
            Some(_) => Some(service),
            None => self.builder_of(&service.image),
        };
        if let Some(builder) = builder.filter(|builder| builder.pull_policy != PullPolicy::Always) {
            return Some(self.fetch(builder, true, "there is no such image yet"));
        }
        if service.pull_policy == PullPolicy::Never {
            let message =
                format!("the image `{}` of `{}` is not there and may not be pulled", service.image, service.name);
            let hint = format!("`docker pull {}`, or take `pull_policy: never` away", service.image);
            self.draft.tell(Level::Refusal, "missing-image", message, Some(&hint));
            return None;
        }
        Some(self.fetch(service, false, "the image is not there"))
    }

    fn builder_of(&self, image: &str) -> Option<&'a Service> {
        let declared = self.declared;
        declared.services.values().find(|service| service.build.is_some() && service.image == image)
    }

    /// One step for each image, whoever asks.
    fn fetch(&mut self, service: &Service, build: bool, why: &str) -> StepId {
        if let Some(step) = self.images.fetched.get(&service.image) {
            return *step;
        }
        let image = service.image.clone();
        let action = match build {
            true => Action::BuildImage { service: service.name.clone(), image },
            false => Action::PullImage { image, platform: service.platform.clone() },
        };
        let step = self.draft.add(action, Impact::Live, why, []);
        self.images.fetched.insert(service.image.clone(), step);
        step
    }
}
