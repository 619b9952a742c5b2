//! What another container has to be given to be like one that runs.

use mainstay_model::declared::Hidden;

use super::refusal::{Refusal, is_missing};
use super::{ANSWER_WITHIN, Docker, ExecOptions, LogStream, timed};
use crate::world::{Progress, WorldError};
use futures_util::StreamExt;

/// How a container came to be.
#[derive(Clone, Debug)]
pub struct Likeness {
    /// The image's id: what runs, whatever its name means by now.
    pub image: String,
    /// Its environment, the image's own variables included.
    pub environment: Vec<(String, Hidden)>,
}

impl Docker {
    /// # Errors
    /// When the container is gone, or the engine does not answer.
    pub async fn likeness(&self, container: &str) -> Result<Likeness, WorldError> {
        let seen = self.inspect(container).await;
        let seen =
            seen.map_err(|error| Refusal::new(format!("`{container}` could not be looked at")).explain(error))?;
        let image = seen.image.ok_or_else(|| WorldError::new(format!("`{container}` tells of no image")))?;
        let lines = seen.config.and_then(|config| config.env).unwrap_or_default();
        let pair = |line: String| line.split_once('=').map(|(name, value)| (name.to_owned(), Hidden::new(value)));
        Ok(Likeness { image, environment: lines.into_iter().filter_map(pair).collect() })
    }

    /// Pulls an image unless it is there.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn have(&self, image: &str, progress: &Progress) -> Result<(), WorldError> {
        match timed(ANSWER_WITHIN, self.client.inspect_image(image)).await {
            Err(error) if is_missing(&error) => self.pull(image, None, progress).await.map(drop),
            Err(error) => Err(Refusal::new(format!("the image `{image}` could not be looked at")).explain(error)),
            Ok(_) => Ok(()),
        }
    }

    /// A folder of a container as a tape, with what links lead to; nothing when it has no such folder, or no `tar`.
    ///
    /// # Errors
    /// When the container does not run.
    pub async fn folder_of(&self, container: &str, path: &str) -> Result<Vec<u8>, WorldError> {
        let command = ["tar", "-C", path, "-chf", "-", "."].map(str::to_owned).to_vec();
        let options = ExecOptions { command, user: Some("0".into()), ..ExecOptions::default() };
        let mut exec = self.exec(container, options).await?;
        let mut tape = Vec::new();
        while let Some(piece) = exec.output.next().await {
            let piece = piece?;
            if piece.stream == LogStream::Out {
                tape.extend_from_slice(&piece.bytes);
            }
        }
        Ok(if exec.exit_code().await? == 0 { tape } else { Vec::new() })
    }
}
