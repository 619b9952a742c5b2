//! Every answer that is not a success: a status, and the problem in the same words as on the command line.

use axum::Json;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mainstay_engine::KeeperError;
use serde::de::DeserializeOwned;

use crate::problem::{Kind, Problem};
use crate::wire::ErrorBody;

pub struct ApiError {
    status: StatusCode,
    body: Box<ErrorBody>,
}

pub type Answer<T> = Result<Json<T>, ApiError>;

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        ApiError { status: status(&problem), body: Box::new(problem.into()) }
    }
}

impl From<KeeperError> for ApiError {
    fn from(error: KeeperError) -> Self {
        ApiError::from_body(error_body(error))
    }
}

impl ApiError {
    /// A problem whose status is known better where it arose.
    pub fn with(status: StatusCode, problem: Problem) -> Self {
        ApiError { status, body: Box::new(problem.into()) }
    }

    pub fn from_body(body: ErrorBody) -> Self {
        ApiError { status: status(&Problem::from(body.clone())), body: Box::new(body) }
    }
}

/// A keeper's error on the wire; a plan that changed travels with it.
pub fn error_body(error: KeeperError) -> ErrorBody {
    let plan = match &error {
        KeeperError::PlanChanged { plan } => Some(plan.clone()),
        _ => None,
    };
    ErrorBody { plan, ..ErrorBody::from(Problem::from(error)) }
}

fn status(problem: &Problem) -> StatusCode {
    match (problem.kind, problem.code.as_ref()) {
        (_, "busy" | "plan-changed" | "plan-refused") => StatusCode::CONFLICT,
        (_, "no-such-resource" | "no-such-stack") => StatusCode::NOT_FOUND,
        (_, "no-such-verb") => StatusCode::METHOD_NOT_ALLOWED,
        (_, "engine-away" | "stopping") => StatusCode::SERVICE_UNAVAILABLE,
        (Kind::Usage, _) => StatusCode::BAD_REQUEST,
        (Kind::Files, _) => StatusCode::UNPROCESSABLE_ENTITY,
        (Kind::World, _) => StatusCode::BAD_GATEWAY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A request's body as a value.
///
/// # Errors
/// When it is not one, without repeating what it held: an order has secrets in it.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("at line {} column {} of the body", error.line(), error.column());
        let mut problem = Problem::usage("bad-request", format!("the request could not be read {place}"));
        problem.hints.push("compare the versions of both sides: `mainstay version`".to_owned());
        problem
    })
}

pub async fn no_such_resource(request: Request) -> ApiError {
    Problem::usage("no-such-resource", format!("there is nothing at `{}`", request.uri().path())).into()
}

pub async fn no_such_verb(request: Request) -> ApiError {
    let message = format!("`{}` takes no {}", request.uri().path(), request.method());
    Problem::usage("no-such-verb", message).into()
}
