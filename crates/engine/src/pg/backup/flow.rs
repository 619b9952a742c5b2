//! Bytes on their way into a store and out of it: hashed as they are, sealed or opened, and hashed again.
//!
//! Sealing is work for a processor and runs on a thread of its own; what waits between the threads is bounded, so memory
//! stays as it is however large a database is.

use std::io::{self, Read, Write};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use mainstay_model::identity::BackupId;
use mainstay_model::postgres::backup::Stored;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::error::BackupError;
use crate::blobs::{BlobError, Reading};
use crate::secrets::{Seals, SecretsError};

/// Pieces that may wait for the thread; each is as large as the engine cuts them, 32 KiB or so.
const WAITING_PIECES: usize = 32;
/// Of what is opened at a time.
const OPENED_BYTES: usize = 64 << 10;

/// What a stream came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub bytes: u64,
    pub sha256: String,
}

/// Counts and hashes.
#[derive(Default)]
struct Summing {
    bytes: u64,
    hash: Sha256,
}

impl Summing {
    fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.hash.update(piece);
    }

    fn sum(self) -> Sum {
        Sum { bytes: self.bytes, sha256: hex(&self.hash.finalize()) }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The plain bytes go in here.
pub(crate) struct Inlet {
    pieces: mpsc::Sender<Option<Bytes>>,
}

impl Inlet {
    /// `false`: the other side has given up, and says why.
    pub async fn give(&self, piece: Bytes) -> bool {
        self.pieces.send(Some(piece)).await.is_ok()
    }

    /// Only this makes it whole: an inlet that is dropped ends the sealing with an error.
    pub async fn end(self) {
        let _ = self.pieces.send(None).await;
    }
}

/// Sealed parts come out here, each of the same size but the last.
pub(crate) struct Sealing {
    pub parts: mpsc::Receiver<Bytes>,
    /// Ends after the last part: the sums of the plain bytes and of the sealed ones.
    pub sums: JoinHandle<io::Result<(Sum, Sum)>>,
}

pub(crate) fn seal(seals: &Seals, part_bytes: usize) -> (Inlet, Sealing) {
    let (pieces, mut taken) = mpsc::channel::<Option<Bytes>>(WAITING_PIECES);
    // One part waits while another is filled.
    let (parts, receiver) = mpsc::channel(1);
    let seals = seals.clone();
    let sums = tokio::task::spawn_blocking(move || {
        let outlet =
            Outlet { parts, part_bytes, filling: BytesMut::with_capacity(part_bytes), summing: Summing::default() };
        let mut plain = Summing::default();
        let mut sealed = seals.sealing(outlet)?;
        loop {
            match taken.blocking_recv() {
                Some(Some(piece)) => {
                    plain.add(&piece);
                    sealed.write_all(&piece)?;
                }
                Some(None) => break,
                None => return Err(io::Error::other("what was to be sealed was broken off")),
            }
        }
        let mut outlet = sealed.finish()?;
        outlet.send()?;
        Ok((plain.sum(), outlet.summing.sum()))
    });
    (Inlet { pieces }, Sealing { parts: receiver, sums })
}

struct Outlet {
    parts: mpsc::Sender<Bytes>,
    part_bytes: usize,
    filling: BytesMut,
    summing: Summing,
}

impl Outlet {
    fn send(&mut self) -> io::Result<()> {
        let part = std::mem::replace(&mut self.filling, BytesMut::with_capacity(self.part_bytes)).freeze();
        self.summing.add(&part);
        self.parts.blocking_send(part).map_err(|_| io::Error::other("the store takes no more"))
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.part_bytes - self.filling.len());
        self.filling.extend_from_slice(&bytes[..taken]);
        if self.filling.len() == self.part_bytes {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Plain bytes as they are opened. The last item is an error unless everything was as it was stored: what takes them must
/// not count as done before the stream has ended well.
pub type Opened = stream::BoxStream<'static, Result<Bytes, BackupError>>;

/// Opens what a store gives.
pub(crate) fn open(seals: &Seals, id: &BackupId, stored: &Stored, reading: Reading) -> Opened {
    let (opened, receiver) = mpsc::channel::<Result<Bytes, BackupError>>(WAITING_PIECES);
    let input = SyncIoBridge::new(StreamReader::new(reading.map_err(io::Error::other)));
    let (seals, id, stored) = (seals.clone(), id.clone(), stored.clone());
    tokio::task::spawn_blocking(move || {
        let mut sender = Some(&opened);
        let ended = open_all(&seals, &id, &stored, input, |piece| {
            let gone = sender.is_some_and(|to| to.blocking_send(Ok(piece)).is_err());
            if gone {
                sender = None;
            }
            !gone
        });
        if let Err(error) = ended {
            let _ = opened.blocking_send(Err(error));
        }
    });
    stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) }).boxed()
}

fn open_all(
    seals: &Seals,
    id: &BackupId,
    stored: &Stored,
    input: impl Read,
    mut give: impl FnMut(Bytes) -> bool,
) -> Result<(), BackupError> {
    let damaged = |what: String| BackupError::Damaged { id: id.clone(), what };
    let mut input = Tee { input, summing: Summing::default() };
    let mut plain = Summing::default();
    {
        let mut opening = seals.opening(&stored.key, &mut input).map_err(|error| match error {
            SecretsError::OtherRecipients { .. } => BackupError::OtherKey { id: id.clone() },
            SecretsError::Damaged { why, .. } => damaged(format!("its data cannot be opened: {why}")),
            other => other.into(),
        })?;
        loop {
            let mut piece = BytesMut::zeroed(OPENED_BYTES);
            let read = opening.read(&mut piece).map_err(|error| explained(error, id))?;
            if read == 0 {
                break;
            }
            piece.truncate(read);
            plain.add(&piece);
            if !give(piece.freeze()) {
                return Ok(());
            }
        }
    }
    // Bytes after the end are damage, too.
    io::copy(&mut input, &mut io::sink()).map_err(|error| explained(error, id))?;
    let sealed = input.summing.sum();
    if sealed.bytes != stored.bytes || sealed.sha256 != stored.sha256 {
        return Err(damaged(format!(
            "what is stored has {} bytes and another hash than its manifest says",
            sealed.bytes
        )));
    }
    let plain = plain.sum();
    if plain.bytes != stored.plain_bytes || plain.sha256 != stored.plain_sha256 {
        return Err(damaged("what was opened is not what was dumped".into()));
    }
    Ok(())
}

/// An error of the store comes through a reader, and is itself again here.
fn explained(error: io::Error, id: &BackupId) -> BackupError {
    let words = error.to_string();
    match error.into_inner().map(|inner| inner.downcast::<BlobError>()) {
        Some(Ok(blob)) if blob.is_not_there() => {
            BackupError::Damaged { id: id.clone(), what: "its data is not there".into() }
        }
        Some(Ok(blob)) => BackupError::Blob(*blob),
        _ => BackupError::Damaged { id: id.clone(), what: format!("its data cannot be opened: {words}") },
    }
}

struct Tee<R> {
    input: R,
    summing: Summing,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.summing.add(&buffer[..read]);
        Ok(read)
    }
}

/// The sum of an object as it lies there.
pub(crate) async fn sum(mut reading: Reading, mut told: impl FnMut(u64)) -> Result<Sum, BlobError> {
    let mut summing = Summing::default();
    while let Some(piece) = reading.next().await {
        summing.add(&piece?);
        told(summing.bytes);
    }
    Ok(summing.sum())
}
