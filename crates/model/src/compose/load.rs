//! The door of the dialect: a request in, one settled project out.

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::tree::{Node, Sources, Span};

/// Who answers for files. Paths are absolute, joined and cleaned as text.
pub trait Files {
    /// The bytes of a file, at most `limit` of them: a larger file is [`FileProblem::TooLarge`].
    ///
    /// # Errors
    /// The reason why there is no content, in words that fit after the path.
    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, FileProblem>;

    /// Whether the path is a directory (Compose allows one for `extends`, `include` and `build`).
    fn is_directory(&self, path: &str) -> bool;
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    #[error("does not exist")]
    Missing,
    #[error("is a directory")]
    Directory,
    #[error("may not be read: permission denied")]
    Denied,
    #[error("is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("could not be read: {0}")]
    Other(String),
}

/// What to load, with every input that the reading depends on.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// Absolute. Relative paths of flags start here.
    pub working_directory: String,
    /// `--project-directory`; else the folder of the first file.
    pub project_directory: Option<String>,
    /// The Compose files in merging order, absolute. Discovery and `COMPOSE_FILE` happened before (engine/sources).
    pub files: Vec<String>,
    /// `--project-name`; else `COMPOSE_PROJECT_NAME`, the files' `name`, the folder's name.
    pub project_name: Option<String>,
    /// `--env-file`, absolute. Empty means: `.env` in the project directory when there is one.
    pub env_files: Vec<String>,
    /// `--profile`; `COMPOSE_PROFILES` is added from the environment.
    pub profiles: Vec<String>,
    /// The caller's environment; it wins over `.env`.
    pub environment: BTreeMap<String, String>,
    pub options: LoadOptions,
}

/// The flags of `config`; the defaults are what every other command uses.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    pub interpolate: bool,
    /// Make relative paths absolute.
    pub resolve_paths: bool,
    /// Put the values of `env_file` into `environment`.
    pub resolve_env_files: bool,
    /// Bring to the long, completed form.
    pub normalize: bool,
    /// Refuse references to services, networks, volumes… that are not declared.
    pub consistency: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        LoadOptions {
            interpolate: true,
            resolve_paths: true,
            resolve_env_files: true,
            normalize: true,
            consistency: true,
        }
    }
}

/// A variable that the files use, for listing what a stack needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableUse {
    pub name: String,
    pub default: Option<String>,
    pub required: bool,
    pub span: Span,
}

/// One settled project.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The project name, by Compose's rules.
    pub name: String,
    /// Absolute.
    pub project_directory: String,
    /// The whole project in its long form: `name`, `services`, `networks`, `volumes`, `configs`, `secrets`, `x-…`.
    /// Only services of active profiles stand in `services`.
    pub project: Node,
    /// Services that are off because no profile of theirs is active, in the same form.
    pub disabled_services: Node,
    /// Warnings; a load with errors is refused instead.
    pub warnings: Vec<Diagnostic>,
    pub variables: Vec<VariableUse>,
    pub sources: Sources,
}

/// Reads, merges, checks and settles the files of a request.
///
/// # Errors
/// Every complaint of the whole load at once, each with its place.
pub fn load(_request: &LoadRequest, _files: &dyn Files) -> Result<Loaded, Diagnostics> {
    Err(Diagnostics {
        list: vec![Diagnostic::error("not-yet", Span::NOWHERE, "reading is not built yet")],
        sources: Sources::default(),
    })
}
