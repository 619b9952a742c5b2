//! What a release declared, with its values, sealed like a secret: `<state>/releases/<stack>/<operation>.age`. Without it
//! there is no way back that does not depend on files and values which may have changed since.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use mainstay_model::declared::Declared;
use mainstay_model::identity::{OperationId, StackName};
use mainstay_model::plan::UpOptions;
use serde::{Deserialize, Serialize};

use super::{Secrets, SecretsError, disk};

/// Counts up when a file of this version could not be read by the last one.
const FORMAT: u32 = 1;

/// What a release declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Released {
    format: u32,
    /// A file that was moved under another name is not taken for the other's.
    operation: OperationId,
    pub declared: Declared,
    /// Those that are about the stack, and not about one order.
    pub options: UpOptions,
}

impl Secrets {
    /// Seals what a release declares. Only its owner may read the file, and only with the key of the host.
    ///
    /// # Errors
    /// When it cannot be sealed and written.
    pub fn seal_release(
        &self,
        operation: &OperationId,
        declared: Declared,
        options: UpOptions,
    ) -> Result<(), SecretsError> {
        let path = self.release_path(&declared.stack, operation);
        if let Some(folder) = path.parent() {
            disk::make_folder(folder)?;
        }
        let released = Released { format: FORMAT, operation: operation.clone(), declared, options };
        let text = serde_json::to_vec(&released)
            .map_err(|error| SecretsError::Damaged { path: path.clone(), why: error.to_string() })?;
        disk::replace(&path, &self.key_or_new()?.seal(&text)?)
    }

    /// What a release declared; `None` when it is not kept, or not any more.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub fn released(&self, stack: &StackName, operation: &OperationId) -> Result<Option<Released>, SecretsError> {
        let path = self.release_path(stack, operation);
        let Some(sealed) = disk::read(&path)? else { return Ok(None) };
        let damaged = |why: String| SecretsError::Damaged { path: path.clone(), why };
        let text = self.key_for(&path)?.open(&path, &self.key, &sealed)?;
        // Not what serde says: it may quote what it could not read.
        let released: Released = serde_json::from_slice(&text)
            .map_err(|error| damaged(format!("line {}, column {} of it", error.line(), error.column())))?;
        if released.format > FORMAT {
            return Err(damaged(format!("its format is {}, and this version knows {FORMAT}", released.format)));
        }
        if released.operation != *operation || released.declared.stack != *stack {
            return Err(damaged("it was sealed for another release".to_owned()));
        }
        Ok(Some(released))
    }

    /// Whether what a release declared is kept; it is not opened.
    pub fn is_kept(&self, stack: &StackName, operation: &OperationId) -> bool {
        self.release_path(stack, operation).exists()
    }

    /// Removes what every other release of the stack declared.
    ///
    /// # Errors
    /// When a file cannot be removed; those before it are gone then.
    pub fn keep_releases(&self, stack: &StackName, kept: &BTreeSet<OperationId>) -> Result<(), SecretsError> {
        let entries = fs::read_dir(self.releases.join(stack.as_str())).into_iter().flatten().flatten();
        let kept: BTreeSet<PathBuf> = kept.iter().map(|operation| self.release_path(stack, operation)).collect();
        let paths = entries.map(|entry| entry.path());
        paths.filter(|path| !kept.contains(path)).try_for_each(|path| disk::remove(&path))
    }

    /// One of them, of any stack: while there is one, no new key is made.
    pub(super) fn a_sealed_release(&self) -> Option<PathBuf> {
        let folders = fs::read_dir(&self.releases).into_iter().flatten().flatten();
        let mut files = folders.filter_map(|folder| fs::read_dir(folder.path()).ok()).flatten().flatten();
        files.find(|file| file.path().extension().is_some_and(|ending| ending == "age")).map(|file| file.path())
    }

    /// An operation's id comes from whoever orders it: nothing in it leads out of the folder.
    fn release_path(&self, stack: &StackName, operation: &OperationId) -> PathBuf {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let name: String = operation.as_str().chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        self.releases.join(stack.as_str()).join(format!("{name}.age"))
    }
}
