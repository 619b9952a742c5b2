//! The scoped snapshot: four listings side by side, then one inspect a container.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;

use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, ContainerSummary, Network, Volume};
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions, ListVolumesOptions};
use futures_util::stream::{self, StreamExt};
use mainstay_model::declared::container::bare_path;
use mainstay_model::identity::StackName;
use mainstay_model::identity::labels::PROJECT;
use mainstay_model::observed::{Container, Member, Neighbour, Observed, ObservedNetwork, ObservedVolume, Scope};

use super::inspected::container_of;
use super::labels::Seen;
use super::refusal::{Cause, Refusal, is_missing};
use super::{ANSWER_WITHIN, Docker, timed};
use crate::world::WorldError;

/// How many inspects run side by side.
const SIDE_BY_SIDE: usize = 16;

/// What is asked of an image.
pub(super) struct SeenImage {
    pub(super) id: String,
    /// The paths for which it asks for a volume.
    pub(super) volumes: BTreeSet<String>,
}

#[derive(Default)]
struct Containers {
    found: Vec<Container>,
    neighbours: Vec<Neighbour>,
    unread: Vec<String>,
}

/// A part of the snapshot, and what of it could not be read.
pub(crate) type Part<T> = (T, Vec<String>);

impl Docker {
    /// Takes the snapshot that a scope asks for.
    pub(super) async fn look_at(&self, scope: &Scope) -> Result<Observed, WorldError> {
        let (containers, networks, volumes, images) = tokio::try_join!(
            self.look_at_containers(scope),
            self.look_at_networks(scope),
            self.look_at_volumes(scope),
            self.look_at_images(scope),
        )?;
        let mut observed = Observed::empty(scope.stack.clone());
        observed.engine = self.facts().clone();
        (observed.containers, observed.networks, observed.volumes) = (containers.found, networks.0, volumes.0);
        observed.neighbours = containers.neighbours;
        for (reference, image) in images.0 {
            if !image.volumes.is_empty() {
                observed.image_volumes.insert(reference.clone(), image.volumes);
            }
            observed.images.insert(reference, image.id);
        }
        observed.unreadable = [containers.unread, networks.1, volumes.1, images.1].concat();
        if scope.members {
            self.look_at_members(&mut observed).await;
        }
        observed.settle();
        observed.unreadable.sort();
        observed.unreadable.dedup();
        Ok(observed)
    }

    async fn look_at_containers(&self, scope: &Scope) -> Result<Containers, WorldError> {
        // Where hosts of others are asked for, one listing of everything serves for both questions.
        let asks = !scope.hosts.is_empty();
        let listed = self.list_containers(Some(&scope.stack).filter(|_| !asks)).await?;
        let is_ours = |listed: &ContainerSummary| {
            listed.labels.as_ref().is_some_and(|labels| Seen(labels).stack().as_ref() == Some(&scope.stack))
        };
        let (ours, others): (Vec<_>, Vec<_>) = listed.into_iter().partition(is_ours);
        let mut ids: BTreeSet<String> = ours.iter().filter_map(|listed| listed.id.clone()).collect();
        let names: BTreeSet<&str> = ours.iter().flat_map(names_of).collect();
        // Only a stack that lacks containers asks who else has their names.
        if scope.container_names.iter().any(|name| !names.contains(name.as_str())) {
            let all = if asks { None } else { Some(self.list_containers(None).await?) };
            let claimed =
                |listed: &&ContainerSummary| names_of(listed).any(|name| scope.container_names.contains(name));
            ids.extend(all.as_ref().unwrap_or(&others).iter().filter(claimed).filter_map(|listed| listed.id.clone()));
        }
        let neighbours = others.iter().filter_map(neighbour_of).filter(|one| has_one_of(one, &scope.hosts)).collect();
        let mut part = Containers { neighbours, ..Containers::default() };
        for (id, inspected) in self.inspect_all(ids).await {
            match inspected {
                Ok(inspected) => {
                    let (container, notes) = container_of(inspected);
                    part.found.push(container);
                    part.unread.extend(notes);
                }
                Err(error) if is_missing(&error) => {}
                Err(error) => part.unread.push(unread("container", &id[..id.len().min(12)], &error)),
            }
        }
        Ok(part)
    }

    /// Containers, running or not: a stack's by its label, or all.
    pub(super) async fn list_containers(&self, stack: Option<&StackName>) -> Result<Vec<ContainerSummary>, WorldError> {
        let filters = stack.map(|stack| HashMap::from([("label".to_owned(), vec![format!("{PROJECT}={stack}")])]));
        let options = ListContainersOptions { all: true, filters, ..Default::default() };
        let listing = self.client.list_containers(Some(options));
        timed(ANSWER_WITHIN, listing).await.map_err(|e| Refusal::new("containers could not be listed").explain(e))
    }

    async fn inspect_all(&self, ids: BTreeSet<String>) -> Vec<(String, Result<ContainerInspectResponse, Error>)> {
        let one = |id: String| {
            let docker = self.clone();
            async move {
                let inspected = docker.inspect(&id).await;
                (id, inspected)
            }
        };
        side_by_side(ids.into_iter().map(one)).await
    }

    async fn look_at_networks(&self, scope: &Scope) -> Result<Part<Vec<ObservedNetwork>>, WorldError> {
        let listing = self.client.list_networks(None::<ListNetworksOptions>);
        let all = timed(ANSWER_WITHIN, listing).await;
        let all = all.map_err(|error| Refusal::new("networks could not be listed").explain(error))?;
        let seen = all.into_iter().map(network_of);
        let wanted = seen.filter(|n| n.stack.as_ref() == Some(&scope.stack) || scope.networks.contains(&n.name));
        Ok((wanted.collect(), Vec::new()))
    }

    async fn look_at_volumes(&self, scope: &Scope) -> Result<Part<Vec<ObservedVolume>>, WorldError> {
        let label = format!("{PROJECT}={}", scope.stack);
        let filters = Some(HashMap::from([("label".to_owned(), vec![label])]));
        let listing = self.client.list_volumes(Some(ListVolumesOptions { filters }));
        let ours = timed(ANSWER_WITHIN, listing).await;
        let ours = ours.map_err(|error| Refusal::new("volumes could not be listed").explain(error))?;
        let mut part: Part<Vec<_>> =
            (ours.volumes.unwrap_or_default().into_iter().map(volume_of).collect(), Vec::new());
        let known: BTreeSet<String> = part.0.iter().map(|volume| volume.name.clone()).collect();
        let one = |name: String| {
            let docker = self.clone();
            async move {
                let inspected = timed(ANSWER_WITHIN, docker.client.inspect_volume(&name)).await;
                (name, inspected)
            }
        };
        for (name, inspected) in side_by_side(scope.volumes.difference(&known).cloned().map(one)).await {
            match inspected {
                Ok(volume) => part.0.push(volume_of(volume)),
                Err(error) if is_missing(&error) => {}
                Err(error) => part.1.push(unread("volume", &name, &error)),
            }
        }
        Ok(part)
    }

    async fn look_at_images(&self, scope: &Scope) -> Result<Part<BTreeMap<String, SeenImage>>, WorldError> {
        let one = |reference: String| {
            let docker = self.clone();
            async move {
                let image = docker.image(&reference).await;
                (reference, image)
            }
        };
        let mut part = Part::<BTreeMap<String, SeenImage>>::default();
        for (reference, image) in side_by_side(scope.images.iter().cloned().map(one)).await {
            match image {
                Ok(Some(image)) => {
                    part.0.insert(reference, image);
                }
                Ok(None) => {}
                Err(error) => part.1.push(unread("image", &reference, &error)),
            }
        }
        Ok(part)
    }

    /// The id of a local image; `None` when the engine has none by this reference.
    pub(super) async fn image_id(&self, reference: &str) -> Result<Option<String>, Error> {
        Ok(self.image(reference).await?.map(|image| image.id))
    }

    /// A local image; `None` when the engine has none by this reference.
    pub(super) async fn image(&self, reference: &str) -> Result<Option<SeenImage>, Error> {
        match timed(ANSWER_WITHIN, self.client.inspect_image(reference)).await {
            Ok(image) => Ok(image.id.map(|id| {
                let volumes = image.config.and_then(|config| config.volumes).unwrap_or_default();
                SeenImage { id, volumes: volumes.iter().map(|target| bare_path(target).to_owned()).collect() }
            })),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Who is on the networks, and what they answer to: one inspect a network and one a container of other stacks.
    async fn look_at_members(&self, observed: &mut Observed) {
        let ids = observed.networks.iter().map(|network| network.id.clone()).collect();
        let (mut members, unread) = self.members_of(ids, &observed.containers, &BTreeSet::new()).await;
        for network in &mut observed.networks {
            network.members = members.remove(&network.id).unwrap_or_default();
        }
        observed.unreadable.extend(unread);
    }

    /// The running containers on networks, by the networks' ids; `known` need not be asked for, and `left_out` are of no
    /// interest.
    pub(crate) async fn members_of(
        &self,
        networks: BTreeSet<String>,
        known: &[Container],
        left_out: &BTreeSet<String>,
    ) -> Part<BTreeMap<String, Vec<Member>>> {
        let one = |id: String| {
            let docker = self.clone();
            async move {
                let inspected = timed(ANSWER_WITHIN, docker.client.inspect_network(&id, None)).await;
                (id, inspected)
            }
        };
        let mut unreadable = Vec::new();
        let mut on_network: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
        for (id, inspected) in side_by_side(networks.into_iter().map(one)).await {
            match inspected {
                Ok(network) => {
                    let name = network.name.unwrap_or_default();
                    let members = network.containers.unwrap_or_default();
                    let members =
                        members.into_keys().filter(|id| is_container_id(id) && !left_out.contains(id)).collect();
                    on_network.insert(id, (name, members));
                }
                Err(error) if is_missing(&error) => {}
                Err(error) => unreadable.push(unread("network", &id[..id.len().min(12)], &error)),
            }
        }
        let is_known = |id: &&String| known.iter().any(|container| container.id == **id);
        let all = on_network.values().flat_map(|(_, members)| members);
        let strangers: BTreeSet<String> = all.filter(|id| !is_known(id)).cloned().collect();
        let mut others: BTreeMap<String, Container> = BTreeMap::new();
        for (id, inspected) in self.inspect_all(strangers).await {
            match inspected {
                Ok(inspected) => {
                    others.insert(id, container_of(inspected).0);
                }
                Err(error) if is_missing(&error) => {}
                Err(error) => unreadable.push(unread("container", &id[..id.len().min(12)], &error)),
            }
        }
        let known: BTreeMap<&str, &Container> =
            known.iter().chain(others.values()).map(|container| (container.id.as_str(), container)).collect();
        let of_network = |(id, (name, members)): (String, (String, BTreeSet<String>))| {
            let containers = members.iter().filter_map(|member| known.get(member.as_str()));
            (id, containers.map(|container| member_of(container, &name)).collect())
        };
        (on_network.into_iter().map(of_network).collect(), unreadable)
    }
}

async fn side_by_side<T, F: Future<Output = T>>(calls: impl Iterator<Item = F>) -> Vec<T> {
    stream::iter(calls).buffer_unordered(SIDE_BY_SIDE).collect().await
}

fn unread(kind: &str, name: &str, error: &Error) -> String {
    format!("{kind} `{name}` could not be read: {}", Cause::of(error))
}

/// The engine lists load balancers and endpoints of other machines among a network's members.
fn is_container_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn names_of(listed: &ContainerSummary) -> impl Iterator<Item = &str> {
    let names = listed.names.iter().flatten().map(|name| name.trim_start_matches('/'));
    names.filter(|name| !name.contains('/'))
}

/// Networks on which the engine resolves no names of containers.
const WITHOUT_NAMES: [&str; 3] = ["bridge", "host", "none"];

/// A listing tells no aliases: what is known of them is the service's name, and what our own label says.
fn neighbour_of(listed: &ContainerSummary) -> Option<Neighbour> {
    let labels = listed.labels.clone().unwrap_or_default();
    let seen = Seen(&labels);
    let networks = listed.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
    let attachments = seen.attachments().ok().flatten().unwrap_or_default();
    let service = seen.service().map(|service| service.to_string());
    let place = |network: &String| {
        let declared = attachments.iter().filter(|attachment| attachment.network == *network);
        let aliases = declared.flat_map(|attachment| attachment.aliases.clone()).chain(service.clone());
        (network.clone(), aliases.collect())
    };
    let named = networks.into_iter().flat_map(HashMap::keys).filter(|name| !WITHOUT_NAMES.contains(&name.as_str()));
    let places: BTreeMap<String, BTreeSet<String>> = named.map(place).collect();
    if seen.one_off() || places.is_empty() {
        return None;
    }
    Some(Neighbour { container_name: names_of(listed).next()?.to_owned(), stack: seen.stack(), service, places })
}

fn has_one_of(neighbour: &Neighbour, hosts: &BTreeSet<String>) -> bool {
    let mut names = neighbour.places.values().flatten().chain([&neighbour.container_name]);
    names.any(|name| hosts.contains(&name.to_ascii_lowercase()))
}

fn member_of(container: &Container, network: &str) -> Member {
    Member {
        container_id: container.id.clone(),
        container_name: container.name.clone(),
        stack: container.stack.clone(),
        service: container.service.as_ref().map(ToString::to_string),
        aliases: container.endpoint(network).map(|endpoint| endpoint.aliases.clone()).unwrap_or_default(),
    }
}

pub(super) fn network_of(network: Network) -> ObservedNetwork {
    let labels = network.labels.unwrap_or_default();
    let seen = Seen(&labels);
    ObservedNetwork {
        id: network.id.unwrap_or_default(),
        name: network.name.unwrap_or_default(),
        maker: seen.maker(),
        stack: seen.stack(),
        key: seen.network_key(),
        driver: network.driver.unwrap_or_default(),
        internal: network.internal.unwrap_or_default(),
        digest: seen.digest(),
        members: Vec::new(),
    }
}

fn volume_of(volume: Volume) -> ObservedVolume {
    let seen = Seen(&volume.labels);
    ObservedVolume {
        maker: seen.maker(),
        stack: seen.stack(),
        key: seen.volume_key(),
        digest: seen.digest(),
        driver: volume.driver,
        name: volume.name,
    }
}
