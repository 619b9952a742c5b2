//! A context as BuildKit asks for it: it is told what is there, and asks for what it lacks. So of a folder that was
//! built before, only the files that changed since are read and sent.
//!
//! The conversation is fsutil's: a stat for each entry in the order of paths, an empty one at the end; meanwhile
//! requests for the content of files by their place in that order; at the very end a finish from both sides.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::header::HeaderMap;
use mainstay_model::identity::digest;
use tokio::sync::mpsc;

use super::dockerignore::{Glob, Ignore};
use super::grpc::{Messages, Reply, Status};
use super::proto::{Packet, PacketKind, Stat};
use super::weight::Weight;

/// The size of the pieces of a file.
const PIECE: usize = 32 * 1024;

/// Bits of Go's `os.FileMode` beside the nine of the permissions.
mod mode {
    pub(super) const DIRECTORY: u32 = 1 << 31;
    pub(super) const SYMLINK: u32 = 1 << 27;
    pub(super) const PIPE: u32 = 1 << 25;
    pub(super) const SET_USER: u32 = 1 << 23;
    pub(super) const SET_GROUP: u32 = 1 << 22;
    pub(super) const STICKY: u32 = 1 << 20;
}

/// Something that a build may have read to it under a name.
pub(super) enum Source {
    Folder(PathBuf),
    /// Files that are not in a folder, or not as they are there.
    Files(Vec<(String, Arc<[u8]>)>),
}

/// Which part of a source is asked for.
struct Asked {
    ignore: Ignore,
    /// Patterns, each in its words; none means everything.
    wanted: Vec<Vec<Glob>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    No,
    /// A folder on the way to something that is wanted.
    OnTheWay,
    Yes,
}

impl Asked {
    fn by(metadata: &HeaderMap) -> Asked {
        let mut wanted = values(metadata, "include-patterns");
        wanted.extend(values(metadata, "followpaths"));
        let words = |pattern: &String| {
            let words = pattern.split('/').filter(|word| !matches!(*word, "" | "."));
            words.map(Glob::of).collect::<Vec<_>>()
        };
        let wanted: Vec<Vec<Glob>> = wanted.iter().map(words).collect();
        let everything = wanted.iter().any(Vec::is_empty);
        Asked {
            ignore: Ignore::of(&values(metadata, "exclude-patterns")),
            wanted: if everything { Vec::new() } else { wanted },
        }
    }

    fn wants(&self, path: &str) -> Wanted {
        if self.wanted.is_empty() {
            return Wanted::Yes;
        }
        let words: Vec<&str> = path.split('/').collect();
        let verdict = |pattern: &Vec<Glob>| {
            // What stands behind a `**` may be anywhere.
            let length = pattern.iter().position(Glob::is_any_depth).unwrap_or(pattern.len());
            let fits = pattern[..length].iter().zip(&words).all(|(glob, word)| glob.matches(word));
            match (fits, words.len() >= length) {
                (false, _) => Wanted::No,
                (true, true) => Wanted::Yes,
                (true, false) => Wanted::OnTheWay,
            }
        };
        let verdicts: Vec<Wanted> = self.wanted.iter().map(verdict).collect();
        let any = |wanted| verdicts.contains(&wanted);
        match (any(Wanted::Yes), any(Wanted::OnTheWay)) {
            (true, _) => Wanted::Yes,
            (_, true) => Wanted::OnTheWay,
            _ => Wanted::No,
        }
    }

    /// Whether a path was named itself, or stands on the way to one: a link there leads to what is wanted.
    fn names(&self, path: &str) -> bool {
        let depth = path.split('/').count();
        !self.wanted.is_empty() && self.wanted.iter().any(|pattern| pattern.len() >= depth)
    }
}

/// The values of a key; those beyond ASCII come encoded as in a URL's query.
fn values(metadata: &HeaderMap, key: &str) -> Vec<String> {
    let encoded = metadata.get(format!("{key}-encoded")).is_some_and(|value| value == "1");
    let all = metadata.get_all(key).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    all.map(|value| if encoded { decoded(&value) } else { value }).collect()
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut found = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[at], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                found.push(byte);
                at += 2;
            }
            (b'+', _) => found.push(b' '),
            (byte, _) => found.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&found).into_owned()
}

/// Where the content of a file comes from when it is asked for.
#[derive(Clone)]
enum Content {
    At(PathBuf),
    Given(Arc<[u8]>),
}

type Contents = Arc<Mutex<HashMap<u32, Content>>>;

/// One conversation about one source.
pub(super) async fn synchronise(
    source: Arc<Source>,
    metadata: &HeaderMap,
    mut messages: Messages,
    reply: Reply,
    weight: Option<Arc<Mutex<Weight>>>,
) -> Result<(), Status> {
    let asked = Asked::by(metadata);
    let contents = Contents::default();
    let mut teller = Teller { reply: reply.clone(), contents: contents.clone(), next: 0, weight };
    let mut telling = tokio::task::spawn_blocking(move || teller.tell_all(&source, asked));
    let (requests, asked_for) = mpsc::unbounded_channel();
    let mut sending = tokio::task::spawn_blocking({
        let reply = reply.clone();
        move || send_files(asked_for, &reply)
    });
    let ended = |_| Status::internal("a thread ended early");
    let mut is_told = false;
    loop {
        // Reading ends with either thread's trouble: the other side might wait for what never comes.
        let packet = tokio::select! {
            packet = messages.next::<Packet>() => packet?.ok_or_else(Status::gone)?,
            told = &mut telling, if !is_told => {
                told.map_err(ended)??;
                is_told = true;
                continue;
            }
            sent = &mut sending => return sent.map_err(ended)?,
        };
        match PacketKind::try_from(packet.kind) {
            Ok(PacketKind::Request) => {
                let content = contents.lock().unwrap_or_else(PoisonError::into_inner).remove(&packet.id);
                let content = content.ok_or_else(|| Status::internal(format!("there is no file {}", packet.id)))?;
                let _ = requests.send((packet.id, content));
            }
            Ok(PacketKind::Finish) => break,
            Ok(PacketKind::Error) => return Err(Status::internal(String::from_utf8_lossy(&packet.data).into_owned())),
            _ => {}
        }
    }
    drop(requests);
    sending.await.map_err(ended)??;
    reply.send(&Packet { kind: PacketKind::Finish as i32, ..Packet::default() }).await
}

fn send_files(mut asked_for: mpsc::UnboundedReceiver<(u32, Content)>, reply: &Reply) -> Result<(), Status> {
    let mut piece = vec![0; PIECE];
    let send = |id: u32, data: &[u8]| {
        let data = bytes::Bytes::copy_from_slice(data);
        reply.send_blocking(&Packet { kind: PacketKind::Data as i32, id, data, stat: None })
    };
    while let Some((id, content)) = asked_for.blocking_recv() {
        match content {
            Content::Given(bytes) => bytes.chunks(PIECE).try_for_each(|piece| send(id, piece))?,
            Content::At(path) => {
                if let Err(error) = send_file(&path, &mut piece, |piece| send(id, piece)) {
                    return Err(refused(error, reply));
                }
            }
        }
        send(id, &[])?;
    }
    Ok(())
}

/// A file that went away since it was told is as good as empty; one that may not be read ends the build.
fn send_file(path: &Path, piece: &mut [u8], send: impl Fn(&[u8]) -> Result<(), Status>) -> Result<(), Trouble> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display()));
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(named(error).into()),
    };
    loop {
        match file.read(piece).map_err(named)? {
            0 => return Ok(()),
            read => send(&piece[..read]).map_err(Trouble::Gone)?,
        }
    }
}

/// Tells the other side why nothing more comes.
fn refused(trouble: Trouble, reply: &Reply) -> Status {
    let error = match trouble {
        Trouble::Gone(status) => return status,
        Trouble::Io(error) => error,
    };
    let data = error.to_string().into_bytes().into();
    let told = reply.send_blocking(&Packet { kind: PacketKind::Error as i32, data, ..Packet::default() });
    told.err().unwrap_or_else(|| Status::internal(error.to_string()))
}

/// Tells what is there.
struct Teller {
    reply: Reply,
    contents: Contents,
    next: u32,
    weight: Option<Arc<Mutex<Weight>>>,
}

impl Teller {
    fn tell_all(&mut self, source: &Source, mut asked: Asked) -> Result<(), Status> {
        let told = match source {
            Source::Folder(folder) => {
                if leads_away(folder, "", &asked) {
                    asked.wanted.clear();
                }
                self.tell_folder(folder, "", &asked)
            }
            Source::Files(files) => self.tell_files(files, &asked),
        };
        told.map_err(|trouble| refused(trouble, &self.reply))?;
        self.reply.send_blocking(&Packet { kind: PacketKind::Stat as i32, ..Packet::default() })
    }

    fn tell_files(&mut self, files: &[(String, Arc<[u8]>)], asked: &Asked) -> Result<(), Trouble> {
        let mut files: Vec<_> = files.iter().filter(|(name, _)| asked.wants(name) == Wanted::Yes).collect();
        files.sort();
        for (name, bytes) in files {
            let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
            // What has the same size and time is taken for the same: so another content has another time.
            let modified = i64::from_str_radix(&digest(bytes), 16).unwrap_or_default();
            let stat = Stat { path: name.clone(), mode: 0o644, size, modified, ..Stat::default() };
            self.tell(stat, Some(Content::Given(bytes.clone())))?;
        }
        Ok(())
    }

    /// In the order of names byte by byte, a folder's entries right behind it: BuildKit insists on it.
    fn tell_folder(&mut self, folder: &Path, relative: &str, asked: &Asked) -> Result<(), Trouble> {
        for (path, at, metadata) in entries(folder, relative)? {
            let wanted = asked.wants(&path);
            if wanted == Wanted::No {
                continue;
            }
            let is_folder = metadata.is_dir();
            if asked.ignore.ignores(&path) {
                // Parents must be told before what is in them; fsutil tells them too, when a `!` keeps something.
                if is_folder && asked.ignore.may_keep_inside(&path) && holds_kept(&at, &path, asked) {
                    self.tell(stat_of(&path, &at, &metadata)?, None)?;
                    self.tell_folder(&at, &path, asked)?;
                }
                continue;
            }
            let kind = metadata.file_type();
            if kind.is_socket() || kind.is_block_device() || kind.is_char_device() {
                continue;
            }
            if is_folder {
                self.tell(stat_of(&path, &at, &metadata)?, None)?;
                self.tell_folder(&at, &path, asked)?;
            } else if wanted == Wanted::Yes {
                let content = metadata.is_file().then(|| Content::At(at.clone()));
                self.tell(stat_of(&path, &at, &metadata)?, content)?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, stat: Stat, content: Option<Content>) -> Result<(), Trouble> {
        if let Some(content) = content {
            if let (Some(weight), Ok(bytes)) = (&self.weight, u64::try_from(stat.size)) {
                weight.lock().unwrap_or_else(PoisonError::into_inner).add(&stat.path, bytes);
            }
            self.contents.lock().unwrap_or_else(PoisonError::into_inner).insert(self.next, content);
        }
        self.next += 1;
        let packet = Packet { kind: PacketKind::Stat as i32, stat: Some(stat), ..Packet::default() };
        self.reply.send_blocking(&packet).map_err(Trouble::Gone)
    }
}

enum Trouble {
    Gone(Status),
    Io(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Io(error)
    }
}

type Entry = (String, PathBuf, Metadata);

fn entries(folder: &Path, relative: &str) -> io::Result<Vec<Entry>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("`{}`: {error}", folder.display()));
    let mut found = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(named)?;
    found.sort_by(|a, b| a.file_name().as_bytes().cmp(b.file_name().as_bytes()));
    let mut all = Vec::with_capacity(found.len());
    for entry in found {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = if relative.is_empty() { name.into_owned() } else { format!("{relative}/{name}") };
        match entry.metadata() {
            Ok(metadata) => all.push((path, entry.path(), metadata)),
            // Gone since the listing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(named(error)),
        }
    }
    Ok(all)
}

/// Whether an ignored folder holds anything that a `!` keeps.
fn holds_kept(folder: &Path, relative: &str, asked: &Asked) -> bool {
    entries(folder, relative).unwrap_or_default().into_iter().any(|(path, at, metadata)| {
        if asked.wants(&path) == Wanted::No {
            return false;
        }
        if !asked.ignore.ignores(&path) {
            return true;
        }
        metadata.is_dir() && asked.ignore.may_keep_inside(&path) && holds_kept(&at, &path, asked)
    })
}

/// Whether a path that is asked for is a link, so that what it leads to is asked for as well.
fn leads_away(folder: &Path, relative: &str, asked: &Asked) -> bool {
    if asked.wanted.is_empty() {
        return false;
    }
    entries(folder, relative).unwrap_or_default().into_iter().any(|(path, at, metadata)| {
        if asked.wants(&path) == Wanted::No || !asked.names(&path) {
            return false;
        }
        metadata.is_symlink() || (metadata.is_dir() && leads_away(&at, &path, asked))
    })
}

/// Mode and time of the entry, owned by root, as Docker's client tells it.
fn stat_of(path: &str, at: &Path, metadata: &Metadata) -> io::Result<Stat> {
    let bits = metadata.mode();
    let mut told = bits & 0o777;
    for (unix, go) in [(0o4000, mode::SET_USER), (0o2000, mode::SET_GROUP), (0o1000, mode::STICKY)] {
        told |= if bits & unix == 0 { 0 } else { go };
    }
    let kind = metadata.file_type();
    let mut stat = Stat { path: path.to_owned(), ..Stat::default() };
    if kind.is_dir() {
        told |= mode::DIRECTORY;
    } else if kind.is_symlink() {
        told |= mode::SYMLINK;
        stat.link = std::fs::read_link(at)?.to_string_lossy().into_owned();
    } else if kind.is_fifo() {
        told |= mode::PIPE;
    } else {
        stat.size = i64::try_from(metadata.len()).unwrap_or(i64::MAX);
    }
    stat.mode = told;
    stat.modified = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
    Ok(stat)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn asked(pairs: &[(&'static str, &str)]) -> Asked {
        let mut metadata = HeaderMap::new();
        for (key, value) in pairs {
            metadata.append(*key, HeaderValue::from_str(value).unwrap());
        }
        Asked::by(&metadata)
    }

    #[test]
    fn what_is_named_is_wanted_with_the_way_to_it_and_all_below_it() {
        let asked = asked(&[("followpaths", "packages/*/src"), ("followpaths", "package.json")]);
        for (path, wanted) in [
            ("package.json", Wanted::Yes),
            ("packages", Wanted::OnTheWay),
            ("packages/ui", Wanted::OnTheWay),
            ("packages/ui/src", Wanted::Yes),
            ("packages/ui/src/deep/file.ts", Wanted::Yes),
            ("packages/ui/dist", Wanted::No),
            ("node_modules", Wanted::No),
        ] {
            assert!(asked.wants(path) == wanted, "{path}");
        }
    }

    #[test]
    fn nothing_named_and_the_root_named_both_mean_everything() {
        assert!(asked(&[]).wants("a/b") == Wanted::Yes);
        assert!(asked(&[("followpaths", "."), ("followpaths", "src")]).wants("other") == Wanted::Yes);
    }

    #[test]
    fn names_beyond_ascii_are_read() {
        let asked = asked(&[("followpaths", "gr%C3%BCn+1"), ("followpaths-encoded", "1")]);
        assert!(asked.wants("grün 1/x") == Wanted::Yes && asked.wants("blau") == Wanted::No);
    }

    #[test]
    fn a_link_on_the_way_leads_away_and_one_below_does_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("real/deep")).unwrap();
        std::os::unix::fs::symlink("real", folder.path().join("link")).unwrap();
        std::os::unix::fs::symlink("x", folder.path().join("real/deep/link")).unwrap();
        assert!(leads_away(folder.path(), "", &asked(&[("followpaths", "link/deep")])));
        assert!(!leads_away(folder.path(), "", &asked(&[("followpaths", "real")])));
    }

    #[test]
    fn a_file_that_went_away_is_empty_and_one_that_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let sent = |path: &Path| send_file(path, &mut [0; 8], |_| Ok(()));
        assert!(sent(&folder.path().join("gone")).is_ok());
        // A folder opens as a file does, and cannot be read as one.
        assert!(matches!(sent(folder.path()), Err(Trouble::Io(error)) if error.to_string().starts_with('`')));
    }

    #[test]
    fn modes_are_gos() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("run.sh");
        std::fs::write(&file, "x").unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o4755)).unwrap();
        let stat = stat_of("run.sh", &file, &file.symlink_metadata().unwrap()).unwrap();
        assert_eq!((stat.mode, stat.size), (0o755 | mode::SET_USER, 1));
        let stat = stat_of("", folder.path(), &folder.path().symlink_metadata().unwrap()).unwrap();
        assert_eq!(stat.mode & mode::DIRECTORY, mode::DIRECTORY);
    }
}
