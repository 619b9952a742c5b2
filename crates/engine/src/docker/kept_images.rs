//! Names of ours for the images of releases, so that `docker image prune` leaves them.

use std::collections::{BTreeMap, HashMap};

use bollard::errors::Error;
use bollard::query_parameters::{ListImagesOptions, RemoveImageOptions, TagImageOptions};

use super::refusal::{Refusal, is_missing};
use super::registry::name_and_tag;
use super::{ANSWER_WITHIN, CHANGE_WITHIN, Docker, timed};
use crate::world::{KeptImages, WorldError};

impl Docker {
    pub(crate) async fn name_kept_images(&self, kept: &KeptImages) -> Result<(), WorldError> {
        let refusal = |error| Refusal::new("the images of the release could not be kept").explain(error);
        let there = self.named(kept).await.map_err(refusal)?;
        for (name, id) in &kept.keep {
            if there.get(name) != Some(id) {
                self.tag(id, name).await.map_err(refusal)?;
            }
        }
        for (name, id) in &kept.let_go {
            // What carries the name now and is another image is somebody else's doing.
            if there.get(name) == Some(id) {
                self.let_go(name, kept.keep.values().find(|other| *other != id)).await.map_err(refusal)?;
            }
        }
        Ok(())
    }

    /// What the names in question stand for now.
    async fn named(&self, kept: &KeptImages) -> Result<BTreeMap<String, String>, Error> {
        let names = kept.keep.keys().chain(kept.let_go.keys());
        let repositories = names.map(|name| name_and_tag(name).0.to_owned()).collect();
        let filters = Some(HashMap::from([("reference".to_owned(), repositories)]));
        let listing = self.client.list_images(Some(ListImagesOptions { filters, ..Default::default() }));
        let images = timed(ANSWER_WITHIN, listing).await?;
        let named =
            images.into_iter().flat_map(|image| image.repo_tags.into_iter().map(move |tag| (tag, image.id.clone())));
        Ok(named.collect())
    }

    async fn tag(&self, image: &str, name: &str) -> Result<(), Error> {
        let (repository, tag) = name_and_tag(name);
        let options = TagImageOptions { repo: Some(repository.to_owned()), tag: Some(tag.to_owned()) };
        match timed(CHANGE_WITHIN, self.client.tag_image(image, Some(options))).await {
            // It is gone, so there is nothing to keep.
            Err(error) if is_missing(&error) => Ok(()),
            done => done,
        }
    }

    /// Takes a name away without taking the image away: engines delete an image with its last name, and this one may
    /// have none but ours. So the name goes to another image that is kept by one more first.
    async fn let_go(&self, name: &str, other: Option<&String>) -> Result<(), Error> {
        let Some(other) = other else { return Ok(()) };
        self.tag(other, name).await?;
        let options = RemoveImageOptions { noprune: true, ..Default::default() };
        match timed(CHANGE_WITHIN, self.client.remove_image(name, Some(options), None)).await {
            Err(error) if !is_missing(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// The bytes of those of these images that are there.
    pub(crate) async fn image_sizes(
        &self,
        ids: impl Iterator<Item = String>,
    ) -> Result<BTreeMap<String, u64>, WorldError> {
        let mut sizes = BTreeMap::new();
        for id in ids {
            match timed(ANSWER_WITHIN, self.client.inspect_image(&id)).await {
                Ok(image) => {
                    let bytes = image.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
                    sizes.insert(id, bytes);
                }
                Err(error) if is_missing(&error) => {}
                Err(error) => {
                    return Err(Refusal::new(format!("the image `{id}` could not be looked at")).explain(error));
                }
            }
        }
        Ok(sizes)
    }
}
