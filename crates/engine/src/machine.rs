//! One host: its Docker engine, and the edge in front of its stacks. The world that orders are carried out in.

mod act;
mod backups;
mod buckets;
mod databases;
mod probe;
mod smoke;
mod survey;

use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use mainstay_model::edge::Site;
use mainstay_model::identity::StackName;
use mainstay_model::observed::{Observed, Scope};
use mainstay_model::plan::Step;
use mainstay_model::plan::preflight::{Questions, Seen};

use crate::docker::{Docker, EngineEvent};
use crate::edge::Edge;
use crate::reconcile::{Glance, Watched};
use crate::secrets::Secrets;
use crate::world::{Acted, Context, KeptImages, Pinned, Progress, World, WorldError};

pub use backups::Vaults;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Machine {
    docker: Docker,
    pub edge: Edge,
    /// Where what containers said is kept when they go.
    logs: Arc<Path>,
    state_dir: Arc<Path>,
    vaults: Arc<Vaults>,
}

impl Machine {
    /// The host of an engine; its edge's folder lies in the state folder.
    pub fn new(docker: Docker, state_dir: &Path) -> Machine {
        Machine {
            docker,
            edge: Edge::at(state_dir.join("edge")),
            logs: state_dir.join("logs").into(),
            state_dir: state_dir.into(),
            vaults: Arc::new(Vaults::of(Secrets::of(state_dir, None))),
        }
    }

    /// The same, with what backups need of this process.
    #[must_use]
    pub fn with_vaults(self, vaults: Vaults) -> Machine {
        Machine { vaults: Arc::new(vaults), ..self }
    }

    /// Whether a look for this stack has to bring the edge too: it has routes, or is to have some.
    fn is_routed(&self, scope: &Scope) -> Result<bool, WorldError> {
        let serves = |site: &Site| site.stack == scope.stack;
        Ok(scope.edge || self.edge.kept()?.sites.iter().any(serves) || self.edge.has_preview(&scope.stack)?)
    }
}

/// Everything that concerns the engine alone.
impl Deref for Machine {
    type Target = Docker;
    fn deref(&self) -> &Docker {
        &self.docker
    }
}

impl World for Machine {
    async fn look(&self, scope: &Scope) -> Result<Observed, WorldError> {
        let mut observed = self.with_edge(scope).await?;
        if !scope.databases.is_empty() {
            observed.databases = databases::ledgers(&scope.databases, &observed).await;
        }
        if !scope.buckets.is_empty() {
            observed.buckets = buckets::seen(&scope.buckets, &observed).await;
        }
        Ok(observed)
    }

    async fn act(&self, step: &Step, context: &Context, progress: &Progress) -> Result<Acted, WorldError> {
        self.do_action(step, context, progress).await
    }

    async fn survey(&self, questions: &Questions) -> Result<Seen, WorldError> {
        self.look_around(questions).await
    }

    async fn pin(&self, image: &str, local: bool) -> Result<Pinned, WorldError> {
        self.docker.pinned(image, local).await
    }

    async fn keep_images(&self, kept: &KeptImages) -> Result<(), WorldError> {
        self.docker.name_kept_images(kept).await
    }
}

impl Machine {
    async fn with_edge(&self, scope: &Scope) -> Result<Observed, WorldError> {
        if !self.is_routed(scope)? {
            return self.docker.look(scope).await;
        }
        let mut scope = scope.clone();
        scope.container_names.insert(self.edge.settings()?.container());
        let (observed, edge) = tokio::join!(self.docker.look(&scope), self.edge.seen());
        let mut observed = observed?;
        observed.edge = Some(edge?);
        Ok(observed)
    }
}

impl Watched for Machine {
    fn watch(&self, since_nanos: Option<i64>) -> BoxStream<'static, Result<EngineEvent, WorldError>> {
        self.docker.watch(since_nanos)
    }

    fn did(&self, event: &EngineEvent) -> bool {
        self.docker.did(event)
    }

    async fn given_back(&self) -> Vec<EngineEvent> {
        self.docker.given_back().await
    }

    async fn glance(&self, container: &str) -> Result<Option<Glance>, WorldError> {
        self.docker.glance(container).await
    }

    async fn labelled(&self, keeper: &str) -> Result<BTreeSet<StackName>, WorldError> {
        self.docker.labelled(keeper).await
    }
}

/// "1 line", "12 lines".
fn lines(count: usize) -> String {
    if count == 1 { "1 line".to_owned() } else { format!("{count} lines") }
}
