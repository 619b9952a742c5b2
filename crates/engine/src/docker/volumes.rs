//! Named volumes: made as declared, and removed only by name.

use std::collections::HashMap;

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{ListContainersOptions, RemoveVolumeOptions};
use mainstay_model::declared::Volume;
use mainstay_model::identity::StackName;
use mainstay_model::identity::labels::{DIGEST, PROJECT};

use super::refusal::{Refusal, is_missing, status};
use super::{ANSWER_WITHIN, CHANGE_WITHIN, Docker, labels, timed};
use crate::world::{Acted, WorldError};

impl Docker {
    /// Makes a declared volume. The engine answers with an older volume of the same name as if it had made it, so
    /// its labels tell whose it is.
    pub(super) async fn create_volume(
        &self,
        stack: &StackName,
        key: &str,
        volume: &Volume,
    ) -> Result<Acted, WorldError> {
        let labels = labels::of_volume(stack, key, volume);
        let request = VolumeCreateRequest {
            name: Some(volume.name.clone()),
            driver: Some(volume.driver.clone().unwrap_or_else(|| "local".into())),
            driver_opts: Some(volume.driver_opts.clone().into_iter().collect()),
            labels: Some(labels.clone()),
            ..Default::default()
        };
        let doing = || format!("volume `{}` could not be made", volume.name);
        let made = timed(CHANGE_WITHIN, self.client.create_volume(request)).await;
        let made = made.map_err(|error| Refusal::new(doing()).explain(error))?;
        if [PROJECT, DIGEST].iter().all(|label| made.labels.get(*label) == labels.get(*label)) {
            return Ok(Acted::default());
        }
        Err(WorldError::new(format!("{}: one of this name is there that was made otherwise", doing()))
            .hint("declare it `external: true` to use it as it is, or name yours differently"))
    }

    /// Removes a volume; one that is gone is removed.
    pub(super) async fn remove_volume(&self, name: &str) -> Result<Acted, WorldError> {
        let error = match timed(CHANGE_WITHIN, self.client.remove_volume(name, None::<RemoveVolumeOptions>)).await {
            Ok(()) => return Ok(Acted::default()),
            Err(error) if is_missing(&error) => {
                return Ok(Acted { detail: Some("was gone".into()), ..Acted::default() });
            }
            Err(error) => error,
        };
        let busy = status(&error) == Some(409);
        let mut told = Refusal::new(format!("volume `{name}` could not be removed")).explain(error);
        if busy && let Some(names) = self.users_of_volume(name).await {
            told.hints = vec![format!("still used by {names}; remove those first")];
        }
        Err(told)
    }

    async fn users_of_volume(&self, name: &str) -> Option<String> {
        let filters = Some(HashMap::from([("volume".to_owned(), vec![name.to_owned()])]));
        let options = ListContainersOptions { all: true, filters, ..Default::default() };
        let users = timed(ANSWER_WITHIN, self.client.list_containers(Some(options))).await.ok()?;
        let names = users.into_iter().filter_map(|user| user.names?.into_iter().next());
        let mut names: Vec<String> = names.map(|name| format!("`{}`", name.trim_start_matches('/'))).collect();
        names.sort();
        (!names.is_empty()).then(|| names.join(", "))
    }
}
