//! Containers' output: of one, of several in the order of time, or followed over restarts and replacements.
//!
//! The engine is always asked for the time of each line: it tells where to go on after a restart (`cursor`), and
//! which of several containers spoke first (`merge`).

mod cursor;
mod follow;
mod lines;
mod merge;
mod source;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use hyper::Method;
use hyper::header::HeaderMap;

pub use follow::Following;
pub use source::{LogSource, LogsWanted};

use super::frames::{Framing, frames};
use super::refusal::{self, Refusal};
use super::{ANSWER_WITHIN, Docker, timed, wire};
use crate::world::WorldError;

#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Go on as new lines come, until the container ends.
    pub follow: bool,
    /// Seconds since 1970, with a fraction if wanted: `1700000000.5`; that moment's own lines too.
    pub since: Option<String>,
    pub until: Option<String>,
    /// Only the last so many lines.
    pub tail: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    Out,
    Err,
}

/// One line, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// A container with a terminal has only [`LogStream::Out`].
    pub stream: LogStream,
    /// When the engine took it, in nanoseconds since 1970; 0 when the engine does not say.
    pub at_nanos: i64,
    pub line: Bytes,
}

/// What comes from several containers.
#[derive(Debug)]
pub enum LogNews {
    Line(LogSource, LogLine),
    /// A container that cannot be read (any more). The others go on.
    Trouble(WorldError),
    /// The engine was lost; it is called again until it answers.
    Lost(WorldError),
}

impl Docker {
    /// The lines of a container.
    pub fn logs(
        &self,
        container_id: &str,
        options: LogOptions,
    ) -> impl Stream<Item = Result<LogLine, WorldError>> + Send + Unpin + use<> {
        let docker = self.clone();
        let id = container_id.to_owned();
        Box::pin(stream::once(async move { docker.open_logs(id, options).await }).try_flatten())
    }

    /// What several containers have written so far, in the order of time.
    pub fn logs_of(
        &self,
        sources: Vec<LogSource>,
        options: &LogOptions,
    ) -> impl Stream<Item = LogNews> + Send + Unpin + use<> {
        let options = LogOptions { follow: false, ..options.clone() };
        let open = |source: LogSource| {
            let lines = self.logs(&source.container_id, options.clone());
            (source, lines)
        };
        let streams: Vec<_> = sources.into_iter().map(open).collect();
        Box::pin(merge::by_time(streams).map(|(source, line)| match line {
            Ok(line) => LogNews::Line(source, line),
            Err(error) => LogNews::Trouble(error),
        }))
    }

    async fn open_logs(
        &self,
        id: String,
        options: LogOptions,
    ) -> Result<impl Stream<Item = Result<LogLine, WorldError>> + Send + use<>, WorldError> {
        let refusal = |id: &str| Refusal::new(format!("the output of `{id}` could not be read"));
        let seen = self.inspect(&id).await.map_err(|error| refusal(&id).explain(error))?;
        let name = seen.name.unwrap_or_default().trim_start_matches('/').to_owned();
        let tty = seen.config.and_then(|config| config.tty).unwrap_or_default();
        let driver = seen.host_config.and_then(|host| host.log_config).and_then(|log| log.typ).unwrap_or_default();
        let mut asked = vec![("stdout", "1".to_owned()), ("stderr", "1".to_owned()), ("timestamps", "1".to_owned())];
        asked.extend(options.follow.then(|| ("follow", "1".to_owned())));
        asked.extend(options.since.map(|since| ("since", since)));
        asked.extend(options.until.map(|until| ("until", until)));
        asked.extend(options.tail.map(|tail| ("tail", tail.to_string())));
        let path = format!("/containers/{id}/logs{}", wire::query(asked));
        let call = self.wire.open(Method::GET, &path, HeaderMap::new(), wire::no_body());
        let answer = timed(ANSWER_WITHIN, call).await.map_err(|error| {
            if refusal::message(&error).contains("does not support reading") {
                return unreadable(&name, &driver);
            }
            refusal(&name).explain(error)
        })?;
        let framing = if tty { Framing::Plain } else { Framing::Multiplexed };
        let pieces = frames(wire::chunks(answer), framing);
        Ok(lines::lines(pieces.map_err(move |error| refusal(&name).explain(error)), framing))
    }

    /// The last lines of both streams, as text; empty when they cannot be read.
    pub(crate) async fn last_lines(&self, id: &str, count: u32) -> Vec<String> {
        let options = LogOptions { tail: Some(count), ..Default::default() };
        let lines = self.logs(id, options).filter_map(|line| async move { line.ok() });
        lines.map(|line| String::from_utf8_lossy(&line.line).trim_end().to_owned()).collect().await
    }
}

fn unreadable(name: &str, driver: &str) -> WorldError {
    WorldError::new(format!("`{name}` writes to the log driver `{driver}`, of which nothing can be read back"))
        .hint("read it where that driver sends it, or set `logging: { driver: local }` for the service")
}
