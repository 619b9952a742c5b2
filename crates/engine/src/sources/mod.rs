//! Files of a stack: finds them, reads them, and asks the model what they declare.

use std::collections::BTreeMap;

use mainstay_model::compose::{Diagnostics, LoadOptions, Loaded};
use mainstay_model::declared::Declared;

/// Which stack, in the words of the flags; everything absolute or relative to `working_directory`.
#[derive(Clone, Debug, Default)]
pub struct Find {
    pub working_directory: String,
    /// `--file`, in merging order. Empty: `COMPOSE_FILE`, else `compose.yaml` (and its `.override`) here or in a parent.
    pub files: Vec<String>,
    /// `--env`: adds `compose.<env>.yaml` beside the first file when there is one, and `.env.<env>`.
    pub env: Option<String>,
    pub project_name: Option<String>,
    pub project_directory: Option<String>,
    pub env_files: Vec<String>,
    pub profiles: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub options: LoadOptions,
}

/// One stack's files, read and understood.
#[derive(Clone, Debug)]
pub struct Read {
    pub declared: Declared,
    /// For `config` and for showing places.
    pub loaded: Loaded,
    /// Warnings of reading and of declaring, rendered with their places.
    pub warnings: Diagnostics,
}

#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// No Compose file where one was looked for.
    #[error("no Compose file in `{directory}` or above it")]
    NotFound { directory: String },
    /// The files are refused.
    #[error("the Compose files are refused")]
    Refused(Diagnostics),
}

/// Finds and loads a stack's files without asking what they declare (`config`).
///
/// # Errors
/// When there is no file, or with every complaint about the files.
pub fn load(find: &Find) -> Result<Loaded, SourcesError> {
    Err(SourcesError::NotFound { directory: find.working_directory.clone() })
}

/// Finds, loads and declares a stack.
///
/// # Errors
/// When there is no file, or with every complaint about the files.
pub fn read(find: &Find) -> Result<Read, SourcesError> {
    Err(SourcesError::NotFound { directory: find.working_directory.clone() })
}
