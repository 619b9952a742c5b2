//! A container of a declared service: made, on all its networks, with its files, not started.

use std::collections::HashMap;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ContainerCreateResponse, ContainerStateStatusEnum, ContainerSummaryStateEnum};
use bollard::query_parameters::{ListContainersOptions, RemoveContainerOptions};
use mainstay_model::declared::container::{Mount, MountKind, Occupant, VolumesSource};
use mainstay_model::declared::{Attachment, Declared, NetworkMode, Service};
use mainstay_model::identity::ServiceName;
use mainstay_model::identity::labels::KEEPER;
use mainstay_model::identity::labels::{FIELDS, IMAGE, MADE_BY, NUMBER, ONE_OFF, PROJECT, SERVICE};
use mainstay_model::observed::AnonymousVolume;

use super::acts::Act;
use super::body::{Settled, body_of};
use super::labels::Seen;
use super::look::SeenImage;
use super::mounts::with_carried;
use super::refusal::{Refusal, is_missing, message, status};
use super::{ANSWER_WITHIN, CHANGE_WITHIN, Docker, host_files, inject, labels, timed, wire};
use crate::world::{Acted, Context, Progress, WorldError};

/// How soon a name is asked for again that is in use by nobody who can be seen. The engine has no event for a name.
const UNSEEN_AGAIN: Duration = Duration::from_millis(50);

/// What `CreateContainer` says.
pub(super) struct Wanted<'a> {
    pub(super) service: &'a ServiceName,
    pub(super) number: u32,
    pub(super) name: &'a str,
    pub(super) networks: &'a [String],
    pub(super) carried: &'a [AnonymousVolume],
}

impl Docker {
    pub(super) async fn create(
        &self,
        wanted: Wanted<'_>,
        context: &Context,
        progress: &Progress,
    ) -> Result<Acted, WorldError> {
        let (declared, service) = declared_service(context, wanted.service)?;
        inject::check(&service.container)?;
        host_files::make(&service.files, progress).await?;
        let attachments: Vec<&Attachment> =
            service.attachments.iter().filter(|attachment| wanted.networks.contains(&attachment.network)).collect();
        let at_create = if self.speaks(44) { attachments.len() } else { attachments.len().min(1) };
        let (at_create, later) = attachments.split_at(at_create);
        let mut settled = self.settle(context, declared, service, &wanted, at_create.to_vec()).await?;
        settled.labels.insert(KEEPER.into(), context.keeper.to_string());
        let labels = settled.labels.clone();
        let mounts = settled.mounts.clone();
        let body = body_of(&service.container, settled, self.api)?;
        for left_out in &body.left_out {
            progress.tell(format!("left out: {left_out}"));
        }
        let left = wanted.carried.iter().filter(|volume| {
            let mut sources = mounts.iter().filter_map(|mount| mount.source.as_ref());
            !sources.any(|source| *source == volume.name)
        });
        let left = left.map(|volume| {
            format!("the volume at `{}`, for which the image has no place: `{}` stays", volume.target, volume.name)
        });
        let left_out: Vec<String> = body.left_out.into_iter().chain(left).collect();
        let detail = (!left_out.is_empty()).then(|| format!("without {}", left_out.join(", ")));
        let mut create = serde_json::to_value(&body.create).unwrap_or_default();
        if let (Some(mac), Some(create)) = (body.mac_address, create.as_object_mut()) {
            create.insert("MacAddress".into(), mac.into());
        }
        let mut query = vec![("name", wanted.name.to_owned())];
        query.extend(service.platform.clone().map(|platform| ("platform", platform)));
        let path = format!("/containers/create{}", wire::query(query));
        let (id, is_new) = match self.ask_for(&path, &create, wanted.name).await {
            Ok(made) => {
                made.warnings.iter().for_each(|warning| progress.tell(warning.clone()));
                (made.id, true)
            }
            Err(error) => (self.made_before(wanted.name, &labels, &mounts, error).await?, false),
        };
        if let Err(error) = self.complete(&id, wanted.name, later, service).await {
            if is_new {
                self.take_back(&id).await;
            }
            return Err(error);
        }
        let detail = if is_new { detail } else { Some("was there".into()) };
        Ok(Acted { container_id: Some(id), detail })
    }

    /// Asks for a container. A name that is in use by nobody who can be seen is one that the engine is still making or
    /// removing: it is asked again, until one of the two is so.
    async fn ask_for(
        &self,
        path: &str,
        create: &serde_json::Value,
        name: &str,
    ) -> Result<ContainerCreateResponse, Error> {
        let until = tokio::time::Instant::now() + CHANGE_WITHIN;
        loop {
            let act = self.acts.announce(Act::Create { name: name.to_owned() });
            let answer = timed(CHANGE_WITHIN, self.wire.post::<ContainerCreateResponse>(path, create)).await;
            match &answer {
                Ok(made) => act.made(&made.id),
                refused => act.answered(refused),
            }
            let Err(error) = answer else { return answer };
            if !is_name_in_use(&error) || tokio::time::Instant::now() >= until {
                return Err(error);
            }
            match self.inspect(name).await {
                Err(unseen) if is_missing(&unseen) => tokio::time::sleep(UNSEEN_AGAIN).await,
                _ => return Err(error),
            }
        }
    }

    /// Joins the networks that create could not take, and puts the files.
    async fn complete(&self, id: &str, name: &str, later: &[&Attachment], service: &Service) -> Result<(), WorldError> {
        for attachment in later {
            self.connect_before_start(id, name, attachment).await?;
        }
        self.inject(id, name, &service.container).await
    }

    /// A container that could not be completed is not left behind half made; nothing can be done if that fails too.
    async fn take_back(&self, id: &str) {
        let options = RemoveContainerOptions { v: true, force: true, ..Default::default() };
        let act = self.acts.announce(Act::Remove { id: id.to_owned() });
        act.answered(&timed(CHANGE_WITHIN, self.client.remove_container(id, Some(options))).await);
    }

    /// What depends on the world as it is when the step runs.
    async fn settle<'a>(
        &self,
        context: &Context,
        declared: &Declared,
        service: &'a Service,
        wanted: &Wanted<'_>,
        attachments: Vec<&'a Attachment>,
    ) -> Result<Settled<'a>, WorldError> {
        let doing = || format!("a container of `{}` could not be made", service.name);
        let image = self.image(&service.image).await.map_err(|e| Refusal::new(doing()).explain(e))?;
        let Some(image) = image else {
            let missing = WorldError::new(format!("{}: the image `{}` is not there", doing(), service.image));
            return Err(missing.hint("pull or build it first (`mainstay up --pull`, or a `build` section)"));
        };
        let network_mode = match &service.network_mode {
            NetworkMode::Attached => attachments.first().map_or("none", |first| first.network.as_str()).to_owned(),
            NetworkMode::None => "none".into(),
            NetworkMode::Host => "host".into(),
            NetworkMode::Bridge => "bridge".into(),
            NetworkMode::Service(of) => format!("container:{}", self.first_container_of(context, of, &doing()).await?),
            NetworkMode::Container(of) => format!("container:{of}"),
        };
        let spec = &service.container;
        let ipc = self.namespace(context, spec.ipc.as_deref(), &doing()).await?;
        let pid = self.namespace(context, spec.pid.as_deref(), &doing()).await?;
        let mut volumes_from = Vec::new();
        for source in &spec.volumes_from {
            let from = match &source.from {
                VolumesSource::Service(of) => self.first_container_of(context, of, &doing()).await?,
                VolumesSource::Container(name) => name.clone(),
            };
            volumes_from.push(if source.read_only { format!("{from}:ro") } else { from });
        }
        let carried = self.still_asked_for(service, &image, wanted.carried, &doing()).await?;
        let mounts = with_carried(&spec.mounts, &carried);
        let labels = labels::of_container(declared, service, wanted.number, &image.id);
        Ok(Settled { image: &service.image, labels, network_mode, attachments, ipc, pid, volumes_from, mounts })
    }

    /// The volumes to carry over for which the declaration or the image has a place. What the image asks for is known
    /// only now, when this plan has fetched it. The engine would make a missing volume anew, and empty, without a word.
    async fn still_asked_for(
        &self,
        service: &Service,
        image: &SeenImage,
        carried: &[AnonymousVolume],
        doing: &str,
    ) -> Result<Vec<AnonymousVolume>, WorldError> {
        let mut found = Vec::new();
        for volume in carried {
            let is_asked_for = match service.container.occupant(&volume.target) {
                Occupant::AnonymousVolume => true,
                Occupant::Other => false,
                Occupant::Nobody => image.volumes.contains(&volume.target),
            };
            if !is_asked_for {
                continue;
            }
            match timed(ANSWER_WITHIN, self.client.inspect_volume(&volume.name)).await {
                Ok(_) => found.push(volume.clone()),
                Err(error) if is_missing(&error) => {
                    let (name, target) = (&volume.name, &volume.target);
                    let gone = format!("{doing}: the volume `{name}`, which it takes over at `{target}`, is gone");
                    return Err(WorldError::new(gone).hint("`mainstay plan` shows what there is now"));
                }
                Err(error) => return Err(Refusal::new(doing).explain(error)),
            }
        }
        Ok(found)
    }

    /// `service:x` of a namespace becomes the container that stands for it.
    async fn namespace(
        &self,
        context: &Context,
        text: Option<&str>,
        doing: &str,
    ) -> Result<Option<String>, WorldError> {
        let Some(service) = text.and_then(|text| text.strip_prefix("service:")) else {
            return Ok(text.filter(|text| !text.is_empty()).map(str::to_owned));
        };
        let service = ServiceName::new(service).map_err(|error| WorldError::new(doing).caused_by(error))?;
        Ok(Some(format!("container:{}", self.first_container_of(context, &service, doing).await?)))
    }

    /// The id of a service's container number 1; the newest that runs, while two stand side by side.
    async fn first_container_of(
        &self,
        context: &Context,
        service: &ServiceName,
        doing: &str,
    ) -> Result<String, WorldError> {
        let labels = [
            format!("{PROJECT}={}", context.stack),
            format!("{SERVICE}={service}"),
            format!("{NUMBER}=1"),
            format!("{ONE_OFF}=False"),
        ];
        let filters = Some(HashMap::from([("label".to_owned(), labels.to_vec())]));
        let options = ListContainersOptions { all: true, filters, ..Default::default() };
        let found = timed(ANSWER_WITHIN, self.client.list_containers(Some(options))).await;
        let found = found.map_err(|error| Refusal::new(doing).explain(error))?;
        // The one that this plan made, beside one that still serves. The engine's list tells whole seconds only, in which
        // both may have been made, but the newest is its first, and the last of what counts alike is taken.
        let is_made = |id: &Option<String>| id.as_ref().is_some_and(|id| context.made.values().any(|made| made == id));
        let runs = |state: Option<ContainerSummaryStateEnum>| state == Some(ContainerSummaryStateEnum::RUNNING);
        let oldest_first = found.into_iter().rev();
        let first = oldest_first.max_by_key(|listed| (is_made(&listed.id), runs(listed.state), listed.created));
        first.and_then(|listed| listed.id).ok_or_else(|| {
            WorldError::new(format!("{doing}: the service `{service}` that it joins has no container")).contradicting()
        })
    }

    /// The container that an interrupted run made under this name, if it is just what is wanted now.
    async fn made_before(
        &self,
        name: &str,
        labels: &HashMap<String, String>,
        mounts: &[Mount],
        error: Error,
    ) -> Result<String, WorldError> {
        let refusal = Refusal::new(format!("container `{name}` could not be made"));
        if !is_name_in_use(&error) {
            return Err(refusal.explain(error));
        }
        let Ok(there) = self.inspect(name).await else { return Err(refusal.explain(error)) };
        let theirs = there.config.and_then(|config| config.labels).unwrap_or_default();
        let same = [MADE_BY, PROJECT, SERVICE, NUMBER, FIELDS, IMAGE];
        let there_mounts = there.mounts.unwrap_or_default();
        let has_volume = |mount: &Mount| there_mounts.iter().any(|other| other.name == mount.source);
        let has_volumes = mounts.iter().filter(|m| m.kind == MountKind::Volume && !m.is_anonymous()).all(has_volume);
        let is_same = has_volumes && same.iter().all(|label| theirs.get(*label) == labels.get(*label));
        let status = there.state.and_then(|state| state.status);
        match there.id {
            Some(id) if is_same && status == Some(ContainerStateStatusEnum::CREATED) => Ok(id),
            _ => {
                let owner = match Seen(&theirs).stack() {
                    Some(stack) => format!("the stack `{stack}`"),
                    None => "somebody else".into(),
                };
                let hint =
                    format!("a container `{name}` of {owner} is there: remove or rename it (`docker rename {name} …`)");
                Err(refusal.explain(error).hint(hint))
            }
        }
    }
}

fn is_name_in_use(error: &Error) -> bool {
    status(error) == Some(409) && message(error).contains("already in use")
}

/// The declaration and its service, which only an order with files brings.
pub(super) fn declared_service<'a>(
    context: &'a Context,
    name: &ServiceName,
) -> Result<(&'a Declared, &'a Service), WorldError> {
    let declared = context.declared.as_deref();
    let found = declared.and_then(|declared| Some((declared, declared.services.get(name)?)));
    found.ok_or_else(|| WorldError::new(format!("the service `{name}` is not declared in what is applied")))
}
