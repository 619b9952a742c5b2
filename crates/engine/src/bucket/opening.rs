//! A content of a backup, opened and held against its hash.

use std::io::{self, Read};

use bytes::{Bytes, BytesMut};
use futures_util::stream::TryStreamExt;
use mainstay_model::bucket::Object;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::blobs::{BlobError, Reading};
use crate::pg::backup::flow::hex;
use crate::secrets::{Seals, SecretsError};

/// Of what is opened at a time.
const OPENED_BYTES: usize = 64 << 10;
/// Pieces that may wait for whoever takes them.
const WAITING: usize = 16;

/// Why a content is not what was backed up.
#[derive(Debug)]
pub(super) enum Fault {
    Gone,
    Size(u64),
    Hash(String),
    Unreadable(String),
    /// The store, and not the content.
    Store(BlobError),
    /// Whoever took the pieces wants no more.
    Left,
}

/// Pieces, and after the last one whether all was as recorded. What takes them must not count as done before that.
pub(super) struct Opening {
    pub pieces: mpsc::Receiver<Bytes>,
    pub verdict: tokio::task::JoinHandle<Result<(), Fault>>,
}

pub(super) fn open(seals: &Seals, object: &Object, reading: Reading) -> Opening {
    let (sender, pieces) = mpsc::channel(WAITING);
    let input = SyncIoBridge::new(StreamReader::new(reading.map_err(io::Error::other)));
    let (seals, object) = (seals.clone(), object.clone());
    let verdict = tokio::task::spawn_blocking(move || {
        open_all(&seals, &object, input, |piece| sender.blocking_send(piece).is_ok())
    });
    Opening { pieces, verdict }
}

fn open_all(
    seals: &Seals,
    object: &Object,
    input: impl Read,
    mut give: impl FnMut(Bytes) -> bool,
) -> Result<(), Fault> {
    let mut opening = seals.opening(&object.stored, input).map_err(|error| match error {
        SecretsError::Damaged { why, .. } => Fault::Unreadable(why),
        other => Fault::Unreadable(other.to_string()),
    })?;
    let (mut bytes, mut hash) = (0, Sha256::new());
    loop {
        let mut piece = BytesMut::zeroed(OPENED_BYTES);
        let read = opening.read(&mut piece).map_err(explained)?;
        if read == 0 {
            break;
        }
        piece.truncate(read);
        bytes += read as u64;
        hash.update(&piece);
        if !give(piece.freeze()) {
            return Err(Fault::Left);
        }
    }
    let found = hex(&hash.finalize());
    match (bytes == object.bytes, found == object.sha256) {
        (true, true) => Ok(()),
        (false, _) => Err(Fault::Size(bytes)),
        (true, false) => Err(Fault::Hash(found)),
    }
}

/// An error of the store comes through a reader, and is itself again here.
fn explained(error: io::Error) -> Fault {
    let words = error.to_string();
    match error.into_inner().map(|inner| inner.downcast::<BlobError>()) {
        Some(Ok(blob)) if blob.is_not_there() => Fault::Gone,
        Some(Ok(blob)) => Fault::Store(*blob),
        _ => Fault::Unreadable(words),
    }
}
