//! Files of a stack: finds them, reads them, and asks the model what they declare.
//!
//! The rules of finding are Compose's ([`find`]), plus `--env`. The disk answers the dialect through [`Disk`], which
//! opens nothing that could hang.

mod arrived;
mod disk;
mod find;
mod host_files;
mod paths;
mod sql_files;
#[cfg(test)]
mod tests;
mod texts;
mod travelling;

use std::collections::BTreeMap;

use mainstay_model::compose::{self, Diagnostic, Diagnostics, Dialect, LoadOptions, LoadRequest, Loaded};
use mainstay_model::declared::{self, Declared};
use mainstay_model::identity::StackName;

use crate::secrets::{Namespace, Secrets, SecretsError};

pub use arrived::{Arrived, ArrivedSql};
pub use disk::Disk;
use find::Found;
pub use find::sibling;
pub use sql_files::{carry_sql, sql_files};
pub use texts::{SqlPaths, Texts, texts};
pub use travelling::{Luggage, NotTaken};

/// Which stack, in the words of the flags; everything absolute or relative to `working_directory`.
#[derive(Clone, Debug, Default)]
pub struct Find {
    pub working_directory: String,
    /// `--file`, in merging order: a file, a folder with a Compose file, or `-`. Empty: `COMPOSE_FILE`, else
    /// `compose.yaml` (and its `.override`) here or in a parent.
    pub files: Vec<String>,
    /// `--env`: adds `compose.<env>.yaml` beside the first file when there is one, and `.env.<env>`. The `.override`
    /// file is left out then: it is what a developer has instead of an environment.
    pub env: Option<String>,
    pub project_name: Option<String>,
    pub project_directory: Option<String>,
    pub env_files: Vec<String>,
    pub profiles: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub options: LoadOptions,
    /// What stands for the file `-`: the standard input, read by the caller.
    pub stdin: Option<Vec<u8>>,
    /// `--dialect`.
    pub dialect: Option<Dialect>,
    /// `--domain`.
    pub domain: Option<String>,
    /// Values that were made up and kept, by name.
    pub generated: BTreeMap<String, String>,
    /// Where the secrets of the stack are kept; `None` reads the files without them.
    pub secrets: Option<Secrets>,
    /// Secrets for this reading alone: they stand over the kept ones.
    pub drawn: BTreeMap<String, String>,
}

/// One stack's files, read and understood.
#[derive(Clone, Debug)]
pub struct Read {
    pub declared: Declared,
    /// For `config` and for showing places.
    pub loaded: Loaded,
    /// Warnings of reading and of declaring, rendered with their places.
    pub warnings: Diagnostics,
    /// What was asked for.
    find: Find,
}

impl Read {
    /// The same files once more, with values that the first reading had no answer for.
    ///
    /// # Errors
    /// As [`read`].
    pub fn with_values(&self, values: BTreeMap<String, String>) -> Result<Read, SourcesError> {
        read(&Find { generated: values, ..self.find.clone() })
    }

    /// The same files once more, with these secrets over the kept ones, which are looked up again.
    ///
    /// # Errors
    /// As [`read`].
    pub fn with_secrets(&self, drawn: BTreeMap<String, String>) -> Result<Read, SourcesError> {
        read(&Find { drawn, ..self.find.clone() })
    }

    /// The environment that it is read with.
    pub fn env(&self) -> Option<&str> {
        self.find.env.as_deref()
    }

    /// Whose secrets it is read with.
    ///
    /// # Errors
    /// When `--env` cannot be part of a file's name.
    pub fn namespace(&self) -> Result<Namespace, SecretsError> {
        Namespace::new(self.declared.stack.clone(), self.find.env.as_deref())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// No Compose file where one was looked for.
    #[error("no Compose file in `{directory}` or above it")]
    NotFound { directory: String },
    /// A folder was named, and none is in it.
    #[error("no Compose file in the folder `{folder}`")]
    EmptyFolder { folder: String },
    /// `--env` names nothing that is there.
    #[error("no environment `{env}`: looked for {}", listed(looked_for))]
    NoEnvironment { env: String, looked_for: Vec<String> },
    /// The name of an environment is part of file names.
    #[error("`{env}` cannot be the name of an environment: letters, digits, `_`, `-` and `.` only")]
    BadEnvironment { env: String },
    /// `-` was named and nothing was passed in.
    #[error("`-` stands for the standard input, and nothing came from there")]
    NoStdin,
    /// The secrets of the stack cannot be opened.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// Of files that were sent from another machine, what came along cannot be read.
    #[error("what came along with the files cannot be read: {0}")]
    Arrived(String),
    /// The files are refused.
    #[error("the Compose files are refused")]
    Refused(Diagnostics),
}

fn listed(paths: &[String]) -> String {
    let quoted: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    quoted.join(", ")
}

/// Finds and loads a stack's files without asking what they declare (`config`).
///
/// # Errors
/// When there is no file, or with every complaint about the files.
pub fn load(find: &Find) -> Result<Loaded, SourcesError> {
    let disk = Disk::new(find.stdin.clone().map(|content| (paths::stdin(&find.working_directory), content)));
    let found = find::found(find, &disk)?;
    let refused = |refused| SourcesError::Refused(declared::judge_the_rest(refused));
    let mut request = request(find, &found);
    request.secrets = secrets(find, &request, &disk)?;
    let mut loaded = compose::load(&request, &disk).map_err(refused)?;
    loaded.warnings.extend(found.warnings);
    Ok(loaded)
}

/// The secrets that are kept for the stack of a request. Its name stands in its files, which are read for it alone.
fn secrets(find: &Find, request: &LoadRequest, disk: &Disk) -> Result<BTreeMap<String, String>, SourcesError> {
    let mut values = BTreeMap::new();
    if let Some(secrets) = &find.secrets
        && let Some(stack) = compose::name_of(request, disk).and_then(|name| StackName::new(name).ok())
    {
        let kept = secrets.values(&Namespace::new(stack, find.env.as_deref())?)?;
        values.extend(kept.into_iter().map(|(name, value)| (name, value.reveal().to_owned())));
    }
    values.extend(find.drawn.clone());
    Ok(values)
}

/// The name of a stack, whatever else is wrong with its files; `None` when they do not tell one.
///
/// # Errors
/// When there is no file.
pub fn name(find: &Find) -> Result<Option<StackName>, SourcesError> {
    let disk = Disk::new(find.stdin.clone().map(|content| (paths::stdin(&find.working_directory), content)));
    let found = find::found(find, &disk)?;
    Ok(compose::name_of(&request(find, &found), &disk).and_then(|name| StackName::new(name).ok()))
}

/// Finds, loads and declares a stack.
///
/// # Errors
/// When there is no file, or with every complaint about the files.
pub fn read(find: &Find) -> Result<Read, SourcesError> {
    let loaded = load(find)?;
    match declared::declare(&loaded) {
        Ok(settled) => {
            let mut declared = settled.declared;
            arrived::settle(&mut declared).map_err(|error| SourcesError::Arrived(error.to_string()))?;
            let mut list = settled.warnings;
            list.extend(host_files::differing(&declared));
            let warnings = with_warnings(&loaded, list);
            Ok(Read { declared, loaded, warnings, find: find.clone() })
        }
        Err(list) => Err(SourcesError::Refused(with_warnings(&loaded, list))),
    }
}

/// The complaints of declaring together with what the reading warned about, by place.
pub fn with_warnings(loaded: &Loaded, mut list: Vec<Diagnostic>) -> Diagnostics {
    list.extend_from_slice(&loaded.warnings);
    let mut all = Diagnostics { list, sources: loaded.sources.clone(), partial: None };
    all.sort();
    all
}

fn request(find: &Find, found: &Found) -> LoadRequest {
    LoadRequest {
        working_directory: find.working_directory.clone(),
        project_directory: found.project_directory.clone(),
        files: found.files.clone(),
        project_name: find.project_name.clone(),
        env_files: found.env_files.clone(),
        profiles: find.profiles.clone(),
        environment: find.environment.clone(),
        options: find.options,
        dialect: find.dialect,
        domain: find.domain.clone(),
        generated: find.generated.clone(),
        secrets: BTreeMap::new(),
    }
}
