//! A world for tests: containers and networks in memory, faults where a test wants them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, unfold};
use mainstay_model::declared::{Attachment, NetworkMode};
use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::observed::{Container, Endpoint, Health, Maker, Observed, ObservedNetwork, Scope, State};
use mainstay_model::plan::{Action, Step, StepId, Target, TargetContainer};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::docker::{EngineEvent, EventKind};
use crate::reconcile::{Glance, Watched};
use crate::world::{Acted, Context, Progress, World, WorldError};

#[derive(Clone, Default)]
pub(crate) struct FakeWorld {
    pub inner: Arc<Mutex<Inner>>,
}

/// Somebody else's hand, or a request of a killed process that lands late.
pub(crate) type Meanwhile = Box<dyn FnOnce(&mut Inner) + Send>;

#[derive(Default)]
pub(crate) struct Inner {
    pub containers: Vec<Container>,
    pub networks: Vec<ObservedNetwork>,
    pub images: BTreeMap<String, String>,
    /// Steps that fail, whatever they do.
    pub failing: BTreeSet<StepId>,
    /// What happens to the world in the moment before a step is done, once.
    pub meanwhile: BTreeMap<StepId, Meanwhile>,
    /// Steps that never end by themselves.
    pub hanging: BTreeSet<StepId>,
    /// Steps to which the engine says that the world is otherwise, though it is not.
    pub contradicting: BTreeSet<StepId>,
    /// Containers end as soon as they are started.
    pub ends_after_start: bool,
    /// What every act takes.
    pub slowness: Duration,
    /// Acts that say they did something and did not.
    pub lying: bool,
    pub unreachable: bool,
    /// What was done, in the order in which it ended.
    pub done: Vec<Action>,
    pub looks: usize,
    pub running: usize,
    pub most_running: usize,
    /// What happens is told to them, as an engine does.
    pub listeners: Vec<UnboundedSender<Result<EngineEvent, WorldError>>>,
    pub told: Vec<EngineEvent>,
    /// The times of the events that acts of this world's own caused.
    own: BTreeSet<i64>,
    next_id: u32,
    last_nanos: i64,
}

impl FakeWorld {
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn with_network(self, name: &str) -> Self {
        self.lock().add_network(name);
        self
    }

    pub fn with_container(self, stack: &str, service: &str, networks: &[&str]) -> Self {
        {
            let mut inner = self.lock();
            let id = inner.fresh_id();
            let mut container = container(&id, stack, service);
            container.state = State::Running;
            container.endpoints =
                networks.iter().map(|network| inner.endpoint(&attachment(network, service))).collect();
            inner.containers.push(container);
        }
        self
    }

    /// Somebody else takes a container off a network.
    pub fn disconnect(&self, name: &str, network: &str) {
        let mut inner = self.lock();
        let container = inner.named(name);
        container.endpoints.retain(|endpoint| endpoint.network != network);
        let id = container.id.clone();
        inner.tell(EventKind::Network, "disconnect", network, &id);
    }

    /// Somebody else makes a network.
    pub fn make_network(&self, name: &str) {
        let mut inner = self.lock();
        let id = inner.add_network(name);
        inner.tell(EventKind::Network, "create", name, &id);
    }

    /// Somebody else removes a network by force; the containers keep dead entries of it.
    pub fn remove_network(&self, name: &str) {
        let mut inner = self.lock();
        inner.networks.retain(|network| network.name != name);
        inner.tell(EventKind::Network, "destroy", name, "gone");
    }

    /// An event of a container, and nothing else.
    pub fn tell_of(&self, name: &str, action: &str) {
        let mut inner = self.lock();
        let id = inner.named(name).id.clone();
        inner.tell(EventKind::Container, action, name, &id);
    }

    /// The connection of everybody who listens breaks.
    pub fn cut(&self) {
        self.lock().listeners.clear();
    }

    pub fn done(&self) -> Vec<Action> {
        self.lock().done.clone()
    }

    pub fn networks_of(&self, name: &str) -> Vec<String> {
        let inner = self.lock();
        let found = inner.containers.iter().find(|container| container.name == name).unwrap();
        found.endpoints.iter().map(|endpoint| endpoint.network.clone()).collect()
    }
}

pub(crate) fn attachment(network: &str, service: &str) -> Attachment {
    Attachment { key: network.into(), network: network.into(), aliases: vec![service.into()], ..Attachment::default() }
}

pub(crate) fn container(id: &str, stack: &str, service: &str) -> Container {
    Container {
        id: id.into(),
        name: format!("{stack}-{service}-1"),
        maker: Maker::Mainstay,
        stack: Some(StackName::new(stack).unwrap()),
        service: Some(ServiceName::new(service).unwrap()),
        number: 1,
        one_off: false,
        keeper: None,
        image: "tiny:1".into(),
        image_id: "sha256:1".into(),
        state: State::Created,
        health: Health::Unverified,
        exit_code: None,
        oom_killed: false,
        started_at: String::new(),
        finished_at: String::new(),
        created_at: "2026-11-20T10:00:00Z".into(),
        restart_count: 0,
        restarts_itself: true,
        may_end: false,
        endpoints: Vec::new(),
        network_mode: "bridge".into(),
        fields: Some(BTreeMap::new()),
        declared_attachments: None,
        depends_on: Vec::new(),
        requires: Vec::new(),
        ports: Vec::new(),
        anonymous_volumes: Vec::new(),
    }
}

impl Inner {
    fn tell(&mut self, kind: EventKind, action: &str, name: &str, id: &str) {
        let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
        self.last_nanos = now.max(self.last_nanos + 1);
        let container = self.containers.iter().find(|container| container.id == id);
        let of_container = kind == EventKind::Container;
        let event = EngineEvent {
            time_nanos: self.last_nanos,
            kind,
            action: action.into(),
            actor_id: id.into(),
            name: name.into(),
            stack: container.filter(|_| of_container).and_then(|container| container.stack.clone()),
            service: container.filter(|_| of_container).and_then(|container| container.service.clone()),
            container_id: (kind == EventKind::Network && container.is_some()).then(|| id.to_owned()),
            attributes: BTreeMap::new(),
        };
        self.listeners.retain(|listener| listener.send(Ok(event.clone())).is_ok());
        self.told.push(event);
    }

    /// As a new process, which did not announce what the one before it did.
    pub fn forget_own(&mut self) {
        self.own.clear();
    }

    pub fn fresh_id(&mut self) -> String {
        self.next_id += 1;
        format!("{:064x}", self.next_id)
    }

    pub fn add_network(&mut self, name: &str) -> String {
        let id = self.fresh_id();
        self.networks.push(ObservedNetwork {
            id: id.clone(),
            name: name.into(),
            maker: Maker::Foreign,
            stack: None,
            key: None,
            driver: "bridge".into(),
            internal: false,
            digest: None,
            members: Vec::new(),
        });
        id
    }

    pub fn endpoint(&self, attachment: &Attachment) -> Endpoint {
        let network = self.networks.iter().find(|network| network.name == attachment.network);
        Endpoint {
            network: attachment.network.clone(),
            network_id: network.map(|network| network.id.clone()).unwrap_or_default(),
            aliases: attachment.aliases.clone(),
            ..Endpoint::default()
        }
    }

    pub fn named(&mut self, name: &str) -> &mut Container {
        self.containers.iter_mut().find(|container| container.name == name).unwrap()
    }

    fn target(&mut self, target: &Target, context: &Context) -> Result<&mut Container, WorldError> {
        let id = match &target.container {
            TargetContainer::Id(id) => id,
            TargetContainer::MadeBy(step) => context.made.get(step).ok_or_else(|| WorldError::new("not made"))?,
        };
        let found = self.containers.iter_mut().find(|container| container.id == *id);
        found.ok_or_else(|| WorldError::new(format!("no such container `{}`", target.name)).contradicting())
    }

    fn play(&mut self, step: &Step, context: &Context) -> Result<Acted, WorldError> {
        let mut acted = Acted::default();
        match &step.action {
            Action::PullImage { image, .. } | Action::BuildImage { image, .. } => {
                self.images.insert(image.clone(), format!("sha256:{image}"));
            }
            Action::CreateNetwork { name, key } => {
                let id = self.add_network(name);
                let made = self.networks.iter_mut().find(|network| network.id == id);
                if let (Some(network), Some(declared)) = (made, &context.declared) {
                    network.maker = Maker::Mainstay;
                    network.stack = Some(context.stack.clone());
                    network.key = Some(key.clone());
                    network.digest = declared.networks.get(key).map(mainstay_model::identity::digest);
                }
            }
            Action::RemoveNetwork { id, .. } => self.networks.retain(|network| network.id != *id),
            Action::CreateVolume { .. } | Action::RemoveVolume { .. } | Action::Await { .. } => {}
            Action::Probe { .. } | Action::Commit { .. } | Action::Drain { .. } => {}
            Action::Unroute { .. } | Action::KeepLogs { .. } => {}
            Action::MakeBucket { .. } | Action::BackUp { .. } => {}
            Action::Smoke { .. } | Action::LeadBack { .. } | Action::ClosePreview | Action::Migrate { .. } => {}
            Action::CreateContainer { service, number, name, .. } => {
                if self.containers.iter().any(|container| container.name == *name) {
                    return Err(WorldError::new(format!("the name `{name}` is in use")).contradicting());
                }
                let id = self.create(service, *number, name, context);
                acted.container_id = Some(id);
            }
            Action::StartContainer { target } => {
                let ends = self.ends_after_start;
                let networks: BTreeSet<String> = self.networks.iter().map(|network| network.name.clone()).collect();
                let container = self.target(target, context)?;
                if let Some(lost) = container.endpoints.iter().find(|endpoint| !networks.contains(&endpoint.network)) {
                    return Err(WorldError::new(format!("network `{}` not found", lost.network)).contradicting());
                }
                (container.state, container.exit_code) =
                    if ends { (State::Exited, Some(0)) } else { (State::Running, None) };
                container.started_at = "2026-11-20T10:00:01Z".into();
                let (id, name) = (container.id.clone(), container.name.clone());
                self.tell(EventKind::Container, "start", &name, &id);
            }
            Action::StopContainer { target, .. } => {
                let container = self.target(target, context)?;
                (container.state, container.exit_code) = (State::Exited, Some(143));
                let (id, name) = (container.id.clone(), container.name.clone());
                self.tell(EventKind::Container, "die", &name, &id);
                self.tell(EventKind::Container, "stop", &name, &id);
            }
            Action::RemoveContainer { target, .. } => {
                let container = self.target(target, context)?;
                if container.state == State::Running {
                    return Err(WorldError::new(format!("`{}` runs", target.name)).contradicting());
                }
                let id = container.id.clone();
                self.containers.retain(|container| container.id != id);
            }
            Action::RenameContainer { target, to } => self.target(target, context)?.name = to.clone(),
            Action::Attach { target, attachment } => {
                if !self.networks.iter().any(|network| network.name == attachment.network) {
                    let message = format!("network `{}` not found", attachment.network);
                    return Err(WorldError::new(message).contradicting());
                }
                let endpoint = self.endpoint(attachment);
                let container = self.target(target, context)?;
                // As engines do: a dead entry is written over.
                container.endpoints.retain(|endpoint| endpoint.network != attachment.network);
                container.endpoints.push(endpoint);
                let id = container.id.clone();
                self.tell(EventKind::Network, "connect", &attachment.network, &id);
            }
            Action::Detach { target, network, .. } => {
                self.target(target, context)?.endpoints.retain(|endpoint| endpoint.network != *network);
            }
        }
        Ok(acted)
    }

    fn create(&mut self, service: &ServiceName, number: u32, name: &str, context: &Context) -> String {
        let id = self.fresh_id();
        let mut made = container(&id, context.stack.as_str(), service.as_str());
        (made.number, made.name) = (number, name.to_owned());
        if let Some(service) = context.declared.as_ref().and_then(|declared| declared.services.get(service)) {
            made.image.clone_from(&service.image);
            made.image_id = self.images.get(&service.image).cloned().unwrap_or_default();
            made.fields = Some(service.fields());
            if service.network_mode == NetworkMode::Attached {
                made.endpoints = service.attachments.iter().map(|attachment| self.endpoint(attachment)).collect();
                made.declared_attachments = Some(service.attachments.clone());
            }
        }
        self.containers.push(made);
        id
    }
}

/// Counts an act as running for as long as it lives, dropped ones too.
struct Counted(FakeWorld);

impl Counted {
    fn new(world: &FakeWorld) -> Self {
        let mut inner = world.lock();
        inner.running += 1;
        inner.most_running = inner.most_running.max(inner.running);
        Counted(world.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
    }
}

impl World for FakeWorld {
    async fn look(&self, scope: &Scope) -> Result<Observed, WorldError> {
        let mut inner = self.lock();
        inner.looks += 1;
        if inner.unreachable {
            return Err(WorldError::new("nobody answers"));
        }
        let mut observed = Observed::empty(scope.stack.clone());
        let meant = |c: &&Container| c.stack.as_ref() == Some(&scope.stack) || scope.container_names.contains(&c.name);
        observed.containers = inner.containers.iter().filter(meant).cloned().collect();
        let meant = |n: &&ObservedNetwork| n.stack.as_ref() == Some(&scope.stack) || scope.networks.contains(&n.name);
        observed.networks = inner.networks.iter().filter(meant).cloned().collect();
        observed.images = inner.images.clone();
        observed.settle();
        Ok(observed)
    }

    async fn act(&self, step: &Step, context: &Context, progress: &Progress) -> Result<Acted, WorldError> {
        let _counted = Counted::new(self);
        progress.tell("at it");
        let (slowness, hangs) = {
            let inner = self.lock();
            (inner.slowness, inner.hanging.contains(&step.id))
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(slowness).await;
        let mut inner = self.lock();
        if let Some(meanwhile) = inner.meanwhile.remove(&step.id) {
            meanwhile(&mut inner);
        }
        if inner.failing.contains(&step.id) {
            let cause = std::io::Error::other("the wire was cut");
            return Err(WorldError::new("the engine refused").caused_by(cause).hint("try again"));
        }
        if inner.contradicting.contains(&step.id) {
            return Err(WorldError::new("the engine says that it is otherwise").contradicting());
        }
        let before = inner.told.len();
        let acted = if inner.lying { Acted::default() } else { inner.play(step, context)? };
        let own: Vec<i64> = inner.told.iter().skip(before).map(|event| event.time_nanos).collect();
        inner.own.extend(own);
        inner.done.push(step.action.clone());
        Ok(acted)
    }
}

impl Watched for FakeWorld {
    fn watch(&self, since_nanos: Option<i64>) -> BoxStream<'static, Result<EngineEvent, WorldError>> {
        let (listener, heard) = unbounded_channel();
        let mut inner = self.lock();
        if inner.unreachable {
            let _ = listener.send(Err(WorldError::new("nobody answers")));
        } else {
            let since = since_nanos.unwrap_or(i64::MAX);
            for event in inner.told.iter().filter(|event| event.time_nanos >= since) {
                let _ = listener.send(Ok(event.clone()));
            }
            inner.listeners.push(listener);
        }
        unfold(heard, |mut heard| async move { heard.recv().await.map(|event| (event, heard)) }).boxed()
    }

    fn did(&self, event: &EngineEvent) -> bool {
        self.lock().own.contains(&event.time_nanos)
    }

    async fn given_back(&self) -> Vec<EngineEvent> {
        std::future::pending().await
    }

    async fn glance(&self, container: &str) -> Result<Option<Glance>, WorldError> {
        let inner = self.lock();
        if inner.unreachable {
            return Err(WorldError::new("nobody answers"));
        }
        let found = inner.containers.iter().find(|found| found.id == container || found.name == container);
        Ok(found.map(|found| Glance { container: found.clone(), networks: inner.networks.clone() }))
    }

    async fn labelled(&self, _keeper: &str) -> Result<BTreeSet<StackName>, WorldError> {
        let inner = self.lock();
        if inner.unreachable {
            return Err(WorldError::new("nobody answers"));
        }
        let labelled = inner.containers.iter().filter(|container| container.declared_attachments.is_some());
        Ok(labelled.filter_map(|container| container.stack.clone()).collect())
    }
}
