//! Several containers' lines in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use futures_util::future::join_all;
use futures_util::stream::{self, Stream, StreamExt};

use super::LogLine;
use crate::world::WorldError;

type Read = Result<LogLine, WorldError>;

/// Always the oldest of the next lines; of lines of one moment that of the first stream. Lines of one stream keep
/// their order, whatever their times. A stream ends with its first error.
pub(super) fn by_time<K: Clone + Send + 'static>(
    streams: Vec<(K, impl Stream<Item = Read> + Send + Unpin + 'static)>,
) -> impl Stream<Item = (K, Read)> + Send {
    stream::once(Heads::of(streams))
        .flat_map(|heads| stream::unfold(heads, |mut heads| async move { Some((heads.next().await?, heads)) }))
}

/// The streams with the next line of each.
struct Heads<K, S> {
    streams: Vec<(K, S)>,
    next: Vec<Option<Read>>,
    order: BinaryHeap<Reverse<(i64, usize)>>,
}

impl<K: Clone, S: Stream<Item = Read> + Unpin> Heads<K, S> {
    async fn of(mut streams: Vec<(K, S)>) -> Heads<K, S> {
        let next = join_all(streams.iter_mut().map(|(_, stream)| stream.next())).await;
        let mut heads = Heads { streams, next, order: BinaryHeap::new() };
        for place in 0..heads.next.len() {
            heads.enter(place);
        }
        heads
    }

    fn enter(&mut self, place: usize) {
        match &self.next[place] {
            Some(Ok(line)) => self.order.push(Reverse((line.at_nanos, place))),
            // An error is told at once.
            Some(Err(_)) => self.order.push(Reverse((i64::MIN, place))),
            None => {}
        }
    }

    async fn next(&mut self) -> Option<(K, Read)> {
        let Reverse((_, place)) = self.order.pop()?;
        let read = self.next[place].take()?;
        let (source, stream) = &mut self.streams[place];
        let source = source.clone();
        if read.is_ok() {
            self.next[place] = stream.next().await;
            self.enter(place);
        }
        Some((source, read))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::LogStream;
    use super::*;

    fn line(at_nanos: i64) -> Read {
        Ok(LogLine { stream: LogStream::Out, at_nanos, line: Bytes::new() })
    }

    async fn merged(streams: Vec<(char, Vec<Read>)>) -> String {
        let streams = streams.into_iter().map(|(name, reads)| (name, stream::iter(reads))).collect();
        let told = by_time(streams).map(|(name, read)| match read {
            Ok(line) => format!("{name}{}", line.at_nanos),
            Err(error) => format!("{name}: {error}"),
        });
        told.collect::<Vec<_>>().await.join(" ")
    }

    #[tokio::test]
    async fn the_oldest_line_must_come_first_and_each_streams_own_order_stay() {
        let streams = vec![
            ('a', vec![line(1), line(4), line(4)]),
            ('b', vec![]),
            ('c', vec![line(2), line(9), line(3), line(4)]),
        ];
        assert_eq!(merged(streams).await, "a1 c2 a4 a4 c9 c3 c4");
    }

    #[tokio::test]
    async fn a_stream_that_breaks_must_leave_the_others_whole() {
        let broken = vec![line(1), Err(WorldError::new("gone")), line(2)];
        let streams = vec![('a', broken), ('b', vec![line(1), line(5)]), ('c', vec![Err(WorldError::new("none"))])];
        assert_eq!(merged(streams).await, "c: none a1 a: gone b1 b5");
    }
}
