//! A container's output: followed, or its last lines.

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use hyper::Method;
use hyper::header::HeaderMap;

use super::frames::{Framing, frames};
use super::refusal::Refusal;
use super::{ANSWER_WITHIN, Docker, timed, wire};
use crate::world::WorldError;

/// A line longer than this is handed on in pieces.
const LONGEST_LINE: usize = 256 * 1024;

#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Go on as new lines come, until the container ends.
    pub follow: bool,
    /// Seconds since 1970, with a fraction if wanted: `1700000000.5`.
    pub since: Option<String>,
    pub until: Option<String>,
    /// Only the last so many lines.
    pub tail: Option<u32>,
    /// Begin each line with its time.
    pub timestamps: bool,
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
    pub line: Bytes,
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

    async fn open_logs(
        &self,
        id: String,
        options: LogOptions,
    ) -> Result<impl Stream<Item = Result<LogLine, WorldError>> + Send + use<>, WorldError> {
        let refusal = |id: &str| Refusal::new(format!("the output of `{id}` could not be read"));
        let seen = self.inspect(&id).await.map_err(|error| refusal(&id).explain(error))?;
        let name = seen.name.unwrap_or_default().trim_start_matches('/').to_owned();
        let tty = seen.config.and_then(|config| config.tty).unwrap_or_default();
        let mut asked = vec![("stdout", "1".to_owned()), ("stderr", "1".to_owned())];
        asked.extend(options.follow.then(|| ("follow", "1".to_owned())));
        asked.extend(options.timestamps.then(|| ("timestamps", "1".to_owned())));
        asked.extend(options.since.map(|since| ("since", since)));
        asked.extend(options.until.map(|until| ("until", until)));
        asked.extend(options.tail.map(|tail| ("tail", tail.to_string())));
        let path = format!("/containers/{id}/logs{}", wire::query(asked));
        let call = self.wire.open(Method::GET, &path, HeaderMap::new(), wire::no_body());
        let answer = timed(ANSWER_WITHIN, call).await.map_err(|error| refusal(&name).explain(error))?;
        let framing = if tty { Framing::Plain } else { Framing::Multiplexed };
        let pieces = frames(wire::chunks(answer), framing);
        Ok(lines(pieces.map_err(move |error| refusal(&name).explain(error))))
    }

    /// The last lines of both streams, as text; empty when they cannot be read.
    pub(super) async fn last_lines(&self, id: &str, count: u32) -> Vec<String> {
        let options = LogOptions { tail: Some(count), ..Default::default() };
        let lines = self.logs(id, options).filter_map(|line| async move { line.ok() });
        lines.map(|line| String::from_utf8_lossy(&line.line).trim_end().to_owned()).collect().await
    }
}

/// Pieces of output, put together to lines a stream.
fn lines<E: Send + 'static>(
    pieces: impl Stream<Item = Result<(LogStream, Bytes), E>> + Send + 'static,
) -> impl Stream<Item = Result<LogLine, E>> + Send {
    let start = (Box::pin(pieces), [BytesMut::new(), BytesMut::new()], false);
    stream::try_unfold(start, |(mut pieces, mut rest, mut ended)| async move {
        loop {
            for (place, stream) in [LogStream::Out, LogStream::Err].into_iter().enumerate() {
                if let Some(line) = cut(&mut rest[place], ended) {
                    return Ok(Some((LogLine { stream, line }, (pieces, rest, ended))));
                }
            }
            if ended {
                return Ok(None);
            }
            match pieces.next().await {
                Some(piece) => {
                    let (stream, bytes) = piece?;
                    rest[usize::from(stream == LogStream::Err)].extend_from_slice(&bytes);
                }
                None => ended = true,
            }
        }
    })
}

fn cut(rest: &mut BytesMut, ended: bool) -> Option<Bytes> {
    let mut line = match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) => rest.split_to(end + 1),
        None if rest.len() > LONGEST_LINE || (ended && !rest.is_empty()) => rest.split(),
        None => return None,
    };
    if line.ends_with(b"\n") {
        line.truncate(line.len() - 1);
    }
    if line.ends_with(b"\r") {
        line.truncate(line.len() - 1);
    }
    Some(line.freeze())
}
