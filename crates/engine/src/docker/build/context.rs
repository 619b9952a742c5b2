//! Where a build's files come from: a folder, a repository that is fetched, or a URL that the engine reads.

use std::path::{Path, PathBuf};

use mainstay_model::declared::Build;

use super::clone::{Clone, Remote, is_within};
use super::dockerignore::Ignore;
use crate::world::WorldError;

pub(super) enum Context {
    /// An archive or a Dockerfile that the engine fetches by itself.
    Url(String),
    Folder(Box<Folder>),
}

/// Files on this machine, and the Dockerfile's text.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) dockerfile: Dockerfile,
    pub(super) ignore: Ignore,
    pub(super) ignore_text: String,
    /// What the ignore file is called, and whether it stands beside the Dockerfile.
    pub(super) ignore_name: String,
    pub(super) ignore_is_beside: bool,
    /// The repository that was fetched, as long as the build lasts.
    pub(super) clone: Option<Clone>,
}

pub(super) struct Dockerfile {
    pub(super) text: String,
    /// `None` for an inline one.
    pub(super) path: Option<PathBuf>,
    /// Its path inside the context, if it is there.
    pub(super) inside: Option<String>,
}

fn is_url(context: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| context.starts_with(scheme))
}

impl Context {
    /// Reads what there is to be read before the build; a repository is here by now.
    pub(super) async fn of(build: &Build, clone: Option<Clone>) -> Result<Context, WorldError> {
        if clone.is_none() && is_url(&build.context) {
            if build.dockerfile_inline.is_some() {
                let message =
                    "`dockerfile_inline` needs a folder or a repository as context, and it is an archive's URL";
                return Err(WorldError::new(message).hint("clone the sources in a stage of the inline Dockerfile"));
            }
            return Ok(Context::Url(build.context.clone()));
        }
        let path = clone.as_ref().map_or_else(|| PathBuf::from(&build.context), Clone::context);
        let there = tokio::fs::metadata(&path).await;
        if !there.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
            let what = if there.is_ok() { "is not a folder" } else { "is not there" };
            return Err(WorldError::new(format!("the build context `{}` {what}", build.context))
                .hint("`build.context` is relative to the Compose file's folder"));
        }
        let dockerfile = dockerfile_of(build, &path, clone.as_ref()).await?;
        let beside = match &dockerfile.path {
            Some(path) => beside(path, clone.as_ref()).await,
            None => None,
        };
        let ignore_is_beside = beside.is_some();
        let (ignore_name, ignore_text) = match beside {
            Some(found) => found,
            None => {
                let text = read(&path.join(".dockerignore"), clone.as_ref()).await;
                (".dockerignore".to_owned(), text.unwrap_or_default())
            }
        };
        let ignore = Ignore::parse(&ignore_text);
        let folder = Folder { path, dockerfile, ignore, ignore_text, ignore_name, ignore_is_beside, clone };
        Ok(Context::Folder(Box::new(folder)))
    }
}

impl Context {
    /// Empty where the engine reads it.
    pub(super) fn dockerfile_text(&self) -> &str {
        match self {
            Context::Folder(folder) => &folder.dockerfile.text,
            Context::Url(_) => "",
        }
    }
}

/// The repository of a context, if it is in one.
pub(super) fn remote_of(build: &Build) -> Option<Remote> {
    Remote::read(&build.context)
}

async fn dockerfile_of(build: &Build, folder: &Path, clone: Option<&Clone>) -> Result<Dockerfile, WorldError> {
    if let Some(text) = &build.dockerfile_inline {
        return Ok(Dockerfile { text: text.clone(), path: None, inside: None });
    }
    let named = build.dockerfile.as_deref().unwrap_or("Dockerfile");
    let at = folder.join(named);
    let shown = || match clone {
        Some(_) => named.to_owned(),
        None => at.display().to_string(),
    };
    let text = read(&at, clone).await.map_err(|error| {
        let told = WorldError::new(format!("the Dockerfile `{}` could not be read", shown())).caused_by(error);
        match clone {
            Some(_) => {
                told.hint("`build.dockerfile` is relative to the context: the repository, or its subfolder in the URL")
            }
            None => told.hint("`build.dockerfile` is relative to `build.context`"),
        }
    })?;
    let inside = at.strip_prefix(folder).ok().filter(|path| !path.components().any(|part| part.as_os_str() == ".."));
    let inside = inside.map(|path| path.display().to_string());
    Ok(Dockerfile { text, path: Some(at), inside })
}

/// `<Dockerfile>.dockerignore` comes before the context's own.
async fn beside(dockerfile: &Path, clone: Option<&Clone>) -> Option<(String, String)> {
    let name = format!("{}.dockerignore", dockerfile.file_name()?.to_string_lossy());
    let text = read(&dockerfile.with_file_name(&name), clone).await.ok()?;
    Some((name, text))
}

/// A file's text; of a repository, only what is in it.
async fn read(path: &Path, clone: Option<&Clone>) -> std::io::Result<String> {
    let text = tokio::fs::read_to_string(path).await?;
    match clone {
        Some(clone) if !is_within(path, &clone.root()) => Err(std::io::Error::other("it is not in the repository")),
        _ => Ok(text),
    }
}
