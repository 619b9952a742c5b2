//! Why a build failed: the Dockerfile's line, the last lines of the part, and which context would have had a file.

use bollard::errors::Error;

use super::Order;
use super::archive::Packed;
use super::context::Context;
use super::missing::{self, Grounds};
use super::recipe::{Instruction, Recipe};
use super::story::{Failed, Story};
use crate::docker::refusal::{Refusal, message};
use crate::world::WorldError;

/// How builders say that the context does not have a file.
const MISSES: [&str; 9] = [
    "copy failed",
    "add failed",
    "not found in build context",
    "failed to compute cache key",
    "failed to calculate checksum",
    "forbidden path outside",
    "failed to walk",
    "no source files were specified",
    "failed to get destination image",
];

/// So much of a long instruction is told, in characters.
const SHOWN: usize = 100;

pub(super) struct Failure<'a> {
    pub(super) order: &'a Order<'a>,
    pub(super) context: &'a Context,
    pub(super) error: Error,
    /// What the classic builder was sent.
    pub(super) sent: Option<Packed>,
}

impl Failure<'_> {
    pub(super) fn explain(self, story: &Story<'_>) -> WorldError {
        let doing = format!("the image `{}` could not be built", self.order.image);
        if let Some(trouble) = self.sent.as_ref().and_then(|sent| sent.trouble.clone()) {
            let cause = WorldError::new(format!("the context `{}` could not be packed", self.order.build.context));
            return WorldError::new(doing).caused_by(cause.caused_by(trouble));
        }
        let text = message(&self.error);
        let failed = story.failed();
        let complaint = format!("{text} {}", failed.as_ref().map(|failed| failed.error.as_str()).unwrap_or_default());
        let complaint = complaint.to_lowercase();
        let mut told = Refusal::new(doing).explain(self.error);
        // A file that the context lacks, or a tag that the registry lacks, is no container that went away.
        told.contradicts = false;
        let Context::Folder(folder) = self.context else { return told };
        let recipe = Recipe::read(&folder.dockerfile.text);
        let mut at = failed.as_ref().and_then(|failed| instruction_of(&recipe, &failed.name));
        if MISSES.iter().any(|words| complaint.contains(words)) {
            let fetched = folder.clone.as_ref().map(super::clone::Clone::root);
            let grounds = Grounds {
                project: self.order.project,
                context: &folder.path,
                dockerfile: folder.dockerfile.path.as_deref(),
                ignore: &folder.ignore,
                ignore_name: &folder.ignore_name,
                fetched: fetched.as_deref(),
            };
            let missed = missing::explain(&recipe, &grounds, &complaint);
            at = at.or(missed.first().map(|(instruction, _)| *instruction));
            for (_, sentence) in missed {
                told = told.hint(sentence);
            }
        } else if let Some(failed) = &failed {
            told.log_tail.clone_from(&failed.last);
        }
        if complaint.contains("requires buildkit") || complaint.contains("unknown flag: mount") {
            told = told.hint("this Dockerfile needs BuildKit, and this build runs on the engine's classic builder");
        }
        match (at, failed) {
            (Some(at), failed) => told.caused_by(self.order.at_line(at, story, failed.map_or(text, |it| reason(&it)))),
            (None, Some(failed)) => {
                let cause = WorldError::new(format!("`{}`", failed.name));
                told.caused_by(cause.caused_by(reason(&failed)))
            }
            (None, None) => told,
        }
    }
}

impl Order<'_> {
    /// "line 9 of `Dockerfile`, `RUN npm ci`", with the reason below it.
    fn at_line(&self, at: &Instruction, story: &Story<'_>, reason: String) -> WorldError {
        let file = match (&self.build.dockerfile_inline, &self.build.dockerfile) {
            (Some(_), _) => "the inline Dockerfile".to_owned(),
            (None, named) => format!("`{}`", named.as_deref().unwrap_or("Dockerfile")),
        };
        let mut text = story.veil(&at.text);
        if text.chars().count() > SHOWN {
            text = text.chars().take(SHOWN).chain(['…']).collect();
        }
        WorldError::new(format!("line {} of {file}: `{text}`", at.line)).caused_by(reason)
    }
}

/// `[2/5] RUN npm ci` of either builder.
fn instruction_of<'r>(recipe: &'r Recipe, name: &str) -> Option<&'r Instruction> {
    let by_number = || {
        let number = name.strip_prefix('[')?.split_once('/')?.0.parse().ok()?;
        let at = recipe.by_number(number)?;
        let text = name.split_once("] ")?.1;
        let word = |text: &str| text.split_whitespace().next().map(str::to_ascii_uppercase);
        (word(&at.text) == word(text)).then_some(at)
    };
    recipe.by_part(name).or_else(by_number)
}

/// What stands behind the command that is told anyway.
fn reason(failed: &Failed) -> String {
    for mark in ["did not complete successfully: ", "]: exit code", "returned a non-zero code"] {
        if let Some((_, rest)) = failed.error.split_once(mark) {
            let rest = rest.trim_start_matches([':', ' ']);
            return if mark.contains("success") { rest.to_owned() } else { format!("exit code: {rest}") };
        }
    }
    failed.error.clone()
}

/// The Dockerfile without its `# syntax=` line, when what that names could not be fetched and is the engine's own
/// language: an engine without a way to the registry still builds.
pub(super) fn without_frontend(text: &str, story: &Story<'_>) -> Option<String> {
    let failed = story.failed()?;
    let (first, rest) = text.split_once('\n')?;
    let named = first.strip_prefix('#')?.trim().strip_prefix("syntax")?.trim_start().strip_prefix('=')?.trim();
    let is_official = ["docker/dockerfile:", "docker.io/docker/dockerfile:"].iter().any(|name| named.starts_with(name));
    // Another directive has to stay right at the top.
    let is_alone = !rest.starts_with('#');
    if !failed.name.contains("docker/dockerfile") || !is_official || !is_alone {
        return None;
    }
    story.note(&format!("`{named}` cannot be fetched: the engine's own Dockerfile language is taken"));
    Some(format!("# not fetched: {named}\n{rest}"))
}
