//! What goes over the socket under `/v1`.
//!
//! Plans, orders, events, history entries and known stacks are sent in the model's and the journal's own form: they
//! are values that are made to be stored, and a second set of the same words would only drift. What is ours, the
//! envelopes around them, stands here.
//!
//! An order carries the whole declaration with its secrets, so it only ever travels *to* the server; no answer
//! contains one.

use mainstay_engine::journal::{HistoryFilter, KnownStack, NewEntry};
use mainstay_model::identity::{OperationId, StackName};
use mainstay_model::observed::Container;
use mainstay_model::operation::{Event, Verdict};
use mainstay_model::plan::{Impact, Order, Plan};
use serde::{Deserialize, Serialize};

use crate::complaint::Complaint;
use crate::problem::{Details, Kind, Problem};

/// `GET /v1/version`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub version: String,
    pub pid: u32,
    /// The engine's version, when it answers.
    pub engine: Option<EngineVersion>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineVersion {
    pub version: String,
    pub api_version: String,
}

/// `POST /v1/plan`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanRequest {
    pub order: Order,
}

/// A plan with what consent is given to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanAnswer {
    pub digest: String,
    pub impact: Impact,
    #[serde(flatten)]
    pub plan: Plan,
}

impl From<Plan> for PlanAnswer {
    fn from(plan: Plan) -> Self {
        PlanAnswer { digest: plan.digest(), impact: plan.impact(), plan }
    }
}

/// `POST /v1/images/pin`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinRequest {
    pub image: String,
    /// No registry is asked.
    pub local: bool,
}

/// `POST /v1/apply`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApplyRequest {
    pub order: Order,
    /// The plan that was shown.
    pub digest: String,
    pub operation: OperationId,
    /// Who asks, for the record: "`mainstay up` by ada".
    pub actor: String,
}

/// One line of the answer to `POST /v1/apply`. The last line is never an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyLine {
    Event(Box<Event>),
    Verdict(Verdict),
    Error(Box<ErrorBody>),
}

/// `POST /v1/operations/{id}/cancel`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    pub operation: OperationId,
    /// False when no such operation runs.
    pub running: bool,
}

/// `GET /v1/history?…`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryQuery {
    pub stack: Option<StackName>,
    pub service: Option<String>,
    pub operation: Option<OperationId>,
    pub after: Option<i64>,
    pub limit: Option<u32>,
    pub steps: bool,
    /// One line of JSON an entry, without an end.
    pub follow: bool,
}

impl From<HistoryQuery> for HistoryFilter {
    fn from(query: HistoryQuery) -> Self {
        HistoryFilter {
            stack: query.stack,
            service: query.service,
            operation: query.operation,
            after: query.after,
            limit: query.limit,
            steps: query.steps,
        }
    }
}

/// `POST /v1/history`: a line about something that a command did by itself, such as a migration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordRequest {
    pub stack: Option<StackName>,
    pub service: Option<String>,
    pub subject: String,
    pub summary: String,
    pub cause: Option<String>,
    pub operation: Option<OperationId>,
    pub evidence: serde_json::Value,
}

impl From<NewEntry> for RecordRequest {
    fn from(entry: NewEntry) -> Self {
        let NewEntry { stack, service, subject, summary, cause, operation, evidence, .. } = entry;
        RecordRequest { stack, service, subject, summary, cause, operation, evidence }
    }
}

/// Its answer: the number of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    pub id: i64,
}

/// `GET /v1/releases?…`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReleasesQuery {
    pub stack: Option<StackName>,
    pub limit: Option<u32>,
}

/// `GET /v1/stacks/{name}`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackAnswer {
    pub stack: StackName,
    /// What the journal knows; `None` when it was not brought up here.
    pub known: Option<KnownStack>,
    pub containers: Vec<Container>,
}

/// Every answer that is not a success, and the report of `--json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub kind: Kind,
    pub code: String,
    pub message: String,
    #[serde(default)]
    pub causes: Vec<String>,
    #[serde(default)]
    pub hints: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_tail: Vec<String>,
    pub operation: Option<OperationId>,
    /// Complaints with their places, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhibit: Option<String>,
    /// The same complaints as data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub complaints: Vec<Complaint>,
    /// With `plan-changed`: the plan as it would be now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<Plan>>,
}

impl From<Problem> for ErrorBody {
    fn from(problem: Problem) -> Self {
        let problem = problem.into_details();
        ErrorBody {
            kind: problem.kind,
            code: problem.code.into_owned(),
            message: problem.message,
            causes: problem.causes,
            hints: problem.hints,
            log_tail: problem.log_tail,
            operation: problem.operation,
            exhibit: problem.exhibit,
            complaints: problem.complaints,
            plan: None,
        }
    }
}

impl From<ErrorBody> for Problem {
    fn from(body: ErrorBody) -> Self {
        let details = Details {
            kind: body.kind,
            code: body.code.into(),
            message: body.message,
            causes: body.causes,
            hints: body.hints,
            log_tail: body.log_tail,
            operation: body.operation,
            exhibit: body.exhibit,
            complaints: body.complaints,
        };
        details.into()
    }
}
