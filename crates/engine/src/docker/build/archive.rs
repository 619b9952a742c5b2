//! A build's context as a stream: walked and packed on a thread of its own, never held in memory.

use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use mainstay_model::identity::digest;
use tokio::sync::mpsc;

use super::context::Folder;
use super::dockerignore::Ignore;
use super::weight::Weight;
use crate::docker::wire::{self, Body};

/// The size of the pieces that are sent, and how many may wait.
const PIECE: usize = 64 * 1024;
const WAITING: usize = 16;

/// What goes into the archive.
pub(super) struct Parcel {
    pub(super) folder: PathBuf,
    pub(super) ignore: Ignore,
    /// Relative paths that go whatever the ignore file says: the Dockerfile and the ignore file.
    pub(super) always: Vec<String>,
    /// Files with a content of ours, in place of what the folder may have there.
    pub(super) extra: Vec<(String, Vec<u8>)>,
}

/// What was packed so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) ignored: u64,
    pub(super) weight: Weight,
    /// Why packing stopped early, if it did.
    pub(super) trouble: Option<String>,
}

/// A folder as it is sent, and the Dockerfile's name in it.
pub(super) fn parcel_of(folder: &Folder) -> (Parcel, String) {
    let mut always = vec![".dockerignore".to_owned()];
    let mut extra = Vec::new();
    let dockerfile = match &folder.dockerfile.inside {
        Some(inside) => {
            always.push(inside.clone());
            inside.clone()
        }
        None => {
            // By content, so that the builder's cache is kept; kept out of `COPY . .` by the ignore file.
            let text = folder.dockerfile.text.clone().into_bytes();
            let name = format!(".dockerfile.{}", digest(&text));
            let ignore = format!("{}\n{name}\n.dockerignore\n", folder.ignore_text);
            extra.push((".dockerignore".to_owned(), ignore.into_bytes()));
            extra.push((name.clone(), text));
            name
        }
    };
    let ignore = Ignore::parse(&folder.ignore_text);
    (Parcel { folder: folder.path.clone(), ignore, always, extra }, dockerfile)
}

/// The body of the build request, and the count that grows while it is sent. Dropping the body ends the packing.
pub(super) fn stream(parcel: Parcel) -> (Body, Arc<Mutex<Packed>>) {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(WAITING);
    let packed = Arc::new(Mutex::new(Packed::default()));
    let count = packed.clone();
    tokio::task::spawn_blocking(move || {
        let pieces = BufWriter::with_capacity(PIECE, Pieces(sender.clone()));
        let mut packer = Packer { archive: tar::Builder::new(pieces), parcel, packed: Packed::default(), count };
        packer.archive.follow_symlinks(false);
        if let Err(error) = packer.pack() {
            packer.packed.trouble = Some(error.to_string());
            packer.publish();
            let _ = sender.blocking_send(Err(error));
        }
    });
    let pieces = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    (wire::stream_body(pieces), packed)
}

/// Writes into the channel; a receiver that went away is a broken pipe.
struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        self.0.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Packer {
    archive: tar::Builder<BufWriter<Pieces>>,
    parcel: Parcel,
    packed: Packed,
    count: Arc<Mutex<Packed>>,
}

impl Packer {
    fn pack(&mut self) -> io::Result<()> {
        let folder = self.parcel.folder.clone();
        self.pack_folder(&folder, "")?;
        for (path, content) in std::mem::take(&mut self.parcel.extra) {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o600);
            header.set_size(content.len() as u64);
            self.archive.append_data(&mut header, &path, content.as_slice())?;
        }
        self.publish();
        self.archive.finish()?;
        self.archive.get_mut().flush()
    }

    fn publish(&self) {
        if let Ok(mut count) = self.count.lock() {
            *count = self.packed.clone();
        }
    }

    /// In the order of names, so that the same folder gives the same archive.
    fn pack_folder(&mut self, folder: &Path, relative: &str) -> io::Result<()> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("`{}`: {error}", folder.display()));
        let mut entries = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(named)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let path = if relative.is_empty() { name.into_owned() } else { format!("{relative}/{name}") };
            self.pack_entry(&entry.path(), &path)
                .map_err(|error| io::Error::new(error.kind(), format!("`{path}`: {error}")))?;
        }
        Ok(())
    }

    fn pack_entry(&mut self, from: &Path, path: &str) -> io::Result<()> {
        if self.parcel.extra.iter().any(|(extra, _)| extra == path) {
            return Ok(());
        }
        let metadata = from.symlink_metadata()?;
        let kind = metadata.file_type();
        let stays_out = self.parcel.ignore.ignores(path) && !self.parcel.always.iter().any(|always| always == path);
        if stays_out {
            self.packed.ignored += 1;
            let below = format!("{path}/");
            let holds_something = self.parcel.ignore.may_keep_inside(path)
                || self.parcel.always.iter().any(|always| always.starts_with(&below));
            return if kind.is_dir() && holds_something { self.pack_folder(from, path) } else { Ok(()) };
        }
        let mut header = header_of(&metadata);
        if kind.is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            self.archive.append_data(&mut header, path, io::empty())?;
            return self.pack_folder(from, path);
        }
        if kind.is_symlink() {
            header.set_entry_type(tar::EntryType::Symlink);
            self.archive.append_link(&mut header, path, std::fs::read_link(from)?)?;
        } else if kind.is_file() {
            header.set_size(metadata.len());
            // A file that changes while it is read is cut or filled up: the archive must keep its word on the size.
            let content = File::open(from)?.chain(io::repeat(0)).take(metadata.len());
            self.archive.append_data(&mut header, path, content)?;
            self.packed.bytes += metadata.len();
            self.packed.weight.add(path, metadata.len());
        } else if kind.is_fifo() {
            header.set_entry_type(tar::EntryType::Fifo);
            self.archive.append_data(&mut header, path, io::empty())?;
        } else {
            // Sockets and devices are no content.
            return Ok(());
        }
        self.packed.files += 1;
        if self.packed.files.is_multiple_of(64) {
            self.publish();
        }
        Ok(())
    }
}

/// As Docker's client packs: mode and time of the file, owned by root.
fn header_of(metadata: &Metadata) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(metadata.mode() & 0o7777);
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use http_body_util::BodyExt;

    use super::*;

    async fn packed(parcel: Parcel) -> (BTreeMap<String, Vec<u8>>, Packed) {
        let (body, count) = stream(parcel);
        let bytes = body.collect().await.unwrap().to_bytes();
        let mut archive = tar::Archive::new(bytes.as_ref());
        let mut found = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            found.insert(entry.path().unwrap().display().to_string(), content);
        }
        let count = count.lock().unwrap().clone();
        (found, count)
    }

    #[tokio::test]
    async fn what_is_ignored_stays_out_and_what_must_go_goes() {
        let folder = tempfile::tempdir().unwrap();
        let deep = "d".repeat(60) + "/" + &"e".repeat(70);
        std::fs::create_dir_all(folder.path().join(&deep)).unwrap();
        std::fs::create_dir_all(folder.path().join("secret")).unwrap();
        for path in ["Dockerfile", "app.txt", "secret/key", "secret/public", &format!("{deep}/long.txt")] {
            std::fs::write(folder.path().join(path), path).unwrap();
        }
        std::os::unix::fs::symlink("app.txt", folder.path().join("link")).unwrap();
        let parcel = Parcel {
            folder: folder.path().to_owned(),
            ignore: Ignore::parse("secret\nDockerfile\n!secret/public"),
            always: vec!["Dockerfile".into()],
            extra: vec![(".mainstay".into(), b"FROM x".to_vec())],
        };
        let (found, count) = packed(parcel).await;
        assert!(found.contains_key("Dockerfile") && found.contains_key("secret/public") && found.contains_key("link"));
        assert!(!found.contains_key("secret/key"));
        assert_eq!(found[&format!("{deep}/long.txt")], format!("{deep}/long.txt").as_bytes());
        assert_eq!(found[".mainstay"], b"FROM x");
        assert!(count.trouble.is_none() && count.files == 5, "{count:?}");
    }
}
