//! A further program in a running container, with its input, output and exit code.

use std::pin::Pin;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ExecConfig, IdResponse};
use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt};
use hyper::Method;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, UPGRADE};
use hyper_util::rt::TokioIo;
use mainstay_model::declared::Hidden;
use serde_json::json;
use tokio::io::AsyncWrite;
use tokio_util::io::ReaderStream;

use super::frames::{Framing, frames};
use super::logs::LogStream;
use super::refusal::{Refusal, message};
use super::{ANSWER_WITHIN, Docker, timed, wire};
use crate::world::WorldError;

/// Of a program's output, at most at a time; the engine sends 32 KiB in one.
const READ_BYTES: usize = 64 << 10;

#[derive(Clone, Debug, Default)]
pub struct ExecOptions {
    pub command: Vec<String>,
    /// Give it a terminal: one stream of output, and the input's bytes are keys.
    pub tty: bool,
    /// Open its standard input.
    pub stdin: bool,
    pub env: Vec<(String, Hidden)>,
    pub user: Option<String>,
    pub working_dir: Option<String>,
    pub privileged: bool,
}

/// A piece of output as it came, not cut to lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecOutput {
    pub stream: LogStream,
    pub bytes: Bytes,
}

/// A program that runs in a container. Dropping it leaves the program running there.
pub struct Exec {
    docker: Docker,
    id: String,
    container: String,
    /// Its standard input, when it was asked for; shut it down to end the input.
    pub input: Option<Pin<Box<dyn AsyncWrite + Send>>>,
    /// Ends when the program does.
    pub output: Pin<Box<dyn Stream<Item = Result<ExecOutput, WorldError>> + Send>>,
}

impl Docker {
    /// Starts a program in a running container.
    ///
    /// # Errors
    /// When the container does not run. A program that is not there ends with 126 or 127, and [`Exec::never_began`].
    pub async fn exec(&self, container_id: &str, options: ExecOptions) -> Result<Exec, WorldError> {
        let refusal = || Refusal::new(format!("nothing could be run in `{container_id}`"));
        let config = ExecConfig {
            attach_stdin: Some(options.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(options.tty),
            env: Some(options.env.iter().map(|(name, value)| format!("{name}={}", value.reveal())).collect()),
            cmd: Some(options.command),
            privileged: Some(options.privileged),
            user: options.user,
            working_dir: options.working_dir,
            ..Default::default()
        };
        let path = format!("/containers/{container_id}/exec");
        let made = timed(ANSWER_WITHIN, self.wire.post::<IdResponse>(&path, &config)).await.map_err(|error| {
            let stopped = message(&error).contains("is not running");
            let told = refusal().explain(error);
            if stopped { told.hint("start it first") } else { told }
        })?;
        let (reader, writer) = self.upgrade(&made.id, options.tty).await.map_err(|error| refusal().explain(error))?;
        let framing = if options.tty { Framing::Plain } else { Framing::Multiplexed };
        let chunks = ReaderStream::with_capacity(reader, READ_BYTES).map(|chunk| chunk.map_err(Error::from));
        let output = frames(Box::pin(chunks), framing).map(|piece| match piece {
            Ok((stream, bytes)) => Ok(ExecOutput { stream, bytes }),
            Err(error) => Err(Refusal::new("the program's output broke off").explain(error)),
        });
        let input = options.stdin.then(|| Box::pin(writer) as Pin<Box<dyn AsyncWrite + Send>>);
        let container = container_id.to_owned();
        Ok(Exec { docker: self.clone(), id: made.id, container, input, output: Box::pin(output) })
    }

    async fn upgrade(
        &self,
        exec_id: &str,
        tty: bool,
    ) -> Result<(impl tokio::io::AsyncRead + Send + use<>, impl AsyncWrite + Send + use<>), Error> {
        let body = wire::bytes_body(json!({"Detach": false, "Tty": tty}).to_string());
        self.hijack(&format!("/exec/{exec_id}/start"), body).await
    }

    /// Asks for something whose connection then carries its input and output.
    pub(super) async fn hijack(
        &self,
        path: &str,
        body: wire::Body,
    ) -> Result<(impl tokio::io::AsyncRead + Send + use<>, impl AsyncWrite + Send + use<>), Error> {
        let headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CONNECTION, HeaderValue::from_static("Upgrade")),
            (UPGRADE, HeaderValue::from_static("tcp")),
        ]);
        let answer = timed(ANSWER_WITHIN, self.wire.open(Method::POST, path, headers, body)).await?;
        let upgraded = hyper::upgrade::on(answer).await?;
        Ok(tokio::io::split(TokioIo::new(upgraded)))
    }
}

impl Exec {
    /// Tells a program with a terminal how large that is.
    ///
    /// # Errors
    /// When the program has ended, or has no terminal.
    pub async fn resize(&self, columns: u16, rows: u16) -> Result<(), WorldError> {
        let query = wire::query([("h", rows.to_string()), ("w", columns.to_string())]);
        let path = format!("/exec/{}/resize{query}", self.id);
        let call = self.docker.wire.open(Method::POST, &path, HeaderMap::new(), wire::no_body());
        let resized = timed(ANSWER_WITHIN, call).await;
        resized.map(|_| ()).map_err(|error| Refusal::new("the terminal could not be resized").explain(error))
    }

    /// Whether the program never began: then what the output brings is the engine's own sentence about that. To be asked
    /// when the first of the output has come.
    ///
    /// # Errors
    /// When the engine does not know it.
    pub fn never_began(&self) -> impl Future<Output = Result<bool, WorldError>> + Send + use<> {
        let (docker, id) = (self.docker.clone(), self.id.clone());
        async move {
            let seen = timed(ANSWER_WITHIN, docker.client.inspect_exec(&id)).await;
            let seen = seen.map_err(|error| Refusal::new("the program could not be looked at").explain(error))?;
            // One that has just begun may have no number yet, and runs.
            Ok(seen.running == Some(false) && seen.pid.unwrap_or_default() == 0)
        }
    }

    /// The program's exit code; ask when the output has ended.
    ///
    /// # Errors
    /// When the engine does not know it, or the program goes on without output.
    pub fn exit_code(&self) -> impl Future<Output = Result<i64, WorldError>> + Send + use<> {
        let (docker, id, container) = (self.docker.clone(), self.id.clone(), self.container.clone());
        async move {
            // The engine ends the output a moment before it has the code.
            for wait_millis in [0, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000] {
                tokio::time::sleep(Duration::from_millis(wait_millis)).await;
                let seen = timed(ANSWER_WITHIN, docker.client.inspect_exec(&id)).await;
                let seen = seen.map_err(|error| Refusal::new("the exit code could not be read").explain(error))?;
                if let (Some(false), Some(code)) = (seen.running, seen.exit_code) {
                    return Ok(code);
                }
            }
            Err(WorldError::new(format!("the program in `{container}` goes on without output")))
        }
    }
}
