//! The two verbs that the engine has for the world: look and act.
//!
//! Spoken in model types only. [`crate::docker::Docker`] implements them on a real engine; tests put a thin wrapper
//! over `model::sim` in its place, with faults.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use mainstay_model::declared::Declared;
use mainstay_model::identity::StackName;
use mainstay_model::observed::{Observed, Scope};
use mainstay_model::operation::BuildNews;
use mainstay_model::plan::preflight::{Questions, Seen};
use mainstay_model::plan::{Step, StepId};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::secrets::Redactions;

pub trait World: Send + Sync + 'static {
    /// One scoped snapshot, settled (sorted).
    ///
    /// # Errors
    /// When the engine cannot be reached or refuses the listing itself; what cannot be read of a single thing
    /// stands in [`Observed::unreadable`] instead.
    fn look(&self, scope: &Scope) -> impl Future<Output = Result<Observed, WorldError>> + Send;

    /// Does one step and returns when the world was seen to be as the step says.
    ///
    /// A step that is already true succeeds. Dropping the future cancels what can be cancelled (a build, a pull, a wait).
    ///
    /// # Errors
    /// With the thing's name, the cause chain, hints, and a failed container's last lines.
    fn act(
        &self,
        step: &Step,
        context: &Context,
        progress: &Progress,
    ) -> impl Future<Output = Result<Acted, WorldError>> + Send;

    /// Looks at what could make a release fail. What cannot be known stays out of the answer, as everything does in a
    /// world that knows nothing of it.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    fn survey(&self, _questions: &Questions) -> impl Future<Output = Result<Seen, WorldError>> + Send {
        async { Ok(Seen::default()) }
    }

    /// What the tag of an image is now: by its registry, or with `local` on this host alone.
    ///
    /// # Errors
    /// When the engine cannot be asked, or the registry does not answer and the image is not of this host.
    fn pin(&self, image: &str, _local: bool) -> impl Future<Output = Result<Pinned, WorldError>> + Send {
        let missing = Pinned::Missing { why: format!("`{image}` is not known here") };
        async { Ok(missing) }
    }

    /// Gives each image to be kept a name of ours, and takes such names away from those of a stack that are not to be
    /// kept any more. No image goes by that: one without another name is left without any.
    ///
    /// # Errors
    /// When the engine cannot be asked, or refuses.
    fn keep_images(&self, _kept: &KeptImages) -> impl Future<Output = Result<(), WorldError>> + Send {
        async { Ok(()) }
    }
}

/// What a tag was found to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pinned {
    /// The registry has this digest under it.
    Digest(String),
    /// It is on this host, by the engine's id, and not of a registry; `why` is what its registry said when it was asked.
    Local { id: String, why: Option<String> },
    /// There is no such tag.
    Missing { why: String },
}

/// The images of the releases of one stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptImages {
    /// Name to the engine's id: these are kept.
    pub keep: BTreeMap<String, String>,
    /// Those that were, and are not to be any more.
    pub let_go: BTreeMap<String, String>,
}

/// What an act may need besides its step.
#[derive(Clone, Debug)]
pub struct Context {
    pub stack: StackName,
    /// There for `up`: the specs that `CreateContainer`, `CreateNetwork`, `BuildImage`… take by name.
    pub declared: Option<Arc<Declared>>,
    /// The environment that the declaration was read with: what is kept of a stack is kept apart for each.
    pub env: Option<Arc<str>>,
    /// Whose state folder keeps what is made: the value of our label on containers.
    pub keeper: Arc<str>,
    /// Container ids that earlier steps of this plan made.
    pub made: BTreeMap<StepId, String>,
    /// What must stand in nothing that an act writes down.
    pub redactions: Redactions,
    /// Who asked for it, for what keeps a record of its own.
    pub by: Arc<str>,
    /// An act that cannot simply be dropped ends early when it is cancelled, as soon as that is safe.
    pub cancel: CancellationToken,
}

/// What an act leaves for later steps and for the record.
#[derive(Clone, Debug, Default)]
pub struct Acted {
    /// Set by `CreateContainer`.
    pub container_id: Option<String>,
    /// A short remark for the progress line: `healthy`, `pulled 31 MB`, `was there`.
    pub detail: Option<String>,
}

/// Where an act tells how far it is, already free of secrets.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(Told) + Send + Sync>);

/// One thing that an act tells on its way.
#[derive(Clone, Debug)]
pub enum Told {
    Line(String),
    Build(BuildNews),
}

impl Progress {
    pub fn new(tell: impl Fn(Told) + Send + Sync + 'static) -> Self {
        Progress(Arc::new(tell))
    }

    pub fn silent() -> Self {
        Progress::new(|_| {})
    }

    pub fn tell(&self, line: impl Into<String>) {
        (self.0)(Told::Line(line.into()));
    }

    pub(crate) fn build(&self, news: BuildNews) {
        (self.0)(Told::Build(news));
    }
}

/// Something that the world refused or that could not be seen.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct WorldError {
    /// What was being done to which thing, as a lowercase fragment with names in backticks.
    pub message: String,
    pub hints: Vec<String>,
    /// The last lines of the container or the build concerned, oldest first.
    pub log_tail: Vec<String>,
    /// True when trying again later may help (engine away, time-out).
    pub transient: bool,
    /// True when the answer contradicts what the plan was made from: a name is in use, a thing is gone, a state is
    /// another. The plan may be out of date; only a new look can tell.
    pub contradicts: bool,
    /// True when the act ended because its cancel was called.
    pub cancelled: bool,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl WorldError {
    pub fn new(message: impl Into<String>) -> Self {
        WorldError {
            message: message.into(),
            hints: Vec::new(),
            log_tail: Vec::new(),
            transient: false,
            contradicts: false,
            cancelled: false,
            source: None,
        }
    }

    /// The same error, told as one that contradicts what the plan was made from.
    #[must_use]
    pub fn contradicting(mut self) -> Self {
        self.contradicts = true;
        self
    }

    /// A new error around this one, which keeps what it said of itself.
    #[must_use]
    pub(crate) fn within(self, message: impl Into<String>) -> Self {
        let WorldError { hints, log_tail, transient, contradicts, .. } = &self;
        let outer = WorldError {
            hints: hints.clone(),
            log_tail: log_tail.clone(),
            transient: *transient,
            contradicts: *contradicts,
            ..WorldError::new(message)
        };
        outer.caused_by(self)
    }

    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}
