//! What the containers of a stack were made with: the one place where values that nobody kept are still to be found.

use mainstay_model::compose::dialect::Worn;
use mainstay_model::declared::Hidden;
use mainstay_model::identity::StackName;

use super::Docker;
use super::labels::Seen;
use super::refusal::{Refusal, is_missing};
use crate::world::WorldError;

impl Docker {
    /// The environment and the command of every container of a stack, running or not.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn worn(&self, stack: &StackName) -> Result<Vec<Worn>, WorldError> {
        let mut found = Vec::new();
        for listed in self.list_containers(Some(stack)).await? {
            let Some(id) = listed.id else { continue };
            let inspected = match self.inspect(&id).await {
                Ok(inspected) => inspected,
                Err(error) if is_missing(&error) => continue,
                Err(error) => {
                    return Err(Refusal::new(format!("container `{id}` could not be looked at")).explain(error));
                }
            };
            let config = inspected.config.unwrap_or_default();
            let labels = config.labels.unwrap_or_default();
            let seen = Seen(&labels);
            let Some(service) = seen.service().filter(|_| !seen.one_off()) else { continue };
            let pairs = config.env.unwrap_or_default();
            let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
            found.push(Worn {
                service,
                container: inspected.name.unwrap_or_default().trim_start_matches('/').to_owned(),
                environment: pairs.map(|(name, value)| (name.to_owned(), Hidden::new(value))).collect(),
                command: config.cmd.unwrap_or_default().into_iter().map(Hidden::new).collect(),
            });
        }
        Ok(found)
    }
}
