//! Whether a release can be gone back to, and why not.

use std::collections::BTreeMap;

use mainstay_engine::World as _;
use mainstay_engine::journal::{KEPT, Release, ReleaseState};
use mainstay_engine::secrets::Secrets;
use mainstay_model::observed::Scope;

use crate::boot::Boot;

/// What has to be known for it.
pub struct WayBack {
    secrets: Secrets,
    /// What the engine has, of the images that were asked for: reference or id to id. `None` when it does not answer.
    images: Option<BTreeMap<String, String>>,
}

impl WayBack {
    /// Asks the engine once for all images of these releases.
    pub async fn of(boot: &Boot, releases: &[&Release]) -> WayBack {
        let secrets = boot.secrets();
        let Some(first) = releases.first() else { return WayBack { secrets, images: None } };
        let mut scope = Scope::of_stack(first.stack.clone());
        let committed = releases.iter().filter(|release| release.state == ReleaseState::Committed);
        scope.images =
            committed.flat_map(|release| release.image_ids.values().chain(release.images.values())).cloned().collect();
        let images = match boot.docker().await {
            Ok(docker) => docker.look(&scope).await.ok().map(|observed| observed.images),
            Err(_) => None,
        };
        WayBack { secrets, images }
    }

    /// `None` when it can be gone back to, as far as can be seen.
    pub fn stands_in_the_way(&self, release: &Release, serves: bool) -> Option<String> {
        match release.state {
            ReleaseState::Committed if serves => return Some("it serves".to_owned()),
            ReleaseState::Committed => {}
            ReleaseState::Undone => return Some("it was taken back".to_owned()),
            ReleaseState::Failed => return Some("it failed".to_owned()),
            ReleaseState::Begun => return Some("it is under way, or was cut off".to_owned()),
        }
        if !self.secrets.is_kept(&release.stack, &release.operation) {
            return Some(format!("what it declared is not kept (the newest {KEPT} are)"));
        }
        self.missing_image(release)
    }

    fn missing_image(&self, release: &Release) -> Option<String> {
        let images = self.images.as_ref()?;
        let (service, id) = release.image_ids.iter().find(|(_, id)| !images.contains_key(*id))?;
        Some(format!("the image of `{service}` is not there any more ({})", short(id)))
    }

    /// Whether the reference is still the image with this id.
    pub fn is_still(&self, reference: &str, id: &str) -> bool {
        self.images.as_ref().and_then(|images| images.get(reference)).is_some_and(|there| there == id)
    }
}

/// An id as people read it.
pub fn short(id: &str) -> &str {
    let hex = id.strip_prefix("sha256:").unwrap_or(id);
    hex.get(..12).unwrap_or(hex)
}
