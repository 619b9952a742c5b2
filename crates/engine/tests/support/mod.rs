//! A stack of its own for each test, on the real engine, and everything of it gone afterwards.
#![allow(dead_code, clippy::disallowed_macros, clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mainstay_engine::docker::Docker;
use mainstay_engine::{Acted, Context, Progress, World, WorldError};
use mainstay_model::declared::service::PullPolicy;
use mainstay_model::declared::{Attachment, Condition, ContainerSpec, Declared, Network, NetworkMode, Service, Volume};
use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::observed::{Container, Observed, Scope};
use mainstay_model::plan::{Action, Impact, Step, StepId, Target, TargetContainer};

pub const TINY: &str = "mainstay-test/tiny:1";
const TEST_LABEL: (&str, &str) = ("dev.mainstay.test", "docker-room");

static COUNTER: AtomicU32 = AtomicU32::new(1);

pub struct Stack {
    pub docker: Docker,
    pub declared: Declared,
    next_step: AtomicU32,
}

/// The engine, or `None` with a sentence where there is none and none is required.
pub async fn engine() -> Option<Docker> {
    match Docker::connect(std::env::var("DOCKER_HOST").ok().as_deref()).await {
        Ok(docker) => Some(docker),
        Err(error) => {
            let required = ["CI", "MAINSTAY_REQUIRE_ENGINE"].iter().any(|name| std::env::var_os(name).is_some());
            assert!(!required, "an engine is required here: {error}");
            println!("skipped: {error}");
            None
        }
    }
}

impl Stack {
    /// A stack with nothing in it, under a name that no other test has.
    pub async fn new(what: &str) -> Option<Stack> {
        let docker = engine().await?;
        let name = format!("dkr-{what}-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let declared = Declared {
            disabled: Default::default(),
            stack: StackName::new(name).unwrap(),
            directory: "/srv/test".into(),
            files: vec!["/srv/test/compose.yaml".into()],
            services: BTreeMap::new(),
            networks: BTreeMap::new(),
            volumes: BTreeMap::new(),
            requires: vec![StackName::new("supabase").unwrap()],
            secrets: Default::default(),
            smoke: Vec::new(),
            databases: std::collections::BTreeMap::new(),
            buckets: std::collections::BTreeMap::new(),
        };
        Some(Stack { docker, declared, next_step: AtomicU32::new(1) })
    }

    pub fn name(&self) -> &str {
        self.declared.stack.as_str()
    }

    /// Declares a network and gives its engine name.
    pub fn network(&mut self, key: &str) -> String {
        let name = format!("{}_{key}", self.name());
        let labels = BTreeMap::from([(TEST_LABEL.0.to_owned(), TEST_LABEL.1.to_owned())]);
        let network = Network { name: name.clone(), labels, ..Default::default() };
        self.declared.networks.insert(key.into(), network);
        name
    }

    pub fn volume(&mut self, key: &str) -> String {
        let name = format!("{}_{key}", self.name());
        let labels = BTreeMap::from([(TEST_LABEL.0.to_owned(), TEST_LABEL.1.to_owned())]);
        self.declared.volumes.insert(key.into(), Volume { name: name.clone(), labels, ..Default::default() });
        name
    }

    /// Declares a service on networks (by key), each with the service's name and further aliases.
    pub fn service(&mut self, name: &str, networks: &[&str], spec: ContainerSpec) -> &mut Service {
        let attachments = networks.iter().map(|key| self.attachment(name, key)).collect();
        let mut container = spec;
        container.labels.insert(TEST_LABEL.0.into(), TEST_LABEL.1.into());
        let service = Service {
            name: ServiceName::new(name).unwrap(),
            image: TINY.into(),
            build: None,
            pull_policy: PullPolicy::Never,
            platform: None,
            compose_hash: String::new(),
            replicas: 1,
            container_name: None,
            depends_on: BTreeMap::new(),
            network_mode: NetworkMode::Attached,
            attachments,
            container,
            routes: Vec::new(),
            probe: None,
            rollout: Default::default(),
            files: Vec::new(),
            unwaited: false,
        };
        let key = service.name.clone();
        self.declared.services.insert(key.clone(), service);
        self.declared.services.get_mut(&key).unwrap()
    }

    pub fn attachment(&self, service: &str, key: &str) -> Attachment {
        let aliases = vec![service.to_owned(), format!("{service}-on-{key}")];
        Attachment { key: key.into(), network: format!("{}_{key}", self.name()), aliases, ..Default::default() }
    }

    pub fn context(&self) -> Context {
        Context {
            keeper: "test".into(),
            stack: self.declared.stack.clone(),
            env: None,
            declared: Some(Arc::new(self.declared.clone())),
            made: BTreeMap::new(),
            redactions: Default::default(),
            by: "a test".into(),
            cancel: Default::default(),
        }
    }

    pub async fn act(&self, action: Action) -> Result<Acted, WorldError> {
        let id = StepId(self.next_step.fetch_add(1, Ordering::Relaxed));
        let step = Step { id, action, why: "a test".into(), impact: Impact::Live, needs: Vec::new() };
        self.docker.act(&step, &self.context(), &Progress::silent()).await
    }

    pub async fn must(&self, action: Action) -> Acted {
        let said = format!("{action:?}");
        match self.act(action).await {
            Ok(acted) => acted,
            Err(error) => panic!("{said}\n{}", told(&error)),
        }
    }

    /// Makes every declared network and volume.
    pub async fn lay(&self) {
        for (key, network) in &self.declared.networks {
            self.must(Action::CreateNetwork { key: key.clone(), name: network.name.clone() }).await;
        }
        for (key, volume) in &self.declared.volumes {
            self.must(Action::CreateVolume { key: key.clone(), name: volume.name.clone() }).await;
        }
    }

    pub fn create_action(&self, service: &str) -> Action {
        let declared = &self.declared.services[&ServiceName::new(service).unwrap()];
        Action::CreateContainer {
            service: declared.name.clone(),
            number: 1,
            name: self.container(service),
            networks: declared.attachments.iter().map(|attachment| attachment.network.clone()).collect(),
            carried: Vec::new(),
        }
    }

    pub fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.name())
    }

    /// Makes the service's container and gives the target for further steps.
    pub async fn create(&self, service: &str) -> Target {
        let made = self.must(self.create_action(service)).await;
        self.target(service, &made.container_id.unwrap())
    }

    pub fn target(&self, service: &str, id: &str) -> Target {
        Target {
            name: self.container(service),
            service: Some(ServiceName::new(service).unwrap()),
            number: 1,
            container: TargetContainer::Id(id.to_owned()),
        }
    }

    pub async fn start(&self, service: &str) -> Target {
        let target = self.create(service).await;
        self.must(Action::StartContainer { target: target.clone() }).await;
        target
    }

    pub async fn wait(&self, target: &Target, condition: Condition, within_secs: u64) -> Result<Acted, WorldError> {
        self.act(Action::Await { target: target.clone(), condition, within_secs, steady_ms: 0 }).await
    }

    pub async fn look(&self) -> Observed {
        self.docker.look(&Scope::of(&self.declared)).await.unwrap()
    }

    pub async fn see(&self, service: &str) -> Container {
        self.look().await.container_named(&self.container(service)).unwrap().clone()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let label = format!("label=com.docker.compose.project={}", self.name());
        for (list, remove) in [
            (vec!["ps", "-aq", "--filter", &label], vec!["rm", "-f", "-v"]),
            (vec!["network", "ls", "-q", "--filter", &label], vec!["network", "rm"]),
            (vec!["volume", "ls", "-q", "--filter", &label], vec!["volume", "rm"]),
        ] {
            let listed = Command::new("docker").args(list).output();
            let found = listed.map(|listed| String::from_utf8_lossy(&listed.stdout).into_owned()).unwrap_or_default();
            if !found.trim().is_empty() {
                let _ = Command::new("docker").args(remove).args(found.split_whitespace()).output();
            }
        }
        // Names of ours that images of releases have; the images have others.
        let kept = format!("reference=mainstay/{}/*", self.declared.stack);
        let format = "{{.Repository}}:{{.Tag}}";
        let listed = Command::new("docker").args(["images", "--filter", &kept, "--format", format]).output();
        let names = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        for name in names.split_whitespace() {
            let _ = Command::new("docker").args(["rmi", "--force", name]).output();
        }
    }
}

/// The plain client, as somebody from outside uses it.
pub fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    text
}

pub fn id_of(target: &Target) -> &str {
    match &target.container {
        TargetContainer::Id(id) => id,
        TargetContainer::MadeBy(_) => panic!("no id"),
    }
}

/// An error with its causes, hints and log.
pub fn told(error: &WorldError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!("\n  cause: {cause}"));
        source = cause.source();
    }
    format!("{text}\n  hints: {:?}\n  log: {:?}", error.hints, error.log_tail)
}

/// `sh -c` as a container's command.
pub fn shell(script: &str) -> ContainerSpec {
    ContainerSpec { command: Some(vec!["sh".into(), "-c".into(), script.into()]), ..Default::default() }
}

/// Runs until it is told to stop, and stops at once.
pub fn idle(script: &str) -> ContainerSpec {
    shell(&format!("{script}\ntrap 'exit 0' TERM; while :; do sleep 1 & wait $!; done"))
}
