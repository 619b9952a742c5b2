//! What a person, or the loop, asked for. An order and a world give a plan.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::declared::{Attachment, Declared, Promoted};
use crate::edge::Site;
use crate::identity::{ServiceName, StackName, digest};
use crate::observed::{Observed, State};
use crate::plan::preflight::Part;
use crate::postgres::migration::{SchemaLevel, is_production};

/// An order for one stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Order {
    /// Make the world as declared.
    Up {
        declared: Box<Declared>,
        options: UpOptions,
    },
    /// Take the stack's containers and networks away; volumes only when named.
    Down(StackOrder),
    Start(StackOrder),
    Stop(StackOrder),
    Restart(StackOrder),
    /// The loop's own: bring back lost attachments of containers that are there, and start those that crashed for want
    /// of something that is back. Never anything but live steps.
    Hold {
        stack: StackName,
        services: Vec<HeldService>,
        /// Services that lean on another stack of which a container came up just now, and that stack.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        returned: BTreeMap<ServiceName, StackName>,
        /// Services that were given a network back while they ran between crashes: the next crash may still come of what
        /// they found without it.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        reattached: BTreeSet<ServiceName>,
    },
    /// The keeper's own: a release that failed or was cut off is brought to one of its two ends.
    Settle(SettleOrder),
}

/// Everything that is known of a release without its declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleOrder {
    pub stack: StackName,
    /// The containers that stood before it began.
    pub before: Vec<Stood>,
    /// The engine's ids of the networks that were there.
    pub networks: BTreeSet<String>,
    /// The digest of what the edge served of the stack; empty in records from before this was kept.
    #[serde(default)]
    pub routes: String,
    pub towards: Towards,
    /// Whether its commit is behind, so that requests are led to it.
    #[serde(default)]
    pub committed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stood {
    pub id: String,
    pub name: String,
    pub was_up: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Towards {
    /// It was not committed, or does not hold: as if it had not begun.
    Before,
    /// It was committed and stays: what it took over from goes.
    Release,
}

impl SettleOrder {
    /// What there is in the moment before a release begins.
    pub fn before(observed: &Observed) -> SettleOrder {
        let is_ours = |stack: &Option<StackName>| stack.as_ref() == Some(&observed.stack);
        let up = |state: State| matches!(state, State::Running | State::Paused | State::Restarting);
        let containers = observed.containers.iter().filter(|c| is_ours(&c.stack) && !c.one_off);
        SettleOrder {
            stack: observed.stack.clone(),
            before: containers.map(|c| Stood { id: c.id.clone(), name: c.name.clone(), was_up: up(c.state) }).collect(),
            networks: observed.networks.iter().map(|network| network.id.clone()).collect(),
            routes: digest_of_routes(observed),
            towards: Towards::Before,
            committed: false,
        }
    }

    /// Whether the edge serves something else of the stack than before: it was told, whatever was written down of that.
    pub fn edge_has_moved(&self, observed: &Observed) -> bool {
        !self.routes.is_empty() && observed.edge.is_some() && self.routes != digest_of_routes(observed)
    }

    /// Whether something ran that a failed release must give back.
    pub fn protects(&self) -> bool {
        self.before.iter().any(|was| was.was_up)
    }
}

fn digest_of_routes(observed: &Observed) -> String {
    let sites = observed.edge.iter().flat_map(|edge| &edge.sites);
    let mut sites: Vec<&Site> = sites.filter(|site| site.stack == observed.stack).collect();
    sites.sort_by_key(|site| (&site.host, &site.path));
    digest(&sites)
}

impl Order {
    pub fn stack(&self) -> &StackName {
        match self {
            Order::Up { declared, .. } => &declared.stack,
            Order::Down(order) | Order::Start(order) | Order::Stop(order) | Order::Restart(order) => &order.stack,
            Order::Hold { stack, .. } => stack,
            Order::Settle(order) => &order.stack,
        }
    }

    /// The verb as the command line says it.
    pub fn verb(&self) -> &'static str {
        match self {
            Order::Up { options: UpOptions { back_to: Some(_), .. }, .. } => "rollback",
            Order::Up { options: UpOptions { promotes: Some(_), .. }, .. } => "promote",
            Order::Up { .. } => "up",
            Order::Down(_) => "down",
            Order::Start(_) => "start",
            Order::Stop(_) => "stop",
            Order::Restart(_) => "restart",
            Order::Hold { .. } => "hold",
            Order::Settle(SettleOrder { towards: Towards::Before, .. }) => "undo",
            Order::Settle(SettleOrder { towards: Towards::Release, .. }) => "finish",
        }
    }
}

/// What `up` was told besides the declaration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpOptions {
    /// Only these and what they depend on; empty means all.
    pub services: BTreeSet<ServiceName>,
    /// Leave dependencies out.
    pub no_deps: bool,
    /// Build images even when they are there.
    pub build: bool,
    /// Pull images even when they are there.
    pub pull: bool,
    /// Replace containers that do not differ.
    pub force_recreate: bool,
    /// Give replaced containers new anonymous volumes instead of those of the containers before them.
    pub renew_anon_volumes: bool,
    /// Remove containers of services that the files no longer have; without it they are told and left.
    pub remove_orphans: bool,
    /// Make, but do not start.
    pub no_start: bool,
    /// Do not wait until services are ready; dependencies are waited for all the same.
    pub no_wait: bool,
    /// Replace containers of this stack that `docker compose` made.
    pub take_over: bool,
    /// The images were pulled and built by the plan before this one: take them as observed and compare their ids.
    pub images_are_fresh: bool,
    /// Containers (by id) that an operation has made already when it decides once more: force does not mean those.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub made: BTreeSet<String>,
    /// Routes are left to somebody else's proxy.
    pub no_edge: bool,
    /// Smoke checks are not asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_smoke: bool,
    /// The edge is brought up before this plan is applied; whoever shows the plan before that knows.
    pub edge_comes: bool,
    /// Seconds that a service may take to become ready; default 300.
    pub ready_within_secs: Option<u64>,
    /// `--env`, to be remembered with the stack; the declaration was read with it already.
    pub env: Option<String>,
    /// It was said in so many words that this is none of production, whatever `env` is.
    #[serde(skip_serializing_if = "is_false")]
    pub not_production: bool,
    /// No backup is made before migrations.
    #[serde(skip_serializing_if = "is_false")]
    pub no_backup: bool,
    /// `--profile`, to be remembered with the stack.
    pub profiles: Vec<String>,
    /// The number of the release that this goes back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_to: Option<u32>,
    /// How far the migrations of the databases were, as far as that is recorded: at the end of the release that is gone
    /// back to, else of the one that serves.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub schema_then: BTreeMap<String, SchemaLevel>,
    /// Images that were promoted, by service; the declaration has them already in the place of those of the files.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub promoted: BTreeMap<ServiceName, Promoted>,
    /// This is a promotion: of the images of these services, or of none when it goes back to those of the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotes: Option<BTreeSet<ServiceName>>,
    /// What is not looked at before the first step.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub unchecked: BTreeSet<Part>,
    /// Refuse a release after which the one that serves could not be gone back to.
    #[serde(skip_serializing_if = "is_false")]
    pub way_back_required: bool,
}

impl UpOptions {
    /// Whether this may be production.
    pub fn is_production(&self) -> bool {
        is_production(self.env.as_deref(), self.not_production)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// An order that needs no files: the world's labels say enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackOrder {
    pub stack: StackName,
    /// Empty means all.
    #[serde(default)]
    pub services: BTreeSet<ServiceName>,
    /// `down`: the engine's names of the volumes to remove.
    #[serde(default)]
    pub volumes: BTreeSet<String>,
    /// `start`, `restart`: the networks that the containers are to be on before they start. The keeper knows them.
    #[serde(default)]
    pub held: Vec<HeldService>,
    /// Seconds of grace instead of each container's own.
    #[serde(default)]
    pub timeout_secs: Option<u64>,
    /// `start`, `restart`: do not wait until services are ready.
    #[serde(default)]
    pub no_wait: bool,
}

/// A service whose attachments are held, and the names of its containers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldService {
    pub service: ServiceName,
    /// Container names that stand for the service even when a foreign command made them without labels.
    pub container_names: BTreeSet<String>,
    pub attachments: Vec<Attachment>,
}
