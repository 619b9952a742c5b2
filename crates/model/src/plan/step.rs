//! The words of a plan: an enum of actions, each case with its data.

use serde::{Deserialize, Serialize};

use crate::declared::{Attachment, Condition};
use crate::identity::{ServiceName, StackName, digest};
use crate::observed::{AnonymousVolume, Container};
use crate::smoke::Whence;

/// Ordered steps toward one order for one stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub stack: StackName,
    /// The order's verb.
    pub verb: String,
    /// In an order in which they could run one by one; `needs` says what may run side by side.
    pub steps: Vec<Step>,
    /// Warnings, notes and refusals that belong to the plan. A plan with a refusal is not applied.
    pub findings: Vec<Finding>,
    /// Services that are as declared already.
    pub unchanged: Vec<ServiceName>,
}

impl Plan {
    /// Stable text for "the same plan": consent is given to a digest.
    pub fn digest(&self) -> String {
        let refusals: Vec<&Finding> = self.refusals().collect();
        digest(&(&self.stack, &self.verb, &self.steps, refusals))
    }

    /// The plan in which there is nothing to do.
    pub fn empty(stack: StackName, verb: &str) -> Plan {
        Plan { stack, verb: verb.into(), steps: Vec::new(), findings: Vec::new(), unchanged: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The order as a thing: "the promotion of `shop`".
    pub fn noun(&self) -> &str {
        match self.verb.as_str() {
            "promote" => "promotion",
            verb => verb,
        }
    }

    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// The gravest impact among the steps.
    pub fn impact(&self) -> Impact {
        self.steps.iter().map(|step| step.impact).max().unwrap_or(Impact::Live)
    }

    pub fn refusals(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.level == Level::Refusal)
    }
}

/// Counted from 1 inside one plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub id: StepId,
    pub action: Action,
    /// Why this step is there, as a lowercase fragment: "`environment.LOG_LEVEL` differs".
    pub why: String,
    pub impact: Impact,
    /// Steps that must have succeeded before; all have smaller ids.
    pub needs: Vec<StepId>,
}

/// What a step does to what runs, from harmless to grave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    /// Nothing that runs is restarted.
    Live,
    /// A new container takes over.
    Replace,
    /// A service is down for a moment, or for good.
    Interrupt,
    /// Data goes.
    Destroy,
}

/// One thing done to the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    PullImage {
        image: String,
        platform: Option<String>,
    },
    /// Builds the image of a declared service and tags it.
    BuildImage {
        service: ServiceName,
        image: String,
    },
    /// Makes a declared network; `key` is its key in the file.
    CreateNetwork {
        key: String,
        name: String,
    },
    RemoveNetwork {
        id: String,
        name: String,
    },
    CreateVolume {
        key: String,
        name: String,
    },
    RemoveVolume {
        name: String,
    },
    /// Makes a container of a declared service, with all its networks, not started. `name` may be a temporary one.
    CreateContainer {
        service: ServiceName,
        number: u32,
        name: String,
        networks: Vec<String>,
        /// Anonymous volumes of the container before it, mounted at the same paths.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        carried: Vec<AnonymousVolume>,
    },
    /// Starts a container; one that the engine holds back after a crash is started at once.
    StartContainer {
        target: Target,
    },
    /// Signals, waits for the grace, then kills. `grace_secs` `None` means the container's own.
    StopContainer {
        target: Target,
        grace_secs: Option<u64>,
    },
    /// Removes a container that does not run, and its anonymous volumes only when `volumes` says so.
    RemoveContainer {
        target: Target,
        volumes: bool,
    },
    RenameContainer {
        target: Target,
        to: String,
    },
    /// Joins a network while the container runs or before it starts.
    Attach {
        target: Target,
        attachment: Attachment,
    },
    /// Leaves a network: only ever a dead endpoint, or one with wrong aliases just before it is joined anew.
    Detach {
        target: Target,
        network: String,
        network_id: String,
    },
    /// Waits until the container meets the condition. `within_secs` ends the patience.
    Await {
        target: Target,
        condition: Condition,
        within_secs: u64,
        /// What stands in for a health check where the container has none: it has to stay running for so long without a
        /// crash. 0 when a check, or its end, is what tells.
        #[serde(default, skip_serializing_if = "is_zero")]
        steady_ms: u64,
    },
    /// Asks a container until it answers as declared, and goes on asking for a while.
    Probe {
        target: Target,
        question: Question,
        within_secs: u64,
        /// It has to answer well for so long without a miss.
        stable_ms: u64,
    },
    /// The one point at which a release begins to serve, all of it: the edge leads to its containers from here on. What
    /// comes before it can be taken back; what comes after it only clears away.
    Commit {
        /// All routes of the services that the order is about; the edge acknowledges them.
        routes: Vec<PlannedRoute>,
        /// Services whose routes stay as they are, because the order is not about them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        kept: Vec<ServiceName>,
        /// What was served until now and is no more, as people write it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lost: Vec<String>,
        /// Whether the edge has to be told anything.
        tells_edge: bool,
    },
    /// Waits until requests that are under way in a container which gets no new ones are answered, for so long at most.
    Drain {
        target: Target,
        within_secs: u64,
    },
    /// Keeps what a container has said, because it is about to go.
    KeepLogs {
        target: Target,
    },
    /// Takes all routes of the stack off the edge.
    Unroute {
        /// As people write them.
        addresses: Vec<String>,
    },
    /// Applies what is pending of these files to a database, in order, each with its row in the ledger. What was applied
    /// stays, whatever becomes of the release.
    Migrate {
        /// Its name in the declaration.
        database: String,
        /// The container that it is in; `None` for a server elsewhere.
        at: Option<Target>,
        files: Vec<PlannedMigration>,
        /// Whether all of them are pending. Else the ledger cannot be read before the step begins, and those that turn
        /// out to be pending are applied.
        is_certain: bool,
        /// Whether this plan makes the database, so that it holds nothing that could be lost.
        is_new: bool,
    },
    /// Backs a database up to where it is declared, before a migration: the way back from it. One of which nothing turns
    /// out to be pending is left alone.
    BackUp {
        /// Its name in the declaration.
        database: String,
        /// The container that it is in; `None` for a server elsewhere.
        at: Option<Target>,
        /// Where it goes, as people write it.
        to: String,
        /// Whether something surely is pending. Else the ledger cannot be read before the step begins.
        is_certain: bool,
    },
    /// Makes a declared bucket at its server, private, with its settings; one that is there is left alone.
    MakeBucket {
        /// Its name in the declaration.
        bucket: String,
        /// As its server knows it.
        name: String,
        /// The container of its server; `None` for a server elsewhere.
        at: Option<Target>,
        /// Whether it is known not to be there. Else its server cannot be asked before the step begins.
        is_certain: bool,
    },
    /// Asks smoke checks of the stack until each holds or its time is over. Fails when one does not hold.
    Smoke {
        stage: Stage,
        checks: Vec<PlannedCheck>,
        /// What the edge's private door leads to meanwhile: all routes that the order is about, as they are once it is
        /// committed. Empty where no check needs it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        preview: Vec<PlannedRoute>,
        /// Services whose routes stay as they are, because the order is not about them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        kept: Vec<ServiceName>,
    },
    /// Leads requests back to what they were led to before the release.
    LeadBack {
        /// As people write them.
        addresses: Vec<String>,
    },
    /// Closes the edge's private door to a release that does not come.
    ClosePreview,
}

/// A migration as a plan knows it; its text stays in the declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedMigration {
    pub file: String,
    pub sha256: String,
}

/// When smoke checks are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Visitors still get what was there before.
    BeforeCommit,
    /// Visitors get the release, and what was there before still runs: it can be led back.
    AfterCommit,
    /// In a plan without a commit: once everything else is done.
    AtEnd,
}

/// A smoke check as a plan knows it: what is sent and expected stays in the declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCheck {
    /// Its place among the checks of the declaration, from 0.
    pub index: usize,
    /// As a line shows it: its name, or `GET https://shop.example.com`.
    pub shown: String,
    pub from: Whence,
    /// Whether it is asked behind the edge's private door.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_previewed: bool,
    /// The containers that answer it, where that is known: their last lines tell why it does not hold. From inside, the
    /// first of them is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answered_by: Vec<Target>,
}

/// What a container is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    pub port: u16,
    /// With its query.
    pub path: String,
    /// `None`: any answer at all proves that somebody listens.
    pub status: Option<u16>,
    /// The name under which it will be asked for; a service may answer others with an error.
    pub host: Option<String>,
    /// Whether a connection is enough, whatever is said over it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tcp: bool,
    #[serde(default, skip_serializing_if = "Asker::is_the_edge")]
    pub asker: Asker,
}

/// From where a container is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asker {
    /// From where the edge stands, as visitors will reach it.
    #[default]
    Edge,
    /// From the engine's host, at the container's address: nothing leads from the edge to it.
    Host,
}

impl Asker {
    fn is_the_edge(&self) -> bool {
        *self == Asker::Edge
    }
}

/// One host and path, and the containers that it leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRoute {
    pub service: ServiceName,
    pub host: String,
    pub path: String,
    /// Empty for a redirect, and for a service without a container.
    pub to: Vec<Target>,
}

impl PlannedRoute {
    /// As people write it: `shop.example.com/api`.
    pub fn address(&self) -> String {
        crate::edge::site::address(&self.host, &self.path)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Action {
    /// The container that the action is about, when it is there already or made by an earlier step.
    pub fn target(&self) -> Option<&Target> {
        match self {
            Action::StartContainer { target }
            | Action::StopContainer { target, .. }
            | Action::RemoveContainer { target, .. }
            | Action::RenameContainer { target, .. }
            | Action::Attach { target, .. }
            | Action::Detach { target, .. }
            | Action::Await { target, .. }
            | Action::Probe { target, .. }
            | Action::Drain { target, .. }
            | Action::KeepLogs { target } => Some(target),
            _ => None,
        }
    }

    /// The same, for the planner's own numbering.
    pub(super) fn targets_mut(&mut self) -> Vec<&mut Target> {
        match self {
            Action::Migrate { at, .. } | Action::BackUp { at, .. } | Action::MakeBucket { at, .. } => {
                at.iter_mut().collect()
            }
            Action::Commit { routes, .. } => routes.iter_mut().flat_map(|route| &mut route.to).collect(),
            Action::Smoke { checks, preview, .. } => {
                let of_checks = checks.iter_mut().flat_map(|check| &mut check.answered_by);
                of_checks.chain(preview.iter_mut().flat_map(|route| &mut route.to)).collect()
            }
            Action::StartContainer { target }
            | Action::StopContainer { target, .. }
            | Action::RemoveContainer { target, .. }
            | Action::RenameContainer { target, .. }
            | Action::Attach { target, .. }
            | Action::Detach { target, .. }
            | Action::Await { target, .. }
            | Action::Probe { target, .. }
            | Action::Drain { target, .. }
            | Action::KeepLogs { target } => vec![target],
            _ => Vec::new(),
        }
    }

    pub fn makes_container(&self) -> bool {
        matches!(self, Action::CreateContainer { .. })
    }

    /// The service whose containers or image the action is about.
    pub fn service(&self) -> Option<&ServiceName> {
        match self {
            Action::BuildImage { service, .. } | Action::CreateContainer { service, .. } => Some(service),
            _ => self.target().and_then(|target| target.service.as_ref()),
        }
    }
}

impl Target {
    /// A container as it was observed.
    pub fn observed(container: &Container) -> Self {
        Target {
            name: container.name.clone(),
            service: container.service.clone(),
            number: container.number,
            container: TargetContainer::Id(container.id.clone()),
        }
    }
}

/// A container that a step acts on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its name when the step runs, for people and for containers that this plan makes.
    pub name: String,
    pub service: Option<ServiceName>,
    pub number: u32,
    pub container: TargetContainer,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetContainer {
    /// One that was observed.
    Id(String),
    /// The one that an earlier step of this plan makes.
    MadeBy(StepId),
}

/// Something to know about a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    pub level: Level,
    /// A stable word, such as `unresolvable-host`.
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The plan must not be applied.
    Refusal,
    Warning,
    Note,
}
