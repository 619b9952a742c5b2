//! Joining and leaving networks, and what engines do with endpoints whose network is gone.
//!
//! Seen on 20.10: an entry of a network that was deleted stays on the container under the network's *name* with the
//! old id. A stopped container refuses to start with it; `disconnect` by name with force takes it off, by the old id
//! it does not. On a container that runs or waits for its restart, `disconnect` says "not connected" and the entry
//! stays; but `connect` writes over it. So a dead entry that cannot be taken off is left to the join that follows.
//! When the dead network's interface is still in a running container (the engine lost its records and went on, as with
//! live-restore), the first `connect` collides with that interface's name, and leaves an entry that looks whole; the
//! next `connect` counts on and holds. So a collision is never taken for an end.
//! Into a container that does not run, `connect` writes whatever network it is given, there or not: only the start
//! would tell. So the network is looked at.

use bollard::errors::Error;
use bollard::models::{EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest};
use mainstay_model::declared::Attachment;
use mainstay_model::observed::Endpoint;

use super::acts::Act;
use super::body::endpoint_of;
use super::inspected;
use super::refusal::{Refusal, is_missing, message};
use super::{ANSWER_WITHIN, CHANGE_WITHIN, Docker, timed};
use crate::world::{Acted, WorldError};

/// How many interfaces of lost networks may stand in the way.
const COLLISIONS: u32 = 8;

impl Docker {
    /// Joins a network and sees that the container is on it with the declared aliases.
    pub(super) async fn attach(&self, id: &str, name: &str, attachment: &Attachment) -> Result<Acted, WorldError> {
        let refusal = || Refusal::new(format!("`{name}` could not join the network `{}`", attachment.network));
        let joined = self.connect_to(id, attachment).await;
        let was_there = match &joined {
            Ok(()) => false,
            Err(error) if message(error).contains("already exists in network") => true,
            Err(error) => {
                if collides(error) {
                    // What is left looks like an attachment and is none.
                    let _ = self.disconnect_from(&attachment.network, id).await;
                }
                return joined.map(|()| Acted::default()).map_err(|error| refusal().explain(error));
            }
        };
        let (endpoint, running) =
            self.seen_endpoint(id, &attachment.network).await.map_err(|error| refusal().explain(error))?;
        let Some(endpoint) = endpoint else {
            let message =
                format!("`{name}` is not on the network `{}`, although the engine took the order", attachment.network);
            // Somebody took it off at the same moment.
            return Err(WorldError { transient: true, ..WorldError::new(message).contradicting() });
        };
        if !is_as_declared(&endpoint, attachment) {
            let message =
                format!("`{name}` is on the network `{}` already, otherwise than declared", attachment.network);
            let hint = format!("detach it first: `docker network disconnect {} {name}`", attachment.network);
            return Err(WorldError::new(message).contradicting().hint(hint));
        }
        if !running && let Err(error) = self.network_is_there(&attachment.network).await {
            if !was_there {
                // The entry that was just written leads nowhere, and would keep the container from starting.
                let _ = self.disconnect_from(&attachment.network, id).await;
            }
            return Err(refusal().explain(error));
        }
        if running && endpoint.ipv4_address.is_none() && endpoint.ipv6_address.is_none() && !was_there {
            let message = format!("`{name}` got no address on the network `{}`", attachment.network);
            return Err(WorldError::new(message));
        }
        let detail = if was_there { Some("was there".into()) } else { endpoint.ipv4_address.or(endpoint.ipv6_address) };
        Ok(Acted { detail, ..Acted::default() })
    }

    /// Joins a further network between create and start; the start itself tells whether it holds.
    pub(super) async fn connect_before_start(
        &self,
        id: &str,
        name: &str,
        attachment: &Attachment,
    ) -> Result<(), WorldError> {
        match self.connect_to(id, attachment).await {
            Err(error) if !message(&error).contains("already exists in network") => {
                let doing = format!("`{name}` could not join the network `{}`", attachment.network);
                Err(Refusal::new(doing).explain(error))
            }
            _ => Ok(()),
        }
    }

    async fn connect_to(&self, id: &str, attachment: &Attachment) -> Result<(), Error> {
        let endpoint_config = Some(endpoint_of(attachment, self.api));
        let request = NetworkConnectRequest { container: id.to_owned(), endpoint_config };
        let mut collisions = 0;
        loop {
            let act = Act::Connect { id: id.to_owned(), network: attachment.network.clone() };
            let act = self.acts.announce(act);
            let connected =
                timed(CHANGE_WITHIN, self.client.connect_network(&attachment.network, request.clone())).await;
            act.answered(&connected);
            match connected {
                Err(error) if collides(&error) && collisions < COLLISIONS => collisions += 1,
                other => return other,
            }
        }
    }

    async fn network_is_there(&self, network: &str) -> Result<(), Error> {
        timed(ANSWER_WITHIN, self.client.inspect_network(network, None)).await.map(drop)
    }

    /// Leaves a network, dead or alive: the one with this id, and no other that has its name by now.
    pub(super) async fn detach(
        &self,
        id: &str,
        name: &str,
        network: &str,
        network_id: &str,
    ) -> Result<Acted, WorldError> {
        let refusal = || Refusal::new(format!("`{name}` could not leave the network `{network}`"));
        let was_off = || Acted { detail: Some("was off".into()), ..Acted::default() };
        let is_meant = |endpoint: &Endpoint| endpoint.network_id == network_id || endpoint.network_id.is_empty();
        let is_another = || {
            let message = format!("`{name}` is on another network `{network}` by now, and stays there");
            WorldError::new(message).contradicting()
        };
        match self.endpoint_if_any(id, network).await.map_err(|error| refusal().explain(error))? {
            None => return Ok(was_off()),
            Some(endpoint) if !is_meant(&endpoint) => return Err(is_another()),
            Some(_) => {}
        }
        // By the id where there is one, so that a network which gets the name in this very moment is not meant. A dead
        // entry is found by the name only.
        let by_id = if network_id.is_empty() { None } else { Some(self.disconnect_from(network_id, id).await) };
        let error = match by_id {
            Some(Ok(())) => return Ok(Acted::default()),
            Some(Err(error)) if !is_missing(&error) && !is_not_connected(&error) => {
                return Err(refusal().explain(error));
            }
            _ => match self.disconnect_from(network, id).await {
                Ok(()) => return Ok(Acted::default()),
                Err(error) => error,
            },
        };
        if !is_missing(&error) && !is_not_connected(&error) {
            return Err(refusal().explain(error));
        }
        match self.endpoint_if_any(id, network).await.map_err(|error| refusal().explain(error))? {
            None => Ok(was_off()),
            Some(left) if is_meant(&left) => {
                let detail = "a dead entry: joining the network anew replaces it";
                Ok(Acted { detail: Some(detail.into()), ..Acted::default() })
            }
            Some(_) => Err(is_another()),
        }
    }

    /// The container's entry for a network; none, too, when the container itself is gone.
    async fn endpoint_if_any(&self, id: &str, network: &str) -> Result<Option<Endpoint>, Error> {
        match self.seen_endpoint(id, network).await {
            Err(gone) if is_missing(&gone) => Ok(None),
            other => other.map(|(endpoint, _)| endpoint),
        }
    }

    async fn disconnect_from(&self, network: &str, id: &str) -> Result<(), Error> {
        let request = NetworkDisconnectRequest { container: id.to_owned(), force: Some(true) };
        let act = self.acts.announce(Act::Disconnect { id: id.to_owned(), network: network.to_owned() });
        let disconnected = timed(CHANGE_WITHIN, self.client.disconnect_network(network, request)).await;
        act.answered(&disconnected);
        disconnected
    }

    /// The container's entry for a network, and whether it runs (so that the entry must have an address).
    async fn seen_endpoint(&self, id: &str, network: &str) -> Result<(Option<Endpoint>, bool), Error> {
        let seen = timed(ANSWER_WITHIN, self.client.inspect_container(id, None)).await?;
        let running = seen.state.as_ref().is_some_and(|state| {
            state.running == Some(true) && state.restarting != Some(true) && state.paused != Some(true)
        });
        let settings = seen.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let id = seen.id.unwrap_or_default();
        let entry: Option<(String, EndpointSettings)> = settings.into_iter().find(|(name, _)| name == network);
        Ok((entry.map(|(name, settings)| inspected::endpoint_of(name, settings, &id)), running))
    }
}

/// The name that the engine wants for the new interface is taken inside the container.
fn collides(error: &Error) -> bool {
    let message = message(error);
    message.contains("failed to add interface") && message.contains("file exists")
}

fn is_not_connected(error: &Error) -> bool {
    let message = message(error);
    message.contains("is not connected to") || message.contains("not found")
}

/// Every declared alias is there, and every address that was asked for.
fn is_as_declared(endpoint: &Endpoint, attachment: &Attachment) -> bool {
    let asked = |declared: &Option<String>, seen: &Option<String>| declared.is_none() || declared == seen;
    attachment.aliases.iter().all(|alias| endpoint.aliases.contains(alias))
        && asked(&attachment.ipv4_address, &endpoint.static_ipv4)
        && asked(&attachment.ipv6_address, &endpoint.static_ipv6)
}
