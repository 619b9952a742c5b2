//! The disk, as the dialect asks it: files by path, and nothing that could hang or grow without end.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use mainstay_model::compose::{FileProblem, Files};
use rustix::fs::{Mode, OFlags};

/// The files of this machine, and the standard input under a path of its own.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    stdin: Option<(String, Vec<u8>)>,
}

impl Disk {
    /// `stdin`: the path that stands for the standard input, and what came from there.
    pub fn new(stdin: Option<(String, Vec<u8>)>) -> Self {
        Disk { stdin }
    }
}

impl Files for Disk {
    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, FileProblem> {
        match &self.stdin {
            Some((stdin, content)) if stdin == path && content.len() as u64 > limit => {
                Err(FileProblem::TooLarge { limit })
            }
            Some((stdin, content)) if stdin == path => Ok(content.clone()),
            // A customary way to say "no file".
            _ if path == "/dev/null" => Ok(Vec::new()),
            _ => read_regular(Path::new(path), limit),
        }
    }

    fn is_directory(&self, path: &str) -> bool {
        Path::new(path).is_dir()
    }
}

/// The bytes of a regular file, at most `limit` of them.
pub(super) fn read_regular(path: &Path, limit: u64) -> Result<Vec<u8>, FileProblem> {
    // Without NONBLOCK, opening a FIFO waits for somebody to write to it. What was opened is asked what it is, rather
    // than the path: the path may lead elsewhere a moment later.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(opened.map_err(|error| problem(&error.into()))?);
    let metadata = file.metadata().map_err(|error| problem(&error))?;
    if metadata.is_dir() {
        return Err(FileProblem::Directory);
    }
    if !metadata.is_file() {
        return Err(FileProblem::Other("it is no regular file (pipe it to `--file -` instead)".into()));
    }
    if metadata.len() > limit {
        return Err(FileProblem::TooLarge { limit });
    }
    let mut content = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    // A file may grow while it is read, and those under /proc have no length at all.
    file.take(limit + 1).read_to_end(&mut content).map_err(|error| problem(&error))?;
    if content.len() as u64 > limit { Err(FileProblem::TooLarge { limit }) } else { Ok(content) }
}

fn problem(error: &std::io::Error) -> FileProblem {
    match error.kind() {
        // `a.yaml/b.yaml`: there is no such file either.
        ErrorKind::NotFound | ErrorKind::NotADirectory => FileProblem::Missing,
        ErrorKind::PermissionDenied => FileProblem::Denied,
        ErrorKind::IsADirectory => FileProblem::Directory,
        _ => FileProblem::Other(error.to_string()),
    }
}
