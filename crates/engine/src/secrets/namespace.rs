//! Whose secrets: those of a stack, in one of its environments.

use std::path::{Path, PathBuf};

use mainstay_model::identity::StackName;

use super::SecretsError;

/// A stack, and the environment that `--env` chose. Nothing is shared between environments: what a rehearsal uses is
/// never what production uses because somebody forgot to set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    pub stack: StackName,
    env: Option<String>,
}

impl Namespace {
    /// # Errors
    /// When the environment cannot be part of a file's name.
    pub fn new(stack: StackName, env: Option<&str>) -> Result<Self, SecretsError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        match env {
            Some(env) if env.is_empty() || env.contains("..") || !env.chars().all(fits) => {
                Err(SecretsError::BadEnvironment { env: env.to_owned() })
            }
            _ => Ok(Namespace { stack, env: env.map(str::to_owned) }),
        }
    }

    /// The stack without an environment.
    pub fn of(stack: &StackName) -> Self {
        Namespace { stack: stack.clone(), env: None }
    }

    pub fn env(&self) -> Option<&str> {
        self.env.as_deref()
    }

    /// The name of its sealed file. A stack's name has no `@`.
    pub(super) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(match &self.env {
            Some(env) => format!("{}@{env}.age", self.stack),
            None => format!("{}.age", self.stack),
        })
    }

    /// Of a sealed file.
    pub(super) fn of_path(path: &Path) -> Option<Self> {
        let stem = path.file_name()?.to_str()?.strip_suffix(".age")?;
        let (stack, env) = stem.split_once('@').map_or((stem, None), |(stack, env)| (stack, Some(env)));
        Namespace::new(StackName::new(stack).ok()?, env).ok()
    }
}

impl std::fmt::Display for Namespace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.env {
            Some(env) => write!(f, "{} ({env})", self.stack),
            None => write!(f, "{}", self.stack),
        }
    }
}
