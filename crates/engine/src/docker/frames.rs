//! The engine's framing of output: eight bytes of head before each piece, or, with a terminal, nothing.
//!
//! Own code, because bollard guesses which of the two it reads from the first byte, and a terminal may send any.

use bollard::errors::Error;
use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt};

use super::logs::LogStream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Plain,
    Multiplexed,
}

const HEAD: usize = 8;

/// Pieces of output with their stream; a broken last piece is handed on as far as it came.
pub(super) fn frames(
    chunks: impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + 'static,
    framing: Framing,
) -> impl Stream<Item = Result<(LogStream, Bytes), Error>> + Send + Unpin {
    Box::pin(stream::try_unfold((chunks, BytesMut::new()), move |(mut chunks, mut rest)| async move {
        loop {
            if let Some(piece) = take(&mut rest, framing) {
                return Ok(Some((piece, (chunks, rest))));
            }
            match chunks.next().await {
                Some(chunk) => rest.extend_from_slice(&chunk?),
                None if rest.len() > HEAD => {
                    let stream = stream_of(rest[0]);
                    rest.advance(HEAD);
                    return Ok(Some(((stream, rest.split().freeze()), (chunks, rest))));
                }
                None => return Ok(None),
            }
        }
    }))
}

fn take(rest: &mut BytesMut, framing: Framing) -> Option<(LogStream, Bytes)> {
    if framing == Framing::Plain {
        return (!rest.is_empty()).then(|| (LogStream::Out, rest.split().freeze()));
    }
    let head: [u8; HEAD] = rest.get(..HEAD)?.try_into().ok()?;
    let length = usize::try_from(u32::from_be_bytes([head[4], head[5], head[6], head[7]])).ok()?;
    if rest.len() < HEAD + length {
        return None;
    }
    rest.advance(HEAD);
    Some((stream_of(head[0]), rest.split_to(length).freeze()))
}

fn stream_of(byte: u8) -> LogStream {
    if byte == 2 { LogStream::Err } else { LogStream::Out }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_taken_only_when_it_is_whole() {
        let mut rest = BytesMut::from(&[2, 0, 0, 0, 0, 0, 0, 3, b'a', b'b'][..]);
        assert_eq!(take(&mut rest, Framing::Multiplexed), None);
        rest.extend_from_slice(b"c\x01");
        assert_eq!(take(&mut rest, Framing::Multiplexed), Some((LogStream::Err, Bytes::from_static(b"abc"))));
        assert_eq!(rest.len(), 1);
    }

    #[test]
    fn a_terminals_bytes_are_left_as_they_are() {
        let mut rest = BytesMut::from(&b"\x01\x02x"[..]);
        assert_eq!(take(&mut rest, Framing::Plain), Some((LogStream::Out, Bytes::from_static(b"\x01\x02x"))));
    }
}
