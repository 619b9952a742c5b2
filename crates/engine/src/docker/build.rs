//! Images built by the engine's classic builder, which every engine has: the context goes as a stream, lines come
//! back. What only BuildKit does is refused by name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bollard::errors::Error;
use futures_util::StreamExt;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use mainstay_model::declared::{Build, Hidden, Service};
use mainstay_model::identity::digest;
use serde_json::json;

use super::build_context::{self, Packed, Parcel};
use super::dockerignore::Ignore;
use super::images::Told;
use super::refusal::{Refusal, message};
use super::registry::Logins;
use super::{Docker, wire};
use crate::world::{Acted, Progress, WorldError};

/// How many of the last lines of a build an error carries.
const LOG_TAIL: usize = 20;
/// Values shorter than this are not hidden in lines: that would hide half of the text.
const HIDE_FROM: usize = 6;

/// Where the builder gets its files from.
enum Context {
    /// The engine fetches by itself.
    Remote(String),
    Folder(Parcel),
}

impl Docker {
    /// Builds a service's image and tags it.
    pub(super) async fn build(&self, service: &Service, image: &str, progress: &Progress) -> Result<Acted, WorldError> {
        let doing = || format!("the image `{image}` could not be built");
        let Some(build) = &service.build else {
            return Err(WorldError::new(format!("{}: the service `{}` declares no build", doing(), service.name)));
        };
        refuse_buildkit(build).map_err(|error| WorldError::new(doing()).caused_by(error))?;
        let (context, dockerfile) =
            context_of(build).await.map_err(|error| WorldError::new(doing()).caused_by(error))?;
        let (remote, body, packed) = match context {
            Context::Remote(url) => (Some(url), wire::no_body(), None),
            Context::Folder(parcel) => {
                let (body, packed) = build_context::stream(parcel);
                (None, body, Some(packed))
            }
        };
        let path = format!("/build{}", wire::query(query_of(build, service, image, &dockerfile, remote)));
        let logins = Logins::read(self.registry_config()).await;
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"))]);
        headers.extend(logins.for_build().map(|login| (HeaderName::from_static("x-registry-config"), login)));
        let mut output = Output::new(build);
        let built = self.run_build(&path, headers, body, &mut output, progress).await;
        if let Err(error) = built {
            return Err(failure(&doing(), build, error, packed.as_ref(), output));
        }
        match self.image_id(image).await {
            Ok(Some(id)) => {
                let short: String = id.trim_start_matches("sha256:").chars().take(12).collect();
                Ok(Acted { detail: Some(format!("built {short}")), ..Acted::default() })
            }
            Ok(None) => Err(WorldError::new(format!("the image `{image}` is not there after its build"))),
            Err(error) => Err(Refusal::new(doing()).explain(error)),
        }
    }

    /// A build has no time limit; dropping this closes the connection, and the engine ends the build.
    async fn run_build(
        &self,
        path: &str,
        headers: HeaderMap,
        body: wire::Body,
        output: &mut Output,
        progress: &Progress,
    ) -> Result<(), Error> {
        let answer = self.wire.open(Method::POST, path, headers, body).await?;
        let mut lines = wire::json_lines::<Told>(wire::chunks(answer));
        while let Some(told) = lines.next().await {
            let told = told?;
            if !told.error.is_empty() {
                return Err(Error::DockerStreamError { error: output.veil(&told.error) });
            }
            output.hear(&told, progress);
        }
        output.end(progress);
        Ok(())
    }
}

/// What the builder said, line by line, with the values of arguments hidden.
struct Output {
    secrets: Vec<Hidden>,
    rest: String,
    last: Vec<String>,
}

impl Output {
    fn new(build: &Build) -> Output {
        let values = build.args.values().flatten().filter(|value| value.reveal().len() >= HIDE_FROM);
        Output { secrets: values.cloned().collect(), rest: String::new(), last: Vec::new() }
    }

    fn veil(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.reveal(), "…"))
    }

    fn hear(&mut self, told: &Told, progress: &Progress) {
        self.rest.push_str(&told.stream);
        while let Some(end) = self.rest.find('\n') {
            let line: String = self.rest.drain(..=end).collect();
            self.tell(&line, progress);
        }
        // The base image is pulled: its layers come and go by the hundred, their ends are enough.
        if told.status == "Pull complete" || told.status.starts_with("Status:") {
            self.tell(format!("{} {}", told.id, told.status).trim(), progress);
        }
    }

    fn end(&mut self, progress: &Progress) {
        let rest = std::mem::take(&mut self.rest);
        self.tell(&rest, progress);
    }

    fn tell(&mut self, line: &str, progress: &Progress) {
        let line = self.veil(line.trim_end());
        if line.trim().is_empty() {
            return;
        }
        if self.last.len() == LOG_TAIL {
            self.last.remove(0);
        }
        self.last.push(line.clone());
        progress.tell(line);
    }
}

fn refuse_buildkit(build: &Build) -> Result<(), WorldError> {
    let needs =
        |what: &str| WorldError::new(format!("{what} needs BuildKit, and builds run on the engine's classic builder"));
    if let Some(secret) = build.secrets.keys().next() {
        return Err(needs(&format!("the build secret `{secret}`")));
    }
    if build.privileged {
        return Err(needs("a privileged build"));
    }
    if build.platforms.len() > 1 {
        return Err(needs("a build for several platforms"));
    }
    Ok(())
}

fn is_remote(context: &str) -> bool {
    let schemes = ["http://", "https://", "git://", "ssh://", "git@", "github.com/"];
    schemes.iter().any(|scheme| context.starts_with(scheme))
}

/// The context, and the Dockerfile's name inside it.
async fn context_of(build: &Build) -> Result<(Context, String), WorldError> {
    let named = build.dockerfile.clone().unwrap_or_else(|| "Dockerfile".into());
    if is_remote(&build.context) {
        if build.dockerfile_inline.is_some() {
            let message = format!("`dockerfile_inline` needs a folder as context, and `{}` is a URL", build.context);
            return Err(WorldError::new(message).hint("clone the repository in a build stage of the inline Dockerfile"));
        }
        return Ok((Context::Remote(build.context.clone()), named));
    }
    let folder = PathBuf::from(&build.context);
    let there = tokio::fs::metadata(&folder).await;
    if !there.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
        let what = if there.is_ok() { "is not a folder" } else { "is not there" };
        return Err(WorldError::new(format!("the build context `{}` {what}", build.context))
            .hint("`build.context` is relative to the Compose file's folder"));
    }
    let at = folder.join(&named);
    let inside = at.strip_prefix(&folder).ok().filter(|path| !path.components().any(|part| part.as_os_str() == ".."));
    let inside = inside.map(|path| path.display().to_string());
    let text = match &build.dockerfile_inline {
        Some(text) => Some(text.clone().into_bytes()),
        None => {
            let text = tokio::fs::read(&at).await.map_err(|error| {
                WorldError::new(format!("the Dockerfile `{}` could not be read", at.display())).caused_by(error)
            })?;
            inside.is_none().then_some(text)
        }
    };
    let ignore_text = ignore_text(&folder, (build.dockerfile_inline.is_none()).then_some(at.as_path())).await;
    let mut extra = Vec::new();
    let mut always = vec![".dockerignore".to_owned()];
    let dockerfile = match (text, inside) {
        (Some(text), _) => {
            // By content, so that the builder's cache is kept; kept out of `COPY . .` by the ignore file.
            let name = format!(".dockerfile.{}", digest(&text));
            extra.push((".dockerignore".to_owned(), format!("{ignore_text}\n{name}\n.dockerignore\n").into_bytes()));
            extra.push((name.clone(), text));
            name
        }
        (None, inside) => {
            let name = inside.unwrap_or(named);
            always.push(name.clone());
            name
        }
    };
    let parcel = Parcel { folder, ignore: Ignore::parse(&ignore_text), always, extra };
    Ok((Context::Folder(parcel), dockerfile))
}

/// `<Dockerfile>.dockerignore` comes before the context's own.
async fn ignore_text(folder: &Path, dockerfile: Option<&Path>) -> String {
    if let Some(dockerfile) = dockerfile {
        let mut beside = dockerfile.as_os_str().to_owned();
        beside.push(".dockerignore");
        if let Ok(text) = tokio::fs::read_to_string(beside).await {
            return text;
        }
    }
    tokio::fs::read_to_string(folder.join(".dockerignore")).await.unwrap_or_default()
}

fn query_of(
    build: &Build,
    service: &Service,
    image: &str,
    dockerfile: &str,
    remote: Option<String>,
) -> Vec<(&'static str, String)> {
    let tags: BTreeSet<&str> = [image].into_iter().chain(build.tags.iter().map(String::as_str)).collect();
    let mut query: Vec<(&'static str, String)> = tags.into_iter().map(|tag| ("t", tag.to_owned())).collect();
    query.extend([("dockerfile", dockerfile.to_owned()), ("version", "1".into())]);
    query.extend([("rm", "1".into()), ("forcerm", "1".into())]);
    query.extend(remote.map(|remote| ("remote", remote)));
    query.extend(build.target.clone().map(|target| ("target", target)));
    if !build.args.is_empty() {
        let args: serde_json::Map<_, _> =
            build.args.iter().map(|(name, value)| (name.clone(), json!(value.as_ref().map(Hidden::reveal)))).collect();
        query.push(("buildargs", serde_json::Value::Object(args).to_string()));
    }
    if !build.labels.is_empty() {
        query.push(("labels", json!(build.labels).to_string()));
    }
    if !build.cache_from.is_empty() {
        query.push(("cachefrom", json!(build.cache_from).to_string()));
    }
    query.extend(build.extra_hosts.iter().map(|host| ("extrahosts", host.clone())));
    query.extend(build.network.clone().map(|network| ("networkmode", network)));
    query.extend(build.shm_size_bytes.map(|bytes| ("shmsize", bytes.to_string())));
    if !build.ulimits.is_empty() {
        let ulimits = build.ulimits.iter().map(|(name, l)| json!({"Name": name, "Soft": l.soft, "Hard": l.hard}));
        query.push(("ulimits", serde_json::Value::Array(ulimits.collect()).to_string()));
    }
    query.extend(build.no_cache.then(|| ("nocache", "1".to_owned())));
    query.extend(build.pull.then(|| ("pull", "1".to_owned())));
    let platform = build.platforms.first().or(service.platform.as_ref());
    query.extend(platform.map(|platform| ("platform", platform.clone())));
    query
}

fn failure(
    doing: &str,
    build: &Build,
    error: Error,
    packed: Option<&Arc<Mutex<Packed>>>,
    output: Output,
) -> WorldError {
    let text = message(&error);
    let packed = packed.and_then(|packed| packed.lock().ok().map(|packed| packed.clone()));
    if let Some(trouble) = packed.as_ref().and_then(|packed| packed.trouble.clone()) {
        let message = format!("{doing}: the context `{}` could not be packed", build.context);
        return WorldError::new(message).caused_by(trouble);
    }
    let mut told = Refusal::new(doing).explain(error);
    told.log_tail = output.last;
    let misses_a_file = ["copy failed", "add failed", "not found in build context", "failed to compute cache key"];
    if misses_a_file.iter().any(|part| text.contains(part)) {
        let sent = packed.map_or_else(
            || format!("the context was `{}`", build.context),
            |packed| {
                let Packed { files, ignored, .. } = packed;
                format!(
                    "the context was `{}`: {files} files sent, {ignored} left out by `.dockerignore`",
                    build.context
                )
            },
        );
        told = told.hint(sent);
    }
    if text.contains("requires buildkit") || text.contains("unknown flag") {
        told = told.hint("this Dockerfile needs BuildKit, and builds run on the engine's classic builder: build it with `docker build` and declare the `image`");
    }
    told
}
