//! What a tag is now, so that what is agreed to is what runs, wherever the tag moves meanwhile.

use bollard::errors::Error;

use super::refusal::{Cause, Refusal, is_missing, message};
use super::registry::{Logins, name_and_tag};
use super::{ANSWER_WITHIN, Docker, timed};
use crate::world::{Pinned, WorldError};

/// What registries say of a tag, or of a whole repository, that they do not have.
const UNKNOWN: &[&str] = &["manifest unknown", "name unknown", "not found"];
/// What they say to somebody who may not know whether they have it.
const DENIED: &[&str] = &["unauthorized", "denied", "no basic auth", "authentication required"];

/// An image that the engine has under a reference.
struct Here {
    id: String,
    /// It was pulled from the repository of that name, or pushed there. An engine that keeps its images in containerd
    /// says so of what was built here too.
    is_of_registry: bool,
}

impl Docker {
    /// Asks the registry of an image for the digest of its tag, and where no registry has it, the engine for the id of an
    /// image that is on this host only. With `local` only the engine is asked.
    pub(crate) async fn pinned(&self, image: &str, local: bool) -> Result<Pinned, WorldError> {
        let refusal =
            |error: Error| Refusal::new(format!("the image `{image}` could not be looked for")).explain(error);
        if local {
            return Ok(match self.here(image).await.map_err(refusal)? {
                Some(here) => Pinned::Local { id: here.id, why: None },
                None => Pinned::Missing { why: format!("there is no `{image}` on this host") },
            });
        }
        let error = match self.ask_registry(image).await {
            Ok(digest) => return Ok(Pinned::Digest(digest)),
            Err(error) => error,
        };
        let here = self.here(image).await.map_err(refusal)?;
        match here {
            Some(Here { id, is_of_registry: false }) => {
                Ok(Pinned::Local { id, why: Some(Cause::of(&error).to_string()) })
            }
            here => self.not_told(image, error, here.is_some()).await,
        }
    }

    /// The registry has no answer that an image could be pinned to, and the image is none of this host alone.
    async fn not_told(&self, image: &str, error: Error, is_here: bool) -> Result<Pinned, WorldError> {
        let says = |words: &[&str]| words.iter().any(|word| message(&error).contains(word));
        let (is_unknown, is_denied) = (says(UNKNOWN), says(DENIED));
        if is_unknown && !is_denied {
            let there = if is_here { "; what is here under that name is of an earlier pull" } else { "" };
            return Ok(Pinned::Missing { why: format!("its registry has no `{image}`{there}") });
        }
        let mut told = Refusal::new(format!("the registry did not tell what `{image}` is now")).explain(error);
        if is_denied && Logins::read(self.registry_config()).await.has_helper {
            told = told.hint("the passwords of registries are in a credential helper, which is not asked");
        }
        if is_here {
            told = told.hint("an image of this name is here: `--local` takes it as it is, and asks no registry");
        }
        Err(told)
    }

    async fn here(&self, image: &str) -> Result<Option<Here>, Error> {
        let inspected = match timed(ANSWER_WITHIN, self.client.inspect_image(image)).await {
            Ok(inspected) => inspected,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let repository = familiar(name_and_tag(image).0);
        let digests = inspected.repo_digests.unwrap_or_default();
        let is_of_registry = digests.iter().any(|one| familiar(name_and_tag(one).0) == repository);
        Ok(inspected.id.map(|id| Here { id, is_of_registry }))
    }
}

/// A repository as Docker shows it: `docker.io/library/nginx` is `nginx`.
fn familiar(repository: &str) -> &str {
    let hub = ["docker.io/", "index.docker.io/"].iter().find_map(|hub| repository.strip_prefix(hub));
    let name = hub.unwrap_or(repository);
    name.strip_prefix("library/").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_of_docker_hub_has_several_names() {
        for name in ["nginx", "library/nginx", "docker.io/nginx", "index.docker.io/library/nginx"] {
            assert_eq!(familiar(name), "nginx");
        }
        assert_eq!(familiar("ghcr.io/library/nginx"), "ghcr.io/library/nginx");
    }
}
