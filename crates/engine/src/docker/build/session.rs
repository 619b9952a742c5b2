//! A BuildKit session: a connection on which the *engine* asks and this side answers, for the length of one build. It
//! asks for the context's files, for the secrets that an instruction mounts, for the logins to registries, and for
//! the agent that holds SSH keys. What is given here reaches the instruction that asks and no layer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bollard::errors::Error;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioExecutor;
use mainstay_model::declared::Hidden;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::filesync::{self, Source};
use super::grpc::{Answer, Call, Messages, Reply, Status, answer};
use super::proto::{AgentAsked, Health, LoginAsked, LoginGiven, Nothing, Piece, SecretAsked, SecretGiven};
use super::weight::Weight;
use crate::docker::registry::Logins;
use crate::docker::wire::Wire;

const HEALTH: &str = "/grpc.health.v1.Health/Check";
const FILES: &str = "/moby.filesync.v1.FileSync/DiffCopy";
const SECRET: &str = "/moby.buildkit.secrets.v1.Secrets/GetSecret";
const LOGIN: &str = "/moby.filesync.v1.Auth/Credentials";
const AGENT: &str = "/moby.sshforward.v1.SSH/CheckAgent";
const AGENT_TALK: &str = "/moby.sshforward.v1.SSH/ForwardAgent";

/// What one build may ask for.
pub(super) struct Offer {
    /// By the name under which the builder asks: `context`, `dockerfile`.
    pub(super) sources: BTreeMap<&'static str, Arc<Source>>,
    pub(super) secrets: BTreeMap<String, Hidden>,
    pub(super) logins: Logins,
    /// The sockets of SSH agents, by the id that an instruction names.
    pub(super) agents: BTreeMap<String, PathBuf>,
    /// Grows while the context is told.
    pub(super) weight: Arc<Mutex<Weight>>,
}

/// A session that stands as long as this is held.
pub(super) struct Session {
    pub(super) id: String,
    over: CancellationToken,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

impl Session {
    /// Opens a session. The shared key lets the engine find what it has of the same folder from the last time.
    pub(super) async fn open(wire: &Wire, shared_key: &str, offer: Offer) -> Result<Session, Error> {
        let id = random_id()?;
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("h2c"));
        let own = |name: &'static str| HeaderName::from_static(name);
        headers.insert(own("x-docker-expose-session-uuid"), value(&id)?);
        headers.insert(own("x-docker-expose-session-name"), HeaderValue::from_static("mainstay"));
        headers.insert(own("x-docker-expose-session-sharedkey"), value(shared_key)?);
        for method in offer.methods() {
            headers.append(own("x-docker-expose-session-grpc-method"), HeaderValue::from_static(method));
        }
        let connection = wire.upgrade("/session", headers).await?;
        let over = CancellationToken::new();
        let ended = over.clone();
        let offer = Arc::new(offer);
        tokio::spawn(async move {
            tokio::select! {
                () = serve(connection, &offer, &ended) => {}
                () = ended.cancelled() => {}
            }
        });
        Ok(Session { id, over })
    }
}

fn value(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|error| Error::from(hyper::http::Error::from(error)))
}

/// What names a session or a build: it is a key to what the build is given, so it cannot be guessed.
pub(super) fn random_id() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::IOError { err: std::io::Error::other(error.to_string()) })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn serve(connection: Upgraded, offer: &Arc<Offer>, over: &CancellationToken) {
    let service = service_fn(|request: Request<Incoming>| {
        let (offer, over) = (offer.clone(), over.clone());
        async move { Ok::<Answer, std::convert::Infallible>(respond(request, offer, over)) }
    });
    // The end of the build ends the connection, in the middle of whatever it is.
    let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(connection, service).await;
}

/// Answers at once and works on: messages and the status follow on the same stream.
fn respond(request: Request<Incoming>, offer: Arc<Offer>, over: CancellationToken) -> Answer {
    let (reply, end, response) = answer();
    tokio::spawn(async move {
        let answered = tokio::select! {
            answered = offer.answer(Call::of(request), reply) => answered,
            () = over.cancelled() => Err(Status::gone()),
        };
        let _ = end.send(answered);
    });
    response
}

impl Offer {
    fn methods(&self) -> Vec<&'static str> {
        let mut methods = vec![HEALTH, FILES, LOGIN];
        if !self.secrets.is_empty() {
            methods.push(SECRET);
        }
        if !self.agents.is_empty() {
            methods.extend([AGENT, AGENT_TALK]);
        }
        methods
    }

    fn answer(&self, mut call: Call, reply: Reply) -> BoxFuture<'_, Result<(), Status>> {
        async move {
            match call.method.as_str() {
                HEALTH => reply.send(&Health { status: 1 }).await,
                FILES => self.files(call, reply).await,
                SECRET => reply.send(&self.secret(&call.messages.only::<SecretAsked>().await?)?).await,
                LOGIN => reply.send(&self.login(&call.messages.only::<LoginAsked>().await?)).await,
                AGENT => {
                    self.agent(&call.messages.only::<AgentAsked>().await?.id)?;
                    reply.send(&Nothing {}).await
                }
                AGENT_TALK => {
                    let id = call.metadata.get("buildkit.ssh.id").and_then(|id| id.to_str().ok());
                    talk(self.agent(id.unwrap_or_default())?, call.messages, &reply).await
                }
                _ => Err(Status::unimplemented()),
            }
        }
        .boxed()
    }

    async fn files(&self, call: Call, reply: Reply) -> Result<(), Status> {
        let name = call.metadata.get("dir-name").and_then(|name| name.to_str().ok()).unwrap_or_default();
        let source = self.sources.get(name).ok_or_else(|| Status::not_found(format!("there is no source `{name}`")))?;
        let weight = (name == "context").then(|| self.weight.clone());
        filesync::synchronise(source.clone(), &call.metadata, call.messages, reply, weight).await
    }

    fn secret(&self, asked: &SecretAsked) -> Result<SecretGiven, Status> {
        let secret = self.secrets.get(&asked.id);
        let secret = secret.ok_or_else(|| Status::not_found(format!("secret {}: not found", asked.id)))?;
        Ok(SecretGiven { data: secret.reveal().as_bytes().to_vec() })
    }

    /// No login is an answer too: the registry is asked without one.
    fn login(&self, asked: &LoginAsked) -> LoginGiven {
        let (username, secret) = self.logins.pair(&asked.host).unwrap_or_default();
        LoginGiven { username, secret }
    }

    fn agent(&self, id: &str) -> Result<&PathBuf, Status> {
        let id = if id.is_empty() { "default" } else { id };
        self.agents.get(id).ok_or_else(|| Status::not_found(format!("no SSH agent `{id}` is declared")))
    }
}

/// Carries the conversation between an instruction and the SSH agent.
async fn talk(agent: &PathBuf, mut messages: Messages, reply: &Reply) -> Result<(), Status> {
    let stream = UnixStream::connect(agent).await;
    let stream = stream.map_err(|error| Status::internal(format!("the SSH agent does not answer: {error}")))?;
    let (mut from_agent, mut to_agent) = stream.into_split();
    let failed = |error: std::io::Error| Status::internal(format!("the SSH agent: {error}"));
    let asking = async {
        while let Some(piece) = messages.next::<Piece>().await? {
            to_agent.write_all(&piece.data).await.map_err(failed)?;
        }
        Ok(())
    };
    let answering = async {
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let read = from_agent.read(&mut bytes).await.map_err(failed)?;
            if read == 0 {
                return Ok(());
            }
            reply.send(&Piece { data: bytes::Bytes::copy_from_slice(&bytes[..read]) }).await?;
        }
    };
    tokio::select! {
        asked = asking => asked,
        answered = answering => answered,
    }
}
