//! A context in a remote repository: the one commit that is named, fetched by the machine's own `git`, with the logins
//! and keys that it knows. The engine could fetch by itself, but not with an inline Dockerfile, not the subfolder of
//! a ref on older ones, and what it lacks could not be explained.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mainstay_model::declared::Hidden;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::world::WorldError;

/// So much of what git complained about is told.
const COMPLAINT: usize = 2_000;

/// `https://host/repo.git#ref:subfolder`, with the login that it may hold kept apart.
pub(super) struct Remote {
    /// Without a login and without what stands behind `#`.
    pub(super) url: String,
    login: Option<Hidden>,
    reference: Option<String>,
    subfolder: String,
}

/// A commit on this machine's disk, for the length of a build.
pub(super) struct Clone {
    folder: TempDir,
    subfolder: String,
    pub(super) commit: String,
}

impl Clone {
    pub(super) fn root(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    pub(super) fn context(&self) -> PathBuf {
        match self.subfolder.as_str() {
            "" => self.root(),
            subfolder => self.root().join(subfolder),
        }
    }
}

impl Remote {
    /// `None` for a context that is a folder, or an archive behind a URL.
    pub(super) fn read(context: &str) -> Option<Remote> {
        let (url, fragment) = context.split_once('#').unwrap_or((context, ""));
        let is_http = url.starts_with("http://") || url.starts_with("https://");
        let is_git = url.starts_with("git://")
            || url.starts_with("ssh://")
            || url.starts_with("git@")
            || url.starts_with("github.com/")
            || (is_http && url.trim_end_matches('/').ends_with(".git"));
        if !is_git {
            return None;
        }
        let url = if url.starts_with("github.com/") { format!("https://{url}") } else { url.to_owned() };
        let (url, login) = if is_http { without_login(&url) } else { (url, None) };
        let (reference, subfolder) = fragment.split_once(':').unwrap_or((fragment, ""));
        let reference = Some(reference.to_owned()).filter(|reference| !reference.is_empty());
        Some(Remote { url, login, reference, subfolder: subfolder.trim_matches('/').to_owned() })
    }

    /// What it is called in a line: never with a login.
    pub(super) fn shown(&self) -> String {
        let reference = self.reference.as_ref().map(|reference| format!("#{reference}")).unwrap_or_default();
        let subfolder = if self.subfolder.is_empty() { String::new() } else { format!(":{}", self.subfolder) };
        let mark = if reference.is_empty() && !subfolder.is_empty() { "#" } else { "" };
        format!("{}{reference}{mark}{subfolder}", self.url)
    }

    /// What must be told in no line.
    pub(super) fn secrets(&self) -> Vec<Hidden> {
        let login = self.login.iter();
        login.flat_map(|login| login.reveal().split(':').map(Hidden::new).chain([login.clone()])).collect()
    }

    /// Fetches the commit. Dropping this ends git and removes what was fetched.
    pub(super) async fn fetch(&self) -> Result<Clone, WorldError> {
        let refused = |what: &str| WorldError::new(format!("the repository `{}` {what}", self.shown()));
        if self.subfolder.split('/').any(|word| word == "..") {
            return Err(refused("cannot be left by its subfolder"));
        }
        if self.reference.as_ref().is_some_and(|reference| reference.starts_with('-')) {
            return Err(refused("has no such ref"));
        }
        let folder = tempfile::Builder::new().prefix("mainstay-context-").tempdir();
        let folder = folder.map_err(|error| refused("could not be fetched: there is no room").caused_by(error))?;
        let tree = folder.path().join("tree");
        let mut git = Git { tree: &tree, remote: self, asks_nobody: false };
        let wanted = self.reference.as_deref().unwrap_or("HEAD");
        let tree_text = tree.display().to_string();
        git.run(&["init", "--quiet", "--", &tree_text]).await?;
        // Whose SSH is set up already knows best; any other must not wait for a passphrase that nobody types.
        git.asks_nobody = git.told(&["config", "--get", "core.sshCommand"]).await.is_err();
        git.run(&["remote", "add", "--", "origin", &self.url]).await?;
        // One commit is enough. Where a server gives no single commit by its id, all of them are fetched.
        let single = git.run(&["fetch", "--quiet", "--depth=1", "--no-tags", "--", "origin", wanted]).await;
        let commit = match single {
            Ok(()) => "FETCH_HEAD",
            Err(error) if is_commit(wanted) => {
                git.run(&["fetch", "--quiet", "--tags", "--", "origin"]).await.map_err(|_| error)?;
                wanted
            }
            Err(error) => return Err(error),
        };
        git.run(&["checkout", "--quiet", "--detach", commit]).await?;
        if tree.join(".gitmodules").exists() {
            git.run(&["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"]).await?;
        }
        let commit = git.told(&["rev-parse", "HEAD"]).await?;
        // As BuildKit does: history is no part of the context, and would be another one with every commit.
        let _ = tokio::fs::remove_dir_all(tree.join(".git")).await;
        let clone = Clone { folder, subfolder: self.subfolder.clone(), commit: commit.trim().to_owned() };
        if !clone.context().is_dir() || !is_within(&clone.context(), &clone.root()) {
            return Err(refused(&format!("has no folder `{}`", self.subfolder)));
        }
        Ok(clone)
    }
}

/// Whether a path leads into a folder, with its links followed: a repository's author is not this machine's user.
pub(super) fn is_within(path: &Path, folder: &Path) -> bool {
    match (path.canonicalize(), folder.canonicalize()) {
        (Ok(path), Ok(folder)) => path.starts_with(folder),
        _ => false,
    }
}

/// A URL and the login in it.
fn without_login(url: &str) -> (String, Option<Hidden>) {
    let Some((scheme, rest)) = url.split_once("://") else { return (url.to_owned(), None) };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rsplit_once('@') {
        Some((login, host)) => {
            let login = if login.contains(':') { login.to_owned() } else { format!("{login}:") };
            (format!("{scheme}://{host}{}", &rest[end..]), Some(Hidden::new(login)))
        }
        None => (url.to_owned(), None),
    }
}

fn is_commit(reference: &str) -> bool {
    reference.len() >= 7 && reference.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Commands of git about one tree. A login goes by the environment, which other users do not see as they see arguments.
struct Git<'a> {
    tree: &'a Path,
    remote: &'a Remote,
    /// SSH is told to ask for nothing; `GIT_SSH_COMMAND` still comes before it.
    asks_nobody: bool,
}

impl Git<'_> {
    async fn run(&self, words: &[&str]) -> Result<(), WorldError> {
        self.told(words).await.map(drop)
    }

    async fn told(&self, words: &[&str]) -> Result<String, WorldError> {
        let failed = || WorldError::new(format!("the repository `{}` could not be fetched", self.remote.shown()));
        let mut command = Command::new("git");
        if words.first() != Some(&"init") {
            command.arg("-C").arg(self.tree);
        }
        if self.asks_nobody {
            command.args(["-c", "core.sshCommand=ssh -o BatchMode=yes"]);
        }
        command.args(words).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        if let Some(login) = &self.remote.login {
            let host = self.remote.url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            let basic = format!("Authorization: Basic {}", STANDARD.encode(percent_decoded(login.reveal())));
            command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", format!("http.{host}/.extraHeader"));
            command.env("GIT_CONFIG_VALUE_0", basic);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        let child = command.spawn().map_err(|error| {
            let told = failed().caused_by(error);
            told.hint("a context in a repository is fetched with `git`: install it on the machine that builds")
        })?;
        let mut group = Group::of(child);
        let (status, out, complaint) = group.ended().await.map_err(|error| failed().caused_by(error))?;
        if status.success() {
            return Ok(out);
        }
        let start = complaint.ceil_char_boundary(complaint.len().saturating_sub(COMPLAINT));
        let complaint = complaint[start..].lines().map(str::trim).filter(|line| !line.is_empty());
        let complaint = complaint.collect::<Vec<_>>().join("; ");
        Err(explained(failed().caused_by(complaint.clone()), &complaint))
    }
}

fn explained(error: WorldError, complaint: &str) -> WorldError {
    let says = |words: &[&str]| words.iter().any(|words| complaint.contains(words));
    if says(&["could not read Username", "Authentication failed", "Permission denied", "terminal prompts disabled"]) {
        return error
            .hint("the machine that builds may not read it: give its user a key or a credential helper for `git`");
    }
    if says(&["couldn't find remote ref", "not our ref", "did not match any", "unable to read tree"]) {
        return error.hint("there is no such branch, tag or commit: see what stands behind `#` in `build.context`");
    }
    WorldError { transient: says(&["Could not resolve host", "timed out", "Connection re", "early EOF"]), ..error }
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                found.push(byte);
                at += 2;
            }
            (byte, _) => found.push(byte),
        }
        at += 1;
    }
    found
}

/// git with all that it starts (`ssh`, `git-remote-https`), which end with it.
struct Group {
    child: Child,
    id: Option<rustix::process::Pid>,
}

impl Group {
    fn of(child: Child) -> Group {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        Group { child, id }
    }

    async fn ended(&mut self) -> std::io::Result<(std::process::ExitStatus, String, String)> {
        let (mut out, mut complaint) = (Vec::new(), Vec::new());
        let (mut stdout, mut stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let reading_out = async { if let Some(it) = &mut stdout { it.read_to_end(&mut out).await } else { Ok(0) } };
        let reading_complaint =
            async { if let Some(it) = &mut stderr { it.read_to_end(&mut complaint).await } else { Ok(0) } };
        let (first, second) = tokio::join!(reading_out, reading_complaint);
        let status = self.child.wait().await?;
        self.id = None;
        first.and(second)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((status, text(&out), text(&complaint)))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_told_from_folders_and_archives() {
        for (context, url, reference, subfolder) in [
            ("https://host/shop.git", "https://host/shop.git", None, ""),
            ("https://host/shop.git#v2:apps/web/", "https://host/shop.git", Some("v2"), "apps/web"),
            ("git@host:acme/shop.git#:apps", "git@host:acme/shop.git", None, "apps"),
            ("github.com/acme/shop#main", "https://github.com/acme/shop", Some("main"), ""),
            ("ssh://git@host/shop", "ssh://git@host/shop", None, ""),
        ] {
            let remote = Remote::read(context).unwrap();
            let read = (remote.url.as_str(), remote.reference.as_deref(), remote.subfolder.as_str());
            assert_eq!(read, (url, reference, subfolder), "{context}");
        }
        for context in ["/srv/shop", "https://host/context.tar.gz", "http://host/shop"] {
            assert!(Remote::read(context).is_none(), "{context}");
        }
    }

    #[test]
    fn a_login_in_a_url_is_never_shown() {
        let remote = Remote::read("https://me:t0ps3cret@host/shop.git#main").unwrap();
        assert_eq!(remote.shown(), "https://host/shop.git#main");
        assert!(remote.secrets().contains(&Hidden::new("t0ps3cret")));
        assert_eq!(percent_decoded("a%40b:c%"), b"a@b:c%");
    }

    #[tokio::test]
    async fn a_subfolder_does_not_lead_out_and_a_ref_is_no_option() {
        for context in ["git://127.0.0.1:9/x#main:a/../../b", "git://127.0.0.1:9/x#--upload-pack=touch /tmp/x"] {
            assert!(Remote::read(context).unwrap().fetch().await.is_err(), "{context}");
        }
    }
}
