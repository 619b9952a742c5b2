//! The one thread that writes.
//!
//! How much a commit has to survive is chosen for each transaction. A step's intent has to survive the death of this
//! process: a WAL commit does so without an fsync, which matters when a hundred steps run side by side or a repair
//! has milliseconds. That an operation began and how it ended has to survive a power cut: such a write asks for
//! `synchronous = FULL`, and its fsync carries every commit before it to the disk as well. A power cut in the middle
//! of an operation can thus lose the newest intents, but never that the operation was under way; and what the world
//! looks like then is asked of the world.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::SystemTime;

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::JournalError;

type Job = Box<dyn FnOnce(&Connection) -> rusqlite::Result<i64> + Send>;

struct Write {
    job: Job,
    durable: bool,
    reply: Option<oneshot::Sender<Result<i64, JournalError>>>,
}

pub(super) struct Writer {
    // Taken away to tell the thread that no more will come.
    queue: Option<Sender<Write>>,
    thread: Option<JoinHandle<()>>,
    /// Counts commits.
    commits: watch::Sender<u64>,
}

/// So many writes share one transaction at most.
const BATCH: usize = 256;
/// After so many writes the WAL is moved into the file, at a moment when the queue is empty.
const CHECKPOINT_AFTER: usize = 500;

impl Writer {
    pub(super) fn start(connection: Connection, path: PathBuf, mark: File) -> Result<Writer, JournalError> {
        let (queue, waiting) = channel();
        let commits = watch::Sender::new(0);
        let told = commits.clone();
        let committed = move || {
            told.send_modify(|count| *count += 1);
            // For followers in other processes; without it they hear of the next one.
            let _ = mark.set_modified(SystemTime::now());
        };
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || run(&connection, &path, &waiting, &committed))
            .map_err(|source| JournalError::of_file("the journal's writer could not be started", source))?;
        Ok(Writer { queue: Some(queue), thread: Some(thread), commits })
    }

    /// Changes whenever something was committed.
    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Queues a write and waits until it is committed. The job gives a row id, or 0.
    pub(super) async fn write(
        &self,
        durable: bool,
        job: impl FnOnce(&Connection) -> rusqlite::Result<i64> + Send + 'static,
    ) -> Result<i64, JournalError> {
        let (reply, answer) = oneshot::channel();
        self.queue(Write { job: Box::new(job), durable, reply: Some(reply) });
        answer.await.unwrap_or_else(|_| Err(JournalError::new("the journal's writer has ended")))
    }

    /// Queues a write that nobody waits for.
    pub(super) fn post(&self, job: impl FnOnce(&Connection) -> rusqlite::Result<i64> + Send + 'static) {
        self.queue(Write { job: Box::new(job), durable: false, reply: None });
    }

    fn queue(&self, write: Write) {
        if let Some(queue) = &self.queue {
            // A thread that ended dropped the reply, which is how the caller hears of it.
            let _ = queue.send(write);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(connection: &Connection, path: &Path, waiting: &Receiver<Write>, committed: &dyn Fn()) {
    let mut since_checkpoint = 0;
    let mut durable_now = false;
    while let Ok(first) = waiting.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = waiting.try_recv()
        {
            batch.push(next);
        }
        let full = batch.len() == BATCH;
        since_checkpoint += batch.len();
        commit(connection, path, batch, &mut durable_now);
        committed();
        if since_checkpoint >= CHECKPOINT_AFTER && !full {
            since_checkpoint = 0;
            // After the answers went out, so that nobody waits for it; a failure shows at the next write.
            let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        }
    }
}

fn commit(connection: &Connection, path: &Path, batch: Vec<Write>, durable_now: &mut bool) {
    let durable = batch.iter().any(|write| write.durable);
    if durable != *durable_now {
        // Only outside of a transaction does SQLite take it.
        let level = if durable { "full" } else { "normal" };
        if connection.pragma_update(None, "synchronous", level).is_ok() {
            *durable_now = durable;
        }
    }
    let mut replies = Vec::with_capacity(batch.len());
    let mut ran = connection.execute_batch("BEGIN IMMEDIATE");
    for write in batch {
        if ran.is_err() {
            replies.push((write.reply, Ok(0)));
            continue;
        }
        match one(connection, write.job) {
            // A full disk makes SQLite take the whole transaction back.
            Err(source) if connection.is_autocommit() => {
                ran = Err(source);
                replies.push((write.reply, Ok(0)));
            }
            done => replies.push((write.reply, done.map_err(|source| JournalError::of(path, source)))),
        }
    }
    let committed = ran.and_then(|()| connection.execute_batch("COMMIT"));
    if committed.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    let committed = committed.map_err(|source| JournalError::of(path, source));
    for (reply, done) in replies {
        if let Some(reply) = reply {
            let _ = reply.send(committed.as_ref().map_err(JournalError::again).and(done));
        }
    }
}

/// A write that fails takes back its own rows and leaves those of its neighbours.
fn one(connection: &Connection, job: Job) -> rusqlite::Result<i64> {
    connection.execute_batch("SAVEPOINT one")?;
    match job(connection) {
        Ok(id) => connection.execute_batch("RELEASE one").map(|()| id),
        Err(error) => {
            if !connection.is_autocommit() {
                connection.execute_batch("ROLLBACK TO one; RELEASE one")?;
            }
            Err(error)
        }
    }
}
