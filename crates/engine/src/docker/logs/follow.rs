//! Output followed over restarts, replacements and containers that appear later.
//!
//! A container's log ends with its run. The engine's events tell of the next run, of whichever container; from the
//! cursor on nothing is missing and nothing comes twice. When the engine itself is lost, it is called again, looked
//! at, and read on from where every container stood.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::stream::{self, BoxStream, SelectAll, Stream, StreamExt};
use mainstay_model::observed::Scope;

use super::super::Docker;
use super::super::events::{EngineEvent, OVERLAP_NANOS};
use super::cursor::Cursor;
use super::{LogLine, LogNews, LogOptions, LogSource, LogsWanted};
use crate::world::WorldError;

/// So many of the last lines are looked through for the place to go on at, before the whole log is: an engine reads a
/// log from its beginning when it is only told since when.
const NEAR: u32 = 1000;
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

type Lines = BoxStream<'static, Result<LogLine, WorldError>>;
type Events = Pin<Box<dyn Stream<Item = Result<EngineEvent, WorldError>> + Send>>;

/// The output of the wanted containers, from what is there to whatever comes.
pub struct Following {
    docker: Docker,
    wanted: LogsWanted,
    options: LogOptions,
    /// By container id.
    known: BTreeMap<Arc<str>, Known>,
    /// What was written before, in the order of time; `None` once it is told.
    past: Option<Pin<Box<dyn Stream<Item = LogNews> + Send>>>,
    streams: SelectAll<BoxStream<'static, (Arc<str>, Piece)>>,
    /// `None` before the past is told, and while the engine is away.
    events: Option<Events>,
    last_event_nanos: i64,
    wait: Duration,
}

/// A container that is followed.
struct Known {
    source: LogSource,
    cursor: Cursor,
    is_open: bool,
    /// It was started while its log was still open: read on when that ends.
    started_again: bool,
}

enum Piece {
    Line(LogLine),
    Broken(WorldError),
    Ended,
}

impl Following {
    /// The containers that are there stand in [`Following::sources`] when this returns.
    ///
    /// # Errors
    /// When the engine cannot be looked at.
    pub async fn begin(docker: &Docker, wanted: LogsWanted, options: LogOptions) -> Result<Following, WorldError> {
        let mut following = Following {
            docker: docker.clone(),
            wanted,
            options,
            known: BTreeMap::new(),
            past: None,
            streams: SelectAll::new(),
            events: None,
            last_event_nanos: now_nanos() - OVERLAP_NANOS,
            wait: Duration::ZERO,
        };
        following.look().await?;
        // Without a line wanted of the past, its last one still says where the past ends.
        let tail = following.options.tail.map(|lines| lines.max(1));
        let options = LogOptions { tail, ..following.options.clone() };
        let options = if following.shows_past() { options } else { LogOptions { since: None, ..options } };
        following.past = Some(Box::pin(docker.logs_of(following.sources(), &options)));
        Ok(following)
    }

    /// The containers that are known by now.
    pub fn sources(&self) -> Vec<LogSource> {
        let mut sources: Vec<LogSource> = self.known.values().map(|known| known.source.clone()).collect();
        sources.sort_by(|a, b| (&a.stack, &a.container).cmp(&(&b.stack, &b.container)));
        sources
    }

    /// The next line or trouble; waits for it, and never ends by itself.
    pub async fn next(&mut self) -> LogNews {
        loop {
            if let Some(news) = self.step().await {
                return news;
            }
        }
    }

    async fn step(&mut self) -> Option<LogNews> {
        if let Some(past) = &mut self.past {
            match past.next().await {
                Some(LogNews::Line(source, line)) => return self.line(&source.container_id, line, self.shows_past()),
                Some(trouble) => return Some(trouble),
                None => self.past = None,
            }
        }
        let Some(events) = &mut self.events else { return self.call().await };
        tokio::select! {
            Some((id, piece)) = self.streams.next(), if !self.streams.is_empty() => self.piece(&id, piece),
            event = events.next() => match event {
                Some(Ok(event)) => {
                    self.heard(&event);
                    None
                }
                lost => Some(self.lost(lost.and_then(Result::err))),
            },
        }
    }

    fn shows_past(&self) -> bool {
        self.options.tail != Some(0)
    }

    /// Adds the containers that are there.
    async fn look(&mut self) -> Result<(), WorldError> {
        for stack in self.wanted.stacks.clone() {
            let observed = self.docker.look_at(&Scope::of_stack(stack)).await?;
            let sources = observed.containers.iter().filter_map(|container| self.wanted.of_container(container));
            sources.collect::<Vec<_>>().into_iter().for_each(|source| self.know(source));
        }
        Ok(())
    }

    fn know(&mut self, source: LogSource) {
        let id = source.container_id.clone();
        let known = Known { source, cursor: Cursor::default(), is_open: false, started_again: false };
        self.known.entry(id).or_insert(known);
    }

    /// A container was started: read on, now or when the log of its last run has ended.
    fn heard(&mut self, event: &EngineEvent) {
        self.last_event_nanos = self.last_event_nanos.max(event.time_nanos);
        self.wait = FIRST_WAIT;
        let Some(source) = self.wanted.of_event(event) else { return };
        let id = source.container_id.clone();
        self.know(source);
        match self.known.get_mut(&id) {
            Some(known) if known.is_open => known.started_again = true,
            _ => self.open(&id),
        }
    }

    fn open(&mut self, id: &Arc<str>) {
        let Some(known) = self.known.get_mut(id).filter(|known| !known.is_open) else { return };
        known.cursor.rewind();
        (known.is_open, known.started_again) = (true, false);
        let options = LogOptions { follow: true, tail: None, ..self.options.clone() };
        let lines = read_on(self.docker.clone(), id.clone(), known.cursor.clone(), options);
        let pieces = lines.map(|line| line.map_or_else(Piece::Broken, Piece::Line));
        let id = id.clone();
        let pieces = pieces.chain(stream::iter([Piece::Ended])).map(move |piece| (id.clone(), piece));
        self.streams.push(pieces.boxed());
    }

    fn piece(&mut self, id: &Arc<str>, piece: Piece) -> Option<LogNews> {
        match piece {
            Piece::Line(line) => self.line(id, line, true),
            Piece::Broken(error) if error.transient => Some(self.lost(Some(error))),
            // It is gone, and all that it said with it; or it was told before that it cannot be read.
            Piece::Broken(_) => None,
            Piece::Ended => {
                let known = self.known.get_mut(id)?;
                known.is_open = false;
                if known.started_again {
                    self.open(id);
                }
                None
            }
        }
    }

    fn line(&mut self, id: &Arc<str>, line: LogLine, shown: bool) -> Option<LogNews> {
        let known = self.known.get_mut(id)?;
        (known.cursor.takes(line.at_nanos) && shown).then(|| LogNews::Line(known.source.clone(), line))
    }

    /// Drops every connection, since one that broke says nothing good of the others.
    fn lost(&mut self, error: Option<WorldError>) -> LogNews {
        self.events = None;
        self.streams.clear();
        self.known.values_mut().for_each(|known| known.is_open = false);
        LogNews::Lost(error.unwrap_or_else(|| WorldError::new("the engine closed the connection")))
    }

    /// Goes on where everything stands, as soon as the engine answers. What was started since the last event is either
    /// seen by the look or told again by the events.
    async fn call(&mut self) -> Option<LogNews> {
        tokio::time::sleep(self.wait).await;
        self.wait = (self.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
        if self.look().await.is_ok() {
            self.events = Some(Box::pin(self.docker.starts(self.last_event_nanos)));
            let ids: Vec<Arc<str>> = self.known.keys().cloned().collect();
            ids.iter().for_each(|id| self.open(id));
        }
        None
    }
}

/// A container's lines from its cursor on: quickly when that is near the end of its log, else the slow way.
fn read_on(docker: Docker, id: Arc<str>, cursor: Cursor, options: LogOptions) -> Lines {
    let Some(since) = cursor.since() else { return docker.logs(&id, options).boxed() };
    let options = LogOptions { since: Some(since), ..options };
    let first = async move {
        let mut near = docker.logs(&id, LogOptions { tail: Some(NEAR), ..options.clone() });
        match near.next().await {
            Some(Ok(line)) if !cursor.joins(line.at_nanos) => docker.logs(&id, options).boxed(),
            first => stream::iter(first).chain(near).boxed(),
        }
    };
    stream::once(first).flatten().boxed()
}

fn now_nanos() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}
