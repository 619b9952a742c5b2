//! The cheap look for the loop: one container and the networks, in two calls side by side.

use std::collections::{BTreeSet, HashMap};

use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions};
use futures_util::stream::{BoxStream, StreamExt};
use mainstay_model::identity::StackName;
use mainstay_model::identity::labels::{ATTACHMENTS, KEEPER, PROJECT};

use super::inspected::container_of;
use super::look::network_of;
use super::refusal::{Refusal, is_missing};
use super::{ANSWER_WITHIN, Docker, EngineEvent, timed};
use crate::reconcile::{Glance, Watched};
use crate::world::WorldError;

impl Watched for Docker {
    fn watch(&self, since_nanos: Option<i64>) -> BoxStream<'static, Result<EngineEvent, WorldError>> {
        self.events(since_nanos).boxed()
    }

    fn did(&self, event: &EngineEvent) -> bool {
        self.acts.did(event)
    }

    async fn given_back(&self) -> Vec<EngineEvent> {
        self.acts.given_back().await
    }

    async fn glance(&self, container: &str) -> Result<Option<Glance>, WorldError> {
        let networks = timed(ANSWER_WITHIN, self.client.list_networks(None::<ListNetworksOptions>));
        let (inspected, networks) = tokio::join!(self.inspect(container), networks);
        let short = &container[..container.len().min(12)];
        let inspected = match inspected {
            Ok(inspected) => inspected,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => {
                return Err(Refusal::new(format!("container `{short}` could not be looked at")).explain(error));
            }
        };
        let networks = networks.map_err(|error| Refusal::new("networks could not be listed").explain(error))?;
        let (container, _) = container_of(inspected);
        Ok(Some(Glance { container, networks: networks.into_iter().map(network_of).collect() }))
    }

    async fn labelled(&self, keeper: &str) -> Result<BTreeSet<StackName>, WorldError> {
        let filters =
            Some(HashMap::from([("label".to_owned(), vec![ATTACHMENTS.to_owned(), format!("{KEEPER}={keeper}")])]));
        let options = ListContainersOptions { all: true, filters, ..Default::default() };
        let listed = timed(ANSWER_WITHIN, self.client.list_containers(Some(options))).await;
        let listed = listed.map_err(|error| Refusal::new("containers could not be listed").explain(error))?;
        let labels = listed.into_iter().filter_map(|container| container.labels);
        let names = labels.filter_map(|labels| labels.get(PROJECT).and_then(|name| StackName::new(name.clone()).ok()));
        Ok(names.collect())
    }
}
