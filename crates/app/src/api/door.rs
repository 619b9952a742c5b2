//! The door for commands over HTTPS: `GET /v1/commands` with a token, which becomes a link. Nothing else of the server is
//! to be had from outside.

mod listener;
mod patience;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONNECTION, RETRY_AFTER, UPGRADE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hyper_util::rt::TokioIo;
use mainstay_engine::tokens::{Refused, Tokens};
use tokio::sync::Semaphore;

use super::error::{ApiError, no_such_resource, no_such_verb};
use crate::problem::{Kind, Problem};
use crate::remote::https::{PATH, UPGRADED};
use crate::remote::there::There;
use crate::remote::there::powers::Powers;

pub use listener::{Listener, Peer};
use patience::Patience;

/// So many commands run at once for those outside.
const MOST_AT_ONCE: usize = 32;

/// What the door needs.
#[derive(Clone)]
pub struct Door {
    tokens: Tokens,
    there: There,
    patience: Arc<Patience>,
    places: Arc<Semaphore>,
}

impl Door {
    /// `there` with the powers that a token gives is who runs a command.
    pub fn new(tokens: Tokens, there: There) -> Door {
        Door { tokens, there, patience: Arc::default(), places: Arc::new(Semaphore::new(MOST_AT_ONCE)) }
    }

    pub fn router(self) -> Router {
        Router::new()
            .route(PATH, get(enter))
            .fallback(no_such_resource)
            .method_not_allowed_fallback(no_such_verb)
            .with_state(self)
    }

    /// Who shows this token, unless too many wrong ones came from there.
    fn powers(&self, from: IpAddr, token: Option<&str>) -> Result<Powers, Box<Response>> {
        if let Some(seconds) = self.patience.is_over(from) {
            let problem = Problem::usage("too-many-tokens", "too many wrong tokens came from this address")
                .hint(format!("wait {seconds} s, and use a token that is right"));
            let mut response = refused(StatusCode::TOO_MANY_REQUESTS, problem);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            return Err(Box::new(response));
        }
        let Some(token) = token else {
            let problem = Problem::usage("no-token", "over HTTPS a token says who asks, and there is none");
            return Err(Box::new(refused(StatusCode::UNAUTHORIZED, problem)));
        };
        match self.tokens.check(token) {
            Ok(token) => Ok(Powers { who: format!("the token {}", token.name), scopes: Some(token.scopes) }),
            Err(error @ Refused::Unknown) => {
                self.patience.wrong(from);
                let problem = Problem::usage("bad-token", error.to_string())
                    .hint("see those that there are, on the server: `mainstay token ls`");
                Err(Box::new(refused(StatusCode::UNAUTHORIZED, problem)))
            }
            Err(error @ Refused::Expired { .. }) => {
                let problem = Problem::usage("token-expired", error.to_string())
                    .hint("make a new one, on the server: `mainstay token rotate NAME`");
                Err(Box::new(refused(StatusCode::UNAUTHORIZED, problem)))
            }
            Err(Refused::Disk(error)) => Err(Box::new(ApiError::from(Problem::from(error)).into_response())),
        }
    }
}

fn refused(status: StatusCode, problem: Problem) -> Response {
    ApiError::with(status, problem).into_response()
}

async fn enter(State(door): State<Door>, ConnectInfo(Peer(from)): ConnectInfo<Peer>, request: Request) -> Response {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let token = header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let powers = match door.powers(SocketAddr::ip(&from), token) {
        Ok(powers) => powers,
        Err(response) => return *response,
    };
    if header(UPGRADE) != Some(UPGRADED) {
        let problem = Problem::usage("bad-request", "commands come over a connection that is upgraded")
            .hint("`mainstay --host URL` does so; a proxy in between has to let upgrades through");
        return refused(StatusCode::UPGRADE_REQUIRED, problem);
    }
    let Ok(place) = Arc::clone(&door.places).try_acquire_owned() else {
        let problem = Problem::new(Kind::World, "too-many-commands", "too many commands run there at once");
        return refused(StatusCode::SERVICE_UNAVAILABLE, problem.hint("run it again in a moment"));
    };
    let there = There { powers, ..door.there };
    let upgrading = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrading.await {
            let (from, to) = tokio::io::split(TokioIo::new(upgraded));
            there.serve(from, to).await;
        }
        drop(place);
    });
    let headers = [(CONNECTION, "upgrade"), (UPGRADE, UPGRADED)];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}
