//! What is kept of a release so that it can be gone back to, and for how long.

use mainstay_model::declared::Declared;
use mainstay_model::identity::{OperationId, ServiceName, StackName, kept_image};
use mainstay_model::plan::{Order, Plan, UpOptions};

use super::{Keeper, KeeperError, known};
use crate::journal::{Release, ReleaseState};
use crate::secrets::Secrets;
use crate::world::{KeptImages, World};

/// Of so many committed releases, the one that serves among them, the images are kept by a name.
const IMAGES_KEPT: usize = 3;
/// So far back is looked for names to let go of.
const LOOKED_AT: u32 = 100;

impl<W: World + Clone> Keeper<W> {
    /// Whether an order changes which images are promoted in the place of those of the files: that alone is worth a
    /// release, for it is what later orders go by.
    pub(super) fn promotes(&self, order: &Order) -> Result<bool, KeeperError> {
        let Order::Up { declared, options } = order else { return Ok(false) };
        let serving = self.journal.release_that_serves(&declared.stack);
        let serving = serving.map_err(|source| KeeperError::Journal { doing: "read", source })?;
        Ok(serving.map(|release| release.promoted).unwrap_or_default() != options.promoted)
    }

    /// Seals what the release declares, before its first step.
    pub(super) fn seal(&self, order: &Order, plan: &Plan, operation: &OperationId) -> Result<(), KeeperError> {
        let (Some(secrets), Order::Up { declared, options }) = (&self.secrets, order) else { return Ok(()) };
        let whole = self.whole(secrets, declared, options, plan)?;
        let lasting = UpOptions {
            env: options.env.clone(),
            profiles: options.profiles.clone(),
            no_edge: options.no_edge,
            ready_within_secs: options.ready_within_secs,
            promoted: options.promoted.clone(),
            ..UpOptions::default()
        };
        Ok(secrets.seal_release(operation, whole.without_sql(), lasting)?)
    }

    /// What is in effect once an order is done: where it is about some services, the others stay as the release before
    /// declared them.
    fn whole(
        &self,
        secrets: &Secrets,
        declared: &Declared,
        options: &UpOptions,
        plan: &Plan,
    ) -> Result<Declared, KeeperError> {
        let mut whole = declared.clone();
        if options.services.is_empty() {
            return Ok(whole);
        }
        let serving = self.journal.release_that_serves(&declared.stack);
        let serving = serving.map_err(|source| KeeperError::Journal { doing: "read", source })?;
        let Some(serving) = serving else { return Ok(whole) };
        let Some(before) = secrets.released(&declared.stack, &serving.operation)? else { return Ok(whole) };
        let touched = known::touched(options, plan);
        let before = before.declared;
        whole.services.retain(|name, _| touched.contains(name));
        whole.services.extend(before.services.into_iter().filter(|(name, _)| !touched.contains(name)));
        before.networks.into_iter().for_each(|(key, network)| {
            whole.networks.entry(key).or_insert(network);
        });
        before.volumes.into_iter().for_each(|(key, volume)| {
            whole.volumes.entry(key).or_insert(volume);
        });
        Ok(whole)
    }

    /// Keeps what leads back to the newest releases, and lets go of what led back to older ones. What cannot be done now
    /// is tried after the next release, and no reason for a failure.
    pub(super) async fn keep_ways_back(&self, stack: &StackName) {
        if let (Some(secrets), Ok(kept)) = (&self.secrets, self.journal.releases_to_keep(stack)) {
            let _ = secrets.keep_releases(stack, &kept);
        }
        if let Ok(releases) = self.journal.releases(Some(stack), LOOKED_AT) {
            let _ = self.docker.keep_images(&kept_images(&releases)).await;
        }
    }
}

/// The names for the images of these releases, the newest of which comes first.
fn kept_images(releases: &[Release]) -> KeptImages {
    let mut kept = KeptImages::default();
    let committed = releases.iter().filter(|release| release.state == ReleaseState::Committed);
    for (index, release) in committed.enumerate() {
        let names = if index < IMAGES_KEPT { &mut kept.keep } else { &mut kept.let_go };
        for (service, id) in &release.image_ids {
            let Ok(service) = ServiceName::new(service.as_str()) else { continue };
            names.insert(kept_image(&release.stack, &service, release.number), id.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Bench, declared, stack};
    use super::*;
    use crate::journal::KEPT;

    fn order(word: &str, services: &[&str]) -> Order {
        let mut declared = declared(&["db", "web"]);
        declared.services.values_mut().for_each(|service| service.container.hostname = Some(word.to_owned()));
        let services = services.iter().map(|name| ServiceName::new(*name).unwrap()).collect();
        let options = UpOptions { services, no_deps: true, ..UpOptions::default() };
        Order::Up { declared: Box::new(declared), options }
    }

    #[tokio::test]
    async fn a_release_of_a_part_keeps_the_whole_that_is_in_effect() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::of(folder.path(), None);
        let mut bench = Bench::new().await;
        bench.keeper = bench.keeper.clone().with_secrets(secrets.clone());
        bench.apply(order("first", &[])).await.unwrap();
        bench.apply(order("second", &["web"])).await.unwrap();
        let serving = bench.keeper.journal.release_that_serves(&stack()).unwrap().unwrap();
        let released = secrets.released(&stack(), &serving.operation).unwrap().unwrap();
        let hosts = released.declared.services.values().map(|service| service.container.hostname.clone().unwrap());
        assert_eq!(hosts.collect::<Vec<_>>(), ["first", "second"], "db as before, web anew");
        assert!(released.options.services.is_empty());
    }

    #[tokio::test]
    async fn only_the_newest_releases_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::of(folder.path(), None);
        let mut bench = Bench::new().await;
        bench.keeper = bench.keeper.clone().with_secrets(secrets.clone());
        for number in 0..KEPT + 2 {
            bench.apply(order(&format!("number-{number}"), &[])).await.unwrap();
        }
        let all = bench.keeper.journal.releases(Some(&stack()), 100).unwrap();
        let kept = all.iter().map(|release| secrets.is_kept(&stack(), &release.operation));
        let expected = (0..KEPT + 2).map(|number| number < KEPT);
        assert_eq!(kept.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}
