//! Images built by the engine: with BuildKit where it has it, else with its classic builder.
//!
//! With BuildKit the engine asks back over a [`session`] for what it needs; to the classic builder everything goes as
//! one [`archive`]. A [`context`] in a repository is a [`clone`] on this machine first. What either says becomes news
//! of parts in the [`story`]; what went wrong is explained in [`failure`] by the [`recipe`] and by what is [`missing`].

mod archive;
mod builder;
mod clone;
mod context;
pub(crate) mod dockerignore;
mod failure;
mod filesync;
mod grpc;
mod missing;
mod proto;
mod query;
mod recipe;
mod secrets;
mod session;
mod story;
mod veil;
mod weight;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bollard::errors::Error;
use futures_util::StreamExt;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use mainstay_model::declared::{Build, Service};
use mainstay_model::identity::digest;
use mainstay_model::operation::{BuildNews, BuildPart};

use self::builder::Builder;
use self::clone::Clone;
use self::context::Context;
use self::failure::Failure;
use self::filesync::Source;
use self::session::{Offer, Session, random_id};
use self::story::{Answer, Story};
use self::veil::Veil;
use self::weight::Weight;
use super::refusal::Refusal;
use super::registry::Logins;
use super::{Docker, wire};
use crate::secrets::Redactions;
use crate::world::{Acted, Progress, WorldError};

/// The name under which BuildKit finds the Dockerfile, wherever it stands.
const DOCKERFILE: &str = "Dockerfile";

/// One image to be built.
struct Order<'a> {
    build: &'a Build,
    service: &'a Service,
    image: &'a str,
    /// The Compose file's folder.
    project: &'a Path,
}

impl Docker {
    /// Builds a service's image and tags it.
    pub(super) async fn build(
        &self,
        service: &Service,
        image: &str,
        project: &Path,
        redactions: &Redactions,
        progress: &Progress,
    ) -> Result<Acted, WorldError> {
        let doing = || format!("the image `{image}` could not be built");
        let Some(build) = &service.build else {
            return Err(WorldError::new(format!("{}: the service `{}` declares no build", doing(), service.name)));
        };
        let order = Order { build, service, image, project };
        let because = |error: WorldError| error.within(doing());
        let builder = Builder::choose(build, self.buildkit, self.api).map_err(because)?;
        let secrets = secrets::read(build, redactions).await.map_err(because)?;
        let clone = fetched(build, redactions, progress).await.map_err(because)?;
        let commit = clone.as_ref().map(|clone| clone.commit.clone());
        let context = Context::of(build, clone).await.map_err(because)?;
        let mut story = Story::new(progress, Veil::new(build, redactions));
        match builder {
            Builder::Classic => self.build_classic(&order, &context, &mut story).await?,
            Builder::BuildKit => self.build_with_buildkit(&order, &context, secrets, &mut story).await?,
        }
        match self.image_id(image).await {
            Ok(Some(id)) => {
                let short: String = id.trim_start_matches("sha256:").chars().take(12).collect();
                let of = commit.map(|commit| format!(" of commit {}", commit.get(..12).unwrap_or(&commit)));
                let detail = format!("built {short}{}", of.unwrap_or_default());
                Ok(Acted { detail: Some(detail), ..Acted::default() })
            }
            Ok(None) => Err(WorldError::new(format!("the image `{image}` is not there after its build"))),
            Err(error) => Err(Refusal::new(doing()).explain(error)),
        }
    }

    async fn build_with_buildkit(
        &self,
        order: &Order<'_>,
        context: &Context,
        secrets: secrets::Secrets,
        story: &mut Story<'_>,
    ) -> Result<(), WorldError> {
        let logins = Logins::read(self.registry_config()).await;
        let mut text = context.dockerfile_text().to_owned();
        loop {
            let weight = Arc::new(Mutex::new(Weight::default()));
            let offer = Offer {
                sources: sources_of(context, &text),
                secrets: secrets.values.clone(),
                logins: logins.clone(),
                agents: secrets.agents.clone(),
                weight: weight.clone(),
            };
            let built = self.ask_buildkit(order, context, offer, story).await;
            if let Some(remark) = weight.lock().unwrap_or_else(PoisonError::into_inner).remark() {
                story.note(&remark);
            }
            let Err(error) = built else { return Ok(()) };
            match failure::without_frontend(&text, story) {
                Some(without) => text = without,
                None => return Err(Failure { order, context, error, sent: None }.explain(story)),
            }
            story.begin_anew();
        }
    }

    /// The engine asks for files, secrets and logins over a session that lasts as long as the build.
    async fn ask_buildkit(
        &self,
        order: &Order<'_>,
        context: &Context,
        offer: Offer,
        story: &mut Story<'_>,
    ) -> Result<(), Error> {
        let (remote, dockerfile) = match context {
            Context::Folder(_) => ("client-session".to_owned(), DOCKERFILE.to_owned()),
            Context::Url(url) => (url.clone(), order.build.dockerfile.clone().unwrap_or_else(|| DOCKERFILE.into())),
        };
        let folder = match context {
            Context::Folder(folder) if folder.clone.is_none() => folder.path.display().to_string(),
            // The same repository is the same folder, wherever it was fetched to this time.
            _ => order.build.context.clone(),
        };
        let mut headers = HeaderMap::new();
        headers.extend(offer.logins.for_build().map(|login| (HeaderName::from_static("x-registry-config"), login)));
        let session = Session::open(&self.wire, &digest(&folder), offer).await?;
        let mut query = query::common(order, &dockerfile);
        query.extend([("version", "2".to_owned()), ("session", session.id.clone()), ("buildid", random_id()?)]);
        query.push(("remote", remote));
        self.run_build(&format!("/build{}", wire::query(query)), headers, wire::no_body(), story).await
    }

    /// Everything goes as one archive, which the builder unpacks.
    async fn build_classic(
        &self,
        order: &Order<'_>,
        context: &Context,
        story: &mut Story<'_>,
    ) -> Result<(), WorldError> {
        let (remote, body, dockerfile, packed) = match context {
            Context::Url(url) => {
                let dockerfile = order.build.dockerfile.clone().unwrap_or_else(|| DOCKERFILE.into());
                (Some(url.clone()), wire::no_body(), dockerfile, None)
            }
            Context::Folder(folder) => {
                let (parcel, dockerfile) = archive::parcel_of(folder);
                let (body, packed) = archive::stream(parcel);
                (None, body, dockerfile, Some(packed))
            }
        };
        let mut query = query::common(order, &dockerfile);
        query.extend([("version", "1".to_owned()), ("rm", "1".into()), ("forcerm", "1".into())]);
        query.extend(remote.map(|remote| ("remote", remote)));
        let logins = Logins::read(self.registry_config()).await;
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"))]);
        headers.extend(logins.for_build().map(|login| (HeaderName::from_static("x-registry-config"), login)));
        let built = self.run_build(&format!("/build{}", wire::query(query)), headers, body, story).await;
        let sent = packed.and_then(|packed| packed.lock().ok().map(|packed| packed.clone()));
        if let Some(remark) = sent.as_ref().and_then(|sent| sent.weight.remark()) {
            story.note(&remark);
        }
        built.map_err(|error| Failure { order, context, error, sent }.explain(story))
    }

    /// A build has no time limit; dropping this closes the connection, and the engine ends the build.
    async fn run_build(
        &self,
        path: &str,
        headers: HeaderMap,
        body: wire::Body,
        story: &mut Story<'_>,
    ) -> Result<(), Error> {
        let answer = self.wire.open(Method::POST, path, headers, body).await?;
        let mut lines = wire::json_lines::<Answer>(wire::chunks(answer));
        while let Some(answer) = lines.next().await {
            let answer = answer?;
            if !answer.error.is_empty() {
                story.complain(&answer.error);
                story.end(true);
                return Err(Error::DockerStreamError { error: story.veil(&answer.error) });
            }
            story.hear(&answer);
        }
        story.end(false);
        Ok(())
    }
}

/// The repository of the context, if it is in one, told as a part of the build.
async fn fetched(build: &Build, redactions: &Redactions, progress: &Progress) -> Result<Option<Clone>, WorldError> {
    let Some(remote) = context::remote_of(build) else { return Ok(None) };
    redactions.learn(&remote.secrets());
    let what = BuildPart { name: format!("fetch {}", remote.shown()), aside: true };
    let began = Instant::now();
    progress.build(BuildNews::PartBegan { part: 0, what: what.clone() });
    let clone = remote.fetch().await;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    progress.build(match clone {
        Ok(_) => BuildNews::PartEnded { part: 0, what, cached: false, took_ms },
        Err(_) => BuildNews::PartFailed { part: 0, what, took_ms },
    });
    clone.map(Some)
}

fn sources_of(context: &Context, text: &str) -> BTreeMap<&'static str, Arc<Source>> {
    let Context::Folder(folder) = context else { return BTreeMap::new() };
    let mut files: Vec<(String, Arc<[u8]>)> = vec![(DOCKERFILE.to_owned(), text.as_bytes().into())];
    if folder.ignore_is_beside {
        files.push((format!("{DOCKERFILE}.dockerignore"), folder.ignore_text.as_bytes().into()));
    }
    let context = Source::Folder(folder.path.clone());
    [("context", Arc::new(context)), ("dockerfile", Arc::new(Source::Files(files)))].into()
}
