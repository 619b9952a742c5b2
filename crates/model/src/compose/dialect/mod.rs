//! Files that were written for a platform, read as that platform means them.
//!
//! A dialect is a translation: before a document is interpolated, its own keys become Compose's keys or those of
//! `x-mainstay` ([`coolify`]), and what its magic names ([`magic`]) stand for is answered while variables are
//! replaced ([`Values`]). Values that have to be made up are only asked for here, as a typed list ([`Generated`]):
//! who keeps them and where is not known. [`platforms`] has the sentences about what other platforms would supply.

mod coolify;
pub mod magic;
pub mod platforms;
mod recover;
mod seen;
mod values;

use super::diagnostic::Diagnostic;
use super::environment::Environment;
use super::interpolate::{self, Interpolation};
use super::load::LoadRequest;
use super::model::ModelFile;
use super::reading::Reading;
use super::scalar;
use super::tree::{Node, Span};

pub(super) use coolify::{complete, translate};
pub use magic::Kind;
pub use recover::{Disagreement, Recovered, Worn, recover};
pub(super) use values::Values;
pub use values::placeholder;

/// The word of `x-mainstay` and of the flag.
const KEY: &str = "dialect";
/// The domain of those who named none: the names below it need no DNS.
const LOCAL: &str = "localhost";
/// The variable that names a domain for all stacks of a machine.
const DOMAIN: &str = "MAINSTAY_DOMAIN";

/// Whose files these are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// The Compose specification, and nothing else.
    #[default]
    Compose,
    /// The templates of Coolify.
    Coolify,
}

impl Dialect {
    /// Every dialect by its word.
    pub const WORDS: &[(&str, Dialect)] = &[("compose", Dialect::Compose), ("coolify", Dialect::Coolify)];

    /// The dialect of a word.
    pub fn named(word: &str) -> Option<Dialect> {
        Dialect::WORDS.iter().find(|(known, _)| *known == word).map(|(_, dialect)| *dialect)
    }
}

/// What a load learned through its dialect.
#[derive(Clone, Debug, Default)]
pub struct Spoken {
    pub dialect: Dialect,
    /// The values that somebody has to make up once and keep, by name. Those that the environment sets are not here.
    pub generated: Vec<Generated>,
}

impl Spoken {
    /// The values that the load had no answer for.
    pub fn missing(&self) -> impl Iterator<Item = &Generated> {
        self.generated.iter().filter(|one| !one.is_given)
    }
}

/// A value that is made up once and stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// As the files call it: `SERVICE_PASSWORD_DB`.
    pub name: String,
    pub kind: Kind,
    /// Where it is used first.
    pub span: Span,
    /// The request brought the value.
    pub is_given: bool,
    /// For a token: the key that the environment sets; else it is signed with the generated [`magic::TOKEN_KEY`].
    pub key: Option<crate::declared::Hidden>,
}

/// Chooses the dialect of a load. Gives what magic names stand for, unless it is plain Compose.
pub(super) fn speak(
    request: &LoadRequest,
    files: &[ModelFile],
    stack: &str,
    environment: &Environment,
    reading: &mut Reading<'_>,
) -> Option<Values> {
    let said = word(files, KEY).and_then(|(text, _)| Dialect::named(&text));
    let dialect = match request.dialect.or(said) {
        Some(dialect) => dialect,
        None => {
            let seen = seen::coolify(files)?;
            reading.say(seen.notice());
            Dialect::Coolify
        }
    };
    (dialect == Dialect::Coolify)
        .then(|| Values::new(request, files, stack, domain(request, files, environment), environment))
}

/// The flag, then the files, then the variable.
fn domain(request: &LoadRequest, files: &[ModelFile], environment: &Environment) -> String {
    let from_files = || {
        let (text, span) = word(files, "domain")?;
        let lookup = |name: &str| environment.get(name).cloned();
        // What is wrong with it is told when the whole document is interpolated.
        Some(interpolate::text(&text, span, &lookup, &mut Interpolation::default()))
    };
    let named = request.domain.clone().or_else(from_files).or_else(|| environment.get(DOMAIN).cloned());
    let named = named.map(|domain| domain.trim().trim_matches('.').to_ascii_lowercase());
    named.filter(|domain| !domain.is_empty()).unwrap_or_else(|| LOCAL.to_owned())
}

/// A word of `x-mainstay` at the top of the files, the last one's.
fn word(files: &[ModelFile], key: &str) -> Option<(String, Span)> {
    let documents = files.iter().flat_map(|file| &file.documents);
    let words = documents.filter_map(|document| document.get("x-mainstay")?.get(key));
    words.filter_map(|node: &Node| Some((scalar::text(node)?, node.span))).next_back()
}

/// What is known at the end of a load.
pub(super) fn spoken(values: Option<&Values>, reading: &Reading<'_>) -> Spoken {
    let Some(values) = values else { return Spoken::default() };
    let mut generated = values.generated();
    for one in &mut generated {
        let first = reading.variables.iter().find(|used| used.name == one.name);
        one.span = first.map_or(Span::NOWHERE, |used| used.span);
    }
    Spoken { dialect: Dialect::Coolify, generated }
}

/// What a dialect has to say about a document that it translates.
fn warn(reading: &mut Reading<'_>, code: &'static str, at: Span, message: String, hint: &str) {
    reading.say(Diagnostic::warning(code, at, message).hint(hint));
}
