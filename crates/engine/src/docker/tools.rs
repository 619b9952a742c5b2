//! Containers that hold tools for a moment, and nothing of a stack: they are told by a label of their own, end by
//! themselves, and are gone with their end.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptions, ListContainersOptions, RemoveContainerOptions, StartContainerOptions,
};
use mainstay_model::identity::labels;
use mainstay_model::postgres::backup::Image;

use super::owner::Owner;
use super::refusal::{Refusal, is_missing};
use super::throwaway::is_left_over;
use super::{ANSWER_WITHIN, CHANGE_WITHIN, Docker, timed};
use crate::world::{Progress, WorldError};

/// What the process of such a container does until it is removed: nothing, and not for ever.
const LIFETIME_SECONDS: &str = "86400";

impl Docker {
    /// The image that a container was made from.
    ///
    /// # Errors
    /// When the container is not there.
    pub(crate) async fn image_of(&self, container: &str) -> Result<Image, WorldError> {
        let refusal = |error| Refusal::new(format!("the image of `{container}` could not be looked at")).explain(error);
        let seen = self.inspect(container).await.map_err(refusal)?;
        let id = seen.image.unwrap_or_default();
        let reference = seen.config.and_then(|config| config.image).unwrap_or_else(|| id.clone());
        // An image may be gone while its container runs.
        let image = timed(ANSWER_WITHIN, self.client.inspect_image(&id)).await.ok();
        let repo_digest = image.and_then(|image| image.repo_digests).and_then(|digests| digests.into_iter().next());
        Ok(Image { reference, id, repo_digest })
    }

    /// Starts a container of an image that waits for programs to be run in it, on the host's own network, and pulls the
    /// image when it is not there. To be taken away with [`Docker::drop_tools`].
    pub(crate) async fn lend_tools(
        &self,
        image: &str,
        binds: Vec<String>,
        purpose: &str,
        progress: &Progress,
    ) -> Result<String, WorldError> {
        let refusal = |error| Refusal::new(format!("a container of `{image}` could not be started")).explain(error);
        if self.image_id(image).await.map_err(refusal)?.is_none() {
            self.pull(image, None, progress).await?;
        }
        let mut marks = HashMap::from([(labels::TOOLS.to_owned(), purpose.to_owned())]);
        marks.extend(Owner::here().map(|owner| (labels::OWNER.to_owned(), owner.label())));
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(vec!["sleep".into(), LIFETIME_SECONDS.into()]),
            cmd: Some(Vec::new()),
            labels: Some(marks),
            host_config: Some(HostConfig {
                network_mode: Some("host".into()),
                auto_remove: Some(true),
                init: Some(true),
                binds: Some(binds),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let made = self.client.create_container(None::<CreateContainerOptions>, body);
        let id = timed(CHANGE_WITHIN, made).await.map_err(refusal)?.id;
        let started = self.client.start_container(&id, None::<StartContainerOptions>);
        if let Err(error) = timed(CHANGE_WITHIN, started).await {
            let _ = self.drop_tools(&id).await;
            return Err(refusal(error));
        }
        Ok(id)
    }

    /// Takes such a container away, whatever runs in it.
    pub(crate) async fn drop_tools(&self, id: &str) -> Result<(), WorldError> {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        match timed(CHANGE_WITHIN, self.client.remove_container(id, Some(options))).await {
            Ok(()) => Ok(()),
            // It has ended by itself, or is about to be gone.
            Err(error) if is_missing(&error) || error.to_string().contains("is already in progress") => Ok(()),
            Err(error) => Err(Refusal::new(format!("`{id}` could not be removed")).explain(error)),
        }
    }

    /// Takes away what a process that is gone has left for the same purpose. One that lives goes on with its own: a restore
    /// makes a backup in its middle.
    pub(crate) async fn sweep_tools(&self, purpose: &str) -> Result<(), WorldError> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{}={purpose}", labels::TOOLS)])]);
        let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        let listed = timed(ANSWER_WITHIN, self.client.list_containers(Some(options))).await;
        let listed = listed.map_err(|error| Refusal::new("containers could not be listed").explain(error))?;
        let now = jiff::Timestamp::now().as_second();
        for container in listed.into_iter().filter(|container| is_left_over(container, now)) {
            self.drop_tools(&container.id.unwrap_or_default()).await?;
        }
        Ok(())
    }
}
