//! `GET /v1/stacks` and `GET /v1/stacks/{name}`

use axum::Json;
use axum::extract::{Path, State};
use mainstay_engine::World;
use mainstay_engine::journal::KnownStack;
use mainstay_model::identity::StackName;
use mainstay_model::observed::Scope;

use super::Api;
use super::error::Answer;
use crate::problem::Problem;
use crate::wire::StackAnswer;

pub async fn list<W: World + Clone>(State(api): State<Api<W>>) -> Answer<Vec<KnownStack>> {
    Ok(Json(api.keeper.stacks()?))
}

pub async fn show<W: World + Clone>(State(api): State<Api<W>>, Path(name): Path<String>) -> Answer<StackAnswer> {
    let stack = StackName::new(name).map_err(Problem::from)?;
    let known = api.keeper.stacks()?.into_iter().find(|one| one.stack == stack);
    let observed = api.keeper.look(&Scope::of_stack(stack.clone())).await?;
    if known.is_none() && observed.containers.is_empty() {
        return Err(Problem::world("no-such-stack", format!("the stack `{stack}` is not known here")).into());
    }
    Ok(Json(StackAnswer { stack, known, containers: observed.containers }))
}
