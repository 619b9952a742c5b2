//! Images pulled from registries, with one line of progress instead of one a layer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bollard::errors::Error;
use futures_util::StreamExt;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderName};
use serde::Deserialize;

use super::refusal::{Refusal, message};
use super::registry::{Logins, name_and_tag};
use super::{ANSWER_WITHIN, Docker, timed, wire};
use crate::world::{Acted, Progress, WorldError};

const TELL_EVERY: Duration = Duration::from_millis(250);
/// The engine says something of every layer all the time; this long without a word means that it hangs.
const SILENT_FOR: Duration = Duration::from_secs(300);
/// What goes wrong on the way to a registry and may go right the next time.
const PASSING: &[&str] =
    &["timeout", "timed out", "connection re", "no such host", "eof", "toomanyrequests", "temporary"];

/// What the engine tells while it pulls.
#[derive(Deserialize)]
pub(super) struct Told {
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) error: String,
    #[serde(rename = "progressDetail", default)]
    pub(super) done: Option<Amount>,
}

#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct Amount {
    #[serde(default)]
    current: u64,
    #[serde(default)]
    total: u64,
}

impl Docker {
    /// The digest that the image's registry has for a reference now; nothing is pulled.
    ///
    /// # Errors
    /// When the engine or the registry does not answer, or does not know the image.
    pub async fn registry_digest(&self, image: &str) -> Result<String, WorldError> {
        let refusal =
            |error: Error| Refusal::new(format!("the registry did not tell the digest of `{image}`")).explain(error);
        self.ask_registry(image).await.map_err(refusal)
    }

    pub(super) async fn ask_registry(&self, image: &str) -> Result<String, Error> {
        let logins = Logins::read(self.registry_config()).await;
        let (name, tag) = name_and_tag(image);
        let reference = format!("{name}:{tag}");
        let asked = self.client.inspect_registry_image(&reference, logins.credentials(image));
        let answer = timed(ANSWER_WITHIN, asked).await?;
        let untold = || Error::DockerStreamError { error: "the registry told no digest".to_owned() };
        answer.descriptor.digest.ok_or_else(untold)
    }

    /// Pulls an image, even when one of this name is there.
    pub(super) async fn pull(
        &self,
        image: &str,
        platform: Option<&str>,
        progress: &Progress,
    ) -> Result<Acted, WorldError> {
        let logins = Logins::read(self.registry_config()).await;
        let refusal = |error: Error| {
            let text = message(&error);
            let denied = ["unauthorized", "denied", "no basic auth"].iter().any(|word| text.contains(word));
            let mut told = Refusal::new(format!("the image `{image}` could not be pulled")).explain(error);
            told.transient |= PASSING.iter().any(|word| text.contains(word));
            if denied && logins.has_helper {
                told = told.hint(
                    "the passwords are in a credential helper, which is not asked: `docker pull` it once by hand",
                );
            }
            told
        };
        let (name, tag) = name_and_tag(image);
        let mut asked = vec![("fromImage", name.to_owned()), ("tag", tag.to_owned())];
        asked.extend(platform.map(|platform| ("platform", platform.to_owned())));
        let path = format!("/images/create{}", wire::query(asked));
        let mut headers = HeaderMap::new();
        headers.extend(logins.for_image(image).map(|login| (HeaderName::from_static("x-registry-auth"), login)));
        let answer = self.wire.open(Method::POST, &path, headers, wire::no_body()).await.map_err(refusal)?;
        let mut lines = wire::json_lines::<Told>(wire::chunks(answer));
        let mut layers = Layers::default();
        loop {
            let next = tokio::time::timeout(SILENT_FOR, lines.next()).await;
            match next.map_err(|_| refusal(Error::RequestTimeoutError))? {
                None => break,
                Some(Err(error)) => return Err(refusal(error)),
                Some(Ok(told)) if !told.error.is_empty() => {
                    return Err(refusal(Error::DockerStreamError { error: told.error }));
                }
                Some(Ok(told)) => layers.hear(told, progress),
            }
        }
        match self.image_id(image).await {
            Ok(Some(_)) => Ok(Acted { detail: Some(layers.verdict()), ..Acted::default() }),
            Ok(None) => Err(WorldError::new(format!("the image `{image}` is not there after its pull"))),
            Err(error) => Err(refusal(error)),
        }
    }
}

/// What is known of the layers of one pull.
#[derive(Default)]
struct Layers {
    by_id: BTreeMap<String, Layer>,
    told_at: Option<Instant>,
}

#[derive(Default)]
struct Layer {
    bytes: Amount,
    done: bool,
}

impl Layers {
    fn hear(&mut self, told: Told, progress: &Progress) {
        if told.id.is_empty() || told.status.starts_with("Pulling from") {
            return;
        }
        let layer = self.by_id.entry(told.id).or_default();
        match told.status.as_str() {
            "Downloading" => layer.bytes = told.done.unwrap_or_default(),
            "Pull complete" | "Already exists" => layer.done = true,
            _ => {}
        }
        if self.told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            self.told_at = Some(Instant::now());
            progress.tell(self.line());
        }
    }

    fn line(&self) -> String {
        let done = self.by_id.values().filter(|layer| layer.done).count();
        let current: u64 = self.by_id.values().map(|l| if l.done { l.bytes.total } else { l.bytes.current }).sum();
        let total: u64 = self.by_id.values().map(|layer| layer.bytes.total).sum();
        format!("{done} of {} layers, {} of {}", self.by_id.len(), megabytes(current), megabytes(total))
    }

    fn verdict(&self) -> String {
        match self.by_id.values().map(|layer| layer.bytes.total).sum() {
            0 => "up to date".into(),
            total => format!("pulled {}", megabytes(total)),
        }
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn layers_are_folded_into_one_line() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let hear = said.clone();
        let progress = Progress::new(move |told| match told {
            crate::world::Told::Line(line) => hear.lock().unwrap().push(line),
            crate::world::Told::Build(news) => panic!("a pull is no build: {news:?}"),
        });
        let mut layers = Layers::default();
        for text in [
            r#"{"status":"Pulling from acme/web","id":"1"}"#,
            r#"{"status":"Already exists","id":"aa"}"#,
            r#"{"status":"Downloading","progressDetail":{"current":1500000,"total":31000000},"id":"bb"}"#,
            r#"{"status":"Pull complete","progressDetail":{},"id":"bb"}"#,
        ] {
            layers.hear(serde_json::from_str(text).unwrap(), &progress);
        }
        assert_eq!(said.lock().unwrap().as_slice(), ["1 of 1 layers, 0.0 MB of 0.0 MB"]);
        assert_eq!(layers.line(), "2 of 2 layers, 31.0 MB of 31.0 MB");
        assert_eq!(layers.verdict(), "pulled 31.0 MB");
    }
}
