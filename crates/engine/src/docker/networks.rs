//! Networks: made as declared, and removed.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, NetworkCreateResponse};
use mainstay_model::declared::Network;
use mainstay_model::declared::network::IpamPool;
use mainstay_model::identity::StackName;
use mainstay_model::identity::labels::{DIGEST, PROJECT};

use super::acts::Act;
use super::refusal::{Refusal, is_missing, message, status};
use super::{ANSWER_WITHIN, CHANGE_WITHIN, Docker, labels, timed};
use crate::world::{Acted, WorldError};

/// How soon a name is asked for again that is taken by nobody who can be seen.
const UNSEEN_AGAIN: Duration = Duration::from_millis(50);

impl Docker {
    /// Makes a declared network; one that an earlier run made from the same declaration is kept.
    pub(super) async fn create_network(
        &self,
        stack: &StackName,
        key: &str,
        network: &Network,
    ) -> Result<Acted, WorldError> {
        let labels = labels::of_network(stack, key, network);
        let mut body = serde_json::to_value(self.network_request(network, labels.clone())).unwrap_or_default();
        // Without this, engines before 25 make a second network of the same name; bollard does not know the field.
        if let (false, Some(body)) = (self.speaks(44), body.as_object_mut()) {
            body.insert("CheckDuplicate".into(), true.into());
        }
        let make = async || {
            let act = self.acts.announce(Act::CreateNetwork { name: network.name.clone() });
            let made = timed(CHANGE_WITHIN, self.wire.post::<NetworkCreateResponse>("/networks/create", &body)).await;
            match &made {
                Ok(made) => act.made(&made.id),
                refused => act.answered(refused),
            }
            made
        };
        let refusal = Refusal::new(format!("network `{}` could not be made", network.name));
        let until = tokio::time::Instant::now() + CHANGE_WITHIN;
        let (error, there) = loop {
            let error = match make().await {
                Ok(_) => return Ok(Acted::default()),
                Err(error) if status(&error) != Some(409) => return Err(refusal.explain(error)),
                Err(error) => error,
            };
            match timed(ANSWER_WITHIN, self.client.inspect_network(&network.name, None)).await {
                // There a moment ago and gone now: it was being removed.
                Err(unseen) if is_missing(&unseen) && tokio::time::Instant::now() < until => {
                    tokio::time::sleep(UNSEEN_AGAIN).await;
                }
                there => break (error, there),
            }
        };
        let theirs = there.ok().and_then(|there| there.labels).unwrap_or_default();
        if [PROJECT, DIGEST].iter().all(|label| theirs.get(*label) == labels.get(*label)) {
            return Ok(Acted { detail: Some("was there".into()), ..Acted::default() });
        }
        let hint = "a network of this name is there that was made otherwise: declare it `external: true`, or name yours differently";
        Err(refusal.explain(error).hint(hint))
    }

    fn network_request(&self, network: &Network, labels: HashMap<String, String>) -> NetworkCreateRequest {
        NetworkCreateRequest {
            name: network.name.clone(),
            driver: Some(network.driver.clone().unwrap_or_else(|| "bridge".into())),
            internal: Some(network.internal),
            attachable: Some(network.attachable),
            ipam: ipam_of(network),
            enable_ipv4: network.enable_ipv4.filter(|_| self.speaks(47)),
            enable_ipv6: network.enable_ipv6,
            options: Some(network.driver_opts.clone().into_iter().collect()),
            labels: Some(labels),
            ..Default::default()
        }
    }

    /// Removes a network by its id; one that is gone is removed.
    pub(super) async fn remove_network(&self, id: &str, name: &str) -> Result<Acted, WorldError> {
        let act = self.acts.announce(Act::RemoveNetwork { id: id.to_owned() });
        let removed = timed(CHANGE_WITHIN, self.client.remove_network(id)).await;
        act.answered(&removed);
        let error = match removed {
            Ok(()) => return Ok(Acted::default()),
            Err(error) if is_missing(&error) => {
                return Ok(Acted { detail: Some("was gone".into()), ..Acted::default() });
            }
            Err(error) => error,
        };
        let busy = message(&error).contains("active endpoints");
        let mut told = Refusal::new(format!("network `{name}` could not be removed")).explain(error);
        if busy && let Some(names) = self.names_on_network(id).await {
            told.hints = vec![still_on(&names)];
        }
        Err(told)
    }

    /// `None` when the engine does not say.
    async fn names_on_network(&self, id: &str) -> Option<Vec<String>> {
        let network = timed(ANSWER_WITHIN, self.client.inspect_network(id, None)).await.ok()?;
        let members = network.containers.unwrap_or_default().into_values().filter_map(|member| member.name);
        let mut names: Vec<String> = members.map(|name| format!("`{name}`")).collect();
        names.sort();
        Some(names)
    }
}

/// What to do about those that keep a network. Old engines count wrong now and then, when containers come and go on a
/// network at the same moment (their log: "Fixing inconsistent endpoint_cnt").
fn still_on(names: &[String]) -> String {
    if names.is_empty() {
        return "no container is on it: the engine has miscounted, and counts anew at its own next start; until then the \
                empty network does no harm"
            .to_owned();
    }
    format!("still on it: {}; stop or detach them first", names.join(", "))
}

fn ipam_of(network: &Network) -> Option<Ipam> {
    if network.ipam_driver.is_none() && network.ipam.is_empty() && network.ipam_options.is_empty() {
        return None;
    }
    let pool = |pool: &IpamPool| IpamConfig {
        subnet: pool.subnet.clone(),
        ip_range: pool.ip_range.clone(),
        gateway: pool.gateway.clone(),
        auxiliary_addresses: some_map(&pool.aux_addresses),
    };
    Some(Ipam {
        driver: network.ipam_driver.clone(),
        config: Some(network.ipam.iter().map(pool).collect()),
        options: some_map(&network.ipam_options),
    })
}

fn some_map(map: &std::collections::BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!map.is_empty()).then(|| map.clone().into_iter().collect())
}
