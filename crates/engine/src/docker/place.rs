//! Where the engine is: which process it is on this machine, which folder is its own, and which ports of the host its
//! containers have.

use bollard::models::{ContainerSummary, PortSummary};
use mainstay_model::plan::preflight::{Holder, HostPort, TakenPort};

use super::labels::Seen;
use super::refusal::Refusal;
use super::{ANSWER_WITHIN, Docker, timed};
use crate::world::WorldError;

impl Docker {
    /// The process that made the engine's socket; `None` where it is not on this machine, or in a container with other
    /// process numbers.
    pub(crate) async fn process(&self) -> Option<i32> {
        let path = self.socket.as_ref()?;
        let peer = tokio::net::UnixStream::connect(path).await.ok()?.peer_cred().ok()?;
        peer.pid().filter(|pid| *pid > 0)
    }

    /// Where it keeps images, containers and volumes, as it says itself.
    pub(crate) async fn root_folder(&self) -> Option<String> {
        timed(ANSWER_WITHIN, self.client.info()).await.ok()?.docker_root_dir.filter(|folder| folder.starts_with('/'))
    }

    /// The ports of the host that containers have.
    pub(crate) async fn taken_ports(&self) -> Result<Vec<TakenPort>, WorldError> {
        let listed =
            timed(ANSWER_WITHIN, self.client.list_containers(None::<bollard::query_parameters::ListContainersOptions>));
        let listed = listed.await.map_err(|error| Refusal::new("containers could not be listed").explain(error))?;
        Ok(listed.iter().flat_map(taken_by).collect())
    }
}

fn taken_by(container: &ContainerSummary) -> Vec<TakenPort> {
    let labels = container.labels.clone().unwrap_or_default();
    let name = container.names.iter().flatten().next().map(|name| name.trim_start_matches('/').to_owned());
    let holder = Holder::Container {
        id: container.id.clone().unwrap_or_default(),
        name: name.unwrap_or_default(),
        stack: Seen(&labels).stack(),
    };
    let ports = container.ports.iter().flatten().filter_map(port_of);
    ports.map(|port| TakenPort { port, holder: holder.clone() }).collect()
}

fn port_of(port: &PortSummary) -> Option<HostPort> {
    let protocol = port.typ.map_or_else(|| "tcp".to_owned(), |protocol| protocol.to_string());
    let ip = port.ip.as_ref().and_then(|text| text.parse().ok());
    Some(HostPort { ip, port: port.public_port?, protocol })
}
