//! A backup from its first byte to its manifest.

use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use mainstay_model::identity::BackupId;
use mainstay_model::postgres::backup::layout::{Part, name};
use mainstay_model::postgres::backup::{Contents, Durations, FORMAT, Manifest, Reason, RowsAs, Stored};
use tokio_util::sync::CancellationToken;

use super::contents::Facts;
use super::dump;
use super::error::BackupError;
use super::flow::{self, Sum};
use super::name::new_id;
use super::snapshot::{Alone, Snapshot};
use super::tools::Tools;
use super::vault::{Marker, Vault};
use crate::blobs::{PART_BYTES, Upload};
use crate::docker::Docker;
use crate::pg::reach::Reached;
use crate::pg::session::{Server, literal};

/// How the session calls itself that holds the snapshot.
const APPLICATION: &str = "mainstay db backup";
/// Longer nobody waits for what an attempt has left to be cleared away; the next one does it.
const CLEARING: Duration = Duration::from_secs(20);

/// Which database, and by which programs.
#[derive(Clone)]
pub struct Source {
    pub server: Server,
    pub tools: Tools,
}

impl Source {
    /// Of a database that was reached: its own container's programs, or those of `image` for a server elsewhere, which is
    /// `postgres` of the server's version when none is named. To be ended with [`Source::give_back`].
    ///
    /// # Errors
    /// When the database, or the image, is not to be had.
    pub async fn open(docker: &Docker, reached: Reached, image: Option<&str>, of: &str) -> Result<Source, BackupError> {
        let server = Server::new(reached.settings.clone());
        let tools = match (reached.container, image) {
            (Some(inside), _) => Tools::inside(docker, inside).await?,
            (None, Some(image)) => Tools::lent(docker, image, &reached.settings, of).await?,
            (None, None) => {
                let session = server.called(APPLICATION).open().await?;
                let sql = "SELECT current_setting('server_version_num')::int / 10000";
                let major: i32 = session.one(sql, "reading the server's version").await?.get(0);
                Tools::lent(docker, &format!("postgres:{major}"), &reached.settings, of).await?
            }
        };
        Ok(Source { server, tools })
    }

    /// Takes away what was there for a moment.
    pub async fn give_back(&self) {
        self.tools.give_back().await;
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    pub stack: Option<String>,
    pub env: Option<String>,
    pub database: String,
    pub reason: Reason,
    /// The version of Mainstay.
    pub made_by: String,
    /// How long it waits for another backup, migration, restore or cleanup, unless the caller keeps those away.
    pub alone: Alone,
}

/// One thing that is told on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupEvent {
    Waiting {
        holder: String,
    },
    /// What earlier attempts had left was cleared away.
    Swept {
        ids: Vec<BackupId>,
    },
    Began {
        id: BackupId,
        bytes: u64,
    },
    /// So far `pg_dump` has written.
    Dumped {
        bytes: u64,
    },
    Digested {
        tables: usize,
        of: usize,
    },
    ReadBack {
        bytes: u64,
        of: u64,
    },
}

/// Who hears of it; asked from several tasks.
pub type Hearing<'h> = &'h (dyn Fn(BackupEvent) + Sync);

/// Makes one. On an error there is none, and nothing of it stays that the store can be reached to take away.
///
/// # Errors
/// Whatever went wrong at any point.
pub async fn back_up(
    source: &Source,
    vault: &Vault,
    order: &Order,
    cancelled: &CancellationToken,
    told: Hearing<'_>,
) -> Result<Manifest, BackupError> {
    if !vault.seals().has_a_second() {
        return Err(BackupError::OneKey);
    }
    let began = Instant::now();
    let began_at = Timestamp::now();
    let server = source.server.called(APPLICATION);
    let waiting = |holder: &str| told(BackupEvent::Waiting { holder: holder.to_owned() });
    let snapshot = Snapshot::take(&server, order.alone, cancelled, waiting).await?;
    snapshot.end_stale(dump::APPLICATION).await?;
    let facts = snapshot.facts().await?;
    let swept = vault.sweep(facts.server.system_id.as_deref(), Timestamp::now().as_second()).await?;
    if !swept.is_empty() {
        told(BackupEvent::Swept { ids: swept });
    }
    let id = new_id(began_at)?;
    let making = Making { source, vault, order, id: &id, snapshot: &snapshot, told, began, began_at };
    let made = tokio::select! {
        made = making.all(facts) => made,
        () = cancelled.cancelled() => Err(BackupError::Interrupted),
    };
    if made.is_err() {
        // It holds locks on every table until it ends.
        let _ = tokio::time::timeout(CLEARING, making.end_the_dump(&server)).await;
        let _ = tokio::time::timeout(CLEARING, vault.forget(&id)).await;
    }
    made
}

struct Making<'m> {
    source: &'m Source,
    vault: &'m Vault,
    order: &'m Order,
    id: &'m BackupId,
    snapshot: &'m Snapshot,
    told: Hearing<'m>,
    began: Instant,
    began_at: Timestamp,
}

impl Making<'_> {
    async fn all(&self, facts: Facts) -> Result<Manifest, BackupError> {
        let tools = &self.source.tools;
        let dumper = dump::version(tools).await?;
        let compression = dump::compression(tools, dump::major(&dumper)).await?;
        let exported = self.snapshot.export().await?;
        (self.told)(BackupEvent::Began { id: self.id.clone(), bytes: facts.database.bytes });
        let snapshot_at = facts.snapshot_at.clone();
        let upload = self.begin(&facts).await?;
        let (inlet, sealing) = flow::seal(self.vault.seals(), PART_BYTES);
        let application = self.application();
        let dumping = async {
            let told = |bytes| (self.told)(BackupEvent::Dumped { bytes });
            dump::data(tools, &exported, &application, compression, inlet, told).await?;
            Ok(millis(self.began))
        };
        let storing = store(upload, sealing);
        let digesting = async {
            let began = Instant::now();
            let schema = tools.schema_text(Some(&exported), &application).await?;
            let told = |tables, of| (self.told)(BackupEvent::Digested { tables, of });
            let rows_as = RowsAs::best_of(facts.server.major());
            let contents = self.snapshot.completed(facts, schema, rows_as, told).await?;
            Ok((contents, millis(began)))
        };
        let (dump_ms, (plain, sealed), (contents, digest_ms)): (u64, (Sum, Sum), (Contents, u64)) =
            tokio::try_join!(dumping, storing, digesting)?;
        let read_back_ms = self.read_back(&sealed).await?;
        let stored = Stored {
            key: name(self.id, &Part::Dump),
            bytes: sealed.bytes,
            sha256: sealed.sha256,
            plain_bytes: plain.bytes,
            plain_sha256: plain.sha256,
            compression,
            recipients: self.vault.seals().recipients(),
        };
        let durations = Durations { dump_ms, digest_ms, read_back_ms, total_ms: millis(self.began) };
        let manifest = Manifest {
            format: FORMAT,
            id: self.id.clone(),
            stack: self.order.stack.clone(),
            env: self.order.env.clone(),
            database: self.order.database.clone(),
            reason: self.order.reason.clone(),
            began_at: shown(self.began_at),
            snapshot_at,
            ended_at: shown(Timestamp::now()),
            made_by: self.order.made_by.clone(),
            image: Some(tools.image().clone()),
            dumper,
            contents,
            stored,
            durations,
        };
        self.publish(&manifest).await?;
        Ok(manifest)
    }

    /// From here on something lies in the store, and what it is is written beside it.
    async fn begin(&self, facts: &Facts) -> Result<Upload, BackupError> {
        let upload = self.vault.store().begin(&self.vault.key(self.id, &Part::Dump)).await?;
        let marker = Marker { begun: upload.begun().clone(), system_id: facts.server.system_id.clone() };
        let text = serde_json::to_vec(&marker).map_err(|error| BackupError::Broken(error.to_string()))?;
        let put = self.vault.store().put(&self.vault.key(self.id, &Part::Begun), text.into()).await;
        match put {
            Ok(()) => Ok(upload),
            Err(error) => {
                let _ = tokio::time::timeout(CLEARING, upload.abort()).await;
                Err(error.into())
            }
        }
    }

    /// What was acknowledged is not believed: it is read, and has to be what was sent.
    async fn read_back(&self, sealed: &Sum) -> Result<u64, BackupError> {
        let began = Instant::now();
        let of = sealed.bytes;
        let told = |bytes| (self.told)(BackupEvent::ReadBack { bytes, of });
        let reading = self.vault.store().read(&self.vault.key(self.id, &Part::Dump)).await?;
        let found = flow::sum(reading, told).await?;
        if found != *sealed {
            let what = format!("{} bytes were stored, and {} came back, or others", sealed.bytes, found.bytes);
            return Err(BackupError::Damaged { id: self.id.clone(), what });
        }
        Ok(millis(began))
    }

    /// The manifest is the backup: it is written last, and read back.
    async fn publish(&self, manifest: &Manifest) -> Result<(), BackupError> {
        let key = self.vault.key(self.id, &Part::Manifest);
        self.vault.put_sealed(&key, manifest.text().as_bytes()).await?;
        let found = self.vault.get(self.id).await?;
        if found.manifest != *manifest {
            let what = "its manifest came back as another".to_owned();
            return Err(BackupError::Damaged { id: self.id.clone(), what });
        }
        // It is a backup now. A marker that stays is taken away by the next one.
        let _ = self.vault.store().delete(&self.vault.key(self.id, &Part::Begun)).await;
        Ok(())
    }

    fn application(&self) -> String {
        format!("{}{}", dump::APPLICATION, self.id)
    }

    async fn end_the_dump(&self, server: &Server) -> Result<(), BackupError> {
        let session = server.open().await?;
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = {} AND usename = current_user",
            literal(&self.application())
        );
        session.simple(&sql, "ending the dump").await?;
        Ok(())
    }
}

/// Sends the sealed parts as they come, and finishes when the last one was the last.
async fn store(mut upload: Upload, mut sealing: flow::Sealing) -> Result<(Sum, Sum), BackupError> {
    while let Some(part) = sealing.parts.recv().await {
        if let Err(error) = send(&mut upload, part).await {
            let _ = tokio::time::timeout(CLEARING, upload.abort()).await;
            return Err(error);
        }
    }
    let sums = sealing.sums.await.map_err(|error| BackupError::Broken(format!("sealing was broken off: {error}")))?;
    match sums {
        Ok(sums) => {
            upload.finish().await?;
            Ok(sums)
        }
        Err(error) => {
            let _ = tokio::time::timeout(CLEARING, upload.abort()).await;
            Err(BackupError::Broken(error.to_string()))
        }
    }
}

async fn send(upload: &mut Upload, part: Bytes) -> Result<(), BackupError> {
    Ok(upload.part(part).await?)
}

fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
