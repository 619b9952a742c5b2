//! The engine's pieces of output, put together to lines.
//!
//! The engine writes the time in front of each message. A message is a line, or, of a line that is longer than its
//! buffer, a part of it: every part then begins with the time of the first.

use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt};
use jiff::Timestamp;

use super::super::frames::Framing;
use super::{LogLine, LogStream};

/// A line longer than this is handed on in pieces, always cut at the same places.
const LONGEST_LINE: usize = 256 * 1024;
/// The engine's buffer: a longer line is told in parts of this size.
const PART: usize = 16 * 1024;

/// Pieces of output as lines a stream. A last line without an end counts.
pub(super) fn lines<E: Send + 'static>(
    pieces: impl Stream<Item = Result<(LogStream, Bytes), E>> + Send + 'static,
    framing: Framing,
) -> impl Stream<Item = Result<LogLine, E>> + Send {
    let start = (Box::pin(pieces), [Rest::new(framing), Rest::new(framing)], false);
    stream::try_unfold(start, |(mut pieces, mut rests, mut ended)| async move {
        loop {
            for (place, stream) in [LogStream::Out, LogStream::Err].into_iter().enumerate() {
                if let Some((at_nanos, line)) = rests[place].cut(ended) {
                    return Ok(Some((LogLine { stream, at_nanos, line }, (pieces, rests, ended))));
                }
            }
            if ended {
                return Ok(None);
            }
            match pieces.next().await {
                Some(piece) => {
                    let (stream, bytes) = piece?;
                    rests[usize::from(stream == LogStream::Err)].take(bytes);
                }
                None => ended = true,
            }
        }
    })
}

/// What came of one stream and is not handed on yet.
struct Rest {
    framing: Framing,
    bytes: BytesMut,
    /// The time of the line that `bytes` begins with; `None` when `bytes` begins with the time itself.
    at_nanos: Option<i64>,
}

impl Rest {
    fn new(framing: Framing) -> Rest {
        Rest { framing, bytes: BytesMut::new(), at_nanos: None }
    }

    /// Of framed output each piece is one message, so each begins with a time.
    fn take(&mut self, mut piece: Bytes) {
        if self.framing == Framing::Multiplexed
            && let Some((at_nanos, length)) = time(&piece)
        {
            piece.advance(length);
            self.at_nanos.get_or_insert(at_nanos);
        }
        self.bytes.extend_from_slice(&piece);
    }

    fn cut(&mut self, ended: bool) -> Option<(i64, Bytes)> {
        let found = self.bytes.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n');
        let (mut line, goes_on) = match found {
            Some(end) => (self.bytes.split_to(end + 1), false),
            None if self.bytes.len() >= LONGEST_LINE => (self.bytes.split_to(LONGEST_LINE), true),
            None if ended && !self.bytes.is_empty() => (self.bytes.split(), false),
            None => return None,
        };
        let at_nanos = match self.at_nanos {
            Some(at_nanos) => at_nanos,
            None => time(&line).map_or(0, |(at_nanos, length)| {
                without_times_of_parts(&mut line, length);
                at_nanos
            }),
        };
        self.at_nanos = goes_on.then_some(at_nanos);
        if line.ends_with(b"\n") {
            line.truncate(line.len() - 1);
        }
        if line.ends_with(b"\r") {
            line.truncate(line.len() - 1);
        }
        Some((at_nanos, line.freeze()))
    }
}

/// The time in front of a message, and how many bytes it takes with the space after it.
fn time(message: &[u8]) -> Option<(i64, usize)> {
    let end = message.iter().take(40).position(|byte| *byte == b' ')?;
    let at: Timestamp = std::str::from_utf8(&message[..end]).ok()?.parse().ok()?;
    Some((i64::try_from(at.as_nanosecond()).ok()?, end + 1))
}

/// A terminal's output has no frames: the times of a long line's parts stand in the middle of it, the same text each
/// time, so many bytes apart.
fn without_times_of_parts(line: &mut BytesMut, length: usize) {
    let time = line.split_to(length);
    let mut place = PART;
    while line.get(place..place + length) == Some(&time[..]) {
        let after = line.split_off(place + length);
        line.truncate(place);
        line.unsplit(after);
        place += PART;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const TIME: &str = "2026-07-01T12:00:00.123456789Z ";

    async fn read(pieces: Vec<(LogStream, String)>, framing: Framing) -> Vec<(LogStream, i64, String)> {
        let pieces = pieces.into_iter().map(|(stream, text)| Ok::<_, Infallible>((stream, Bytes::from(text))));
        let lines = lines(stream::iter(pieces), framing).map(|line| {
            let Ok(line) = line;
            (line.stream, line.at_nanos % 1_000_000_000, String::from_utf8_lossy(&line.line).into_owned())
        });
        lines.collect().await
    }

    #[tokio::test]
    async fn a_line_in_parts_must_be_one_line_with_one_time() {
        let part = "x".repeat(PART);
        let parts = [&part, &part, "end\n", "next"].map(|text| (LogStream::Out, format!("{TIME}{text}")));
        let mut framed = parts.to_vec();
        framed.insert(1, (LogStream::Err, format!("{TIME}between\n")));
        let whole = format!("{part}{part}end");
        let expected = vec![
            (LogStream::Err, 123_456_789, "between".to_owned()),
            (LogStream::Out, 123_456_789, whole.clone()),
            (LogStream::Out, 123_456_789, "next".to_owned()),
        ];
        assert!(read(framed, Framing::Multiplexed).await == expected);
        // A terminal's bytes come in any pieces.
        let all: String = parts.iter().map(|(_, text)| text.replace('\n', "\r\n")).collect();
        let pieces = all.as_bytes().chunks(1000).map(|piece| String::from_utf8_lossy(piece).into_owned());
        let plain = read(pieces.map(|piece| (LogStream::Out, piece)).collect(), Framing::Plain).await;
        assert!(plain == expected[1..]);
    }

    #[tokio::test]
    async fn a_line_without_end_must_be_cut_at_the_same_places_however_it_comes() {
        let part = "y".repeat(PART);
        let long: Vec<_> = (0..20).map(|_| (LogStream::Out, format!("{TIME}{part}"))).collect();
        let read = read(long, Framing::Multiplexed).await;
        let lengths: Vec<_> = read.iter().map(|(_, at, text)| (*at, text.len())).collect();
        assert_eq!(lengths, [(123_456_789, LONGEST_LINE), (123_456_789, 20 * PART - LONGEST_LINE)]);
    }

    #[tokio::test]
    async fn a_message_without_a_time_must_be_told_whole() {
        let odd = vec![(LogStream::Out, "no time here\n\n".to_owned())];
        assert_eq!(
            read(odd, Framing::Multiplexed).await,
            [(LogStream::Out, 0, "no time here".to_owned()), (LogStream::Out, 0, String::new())]
        );
    }
}
