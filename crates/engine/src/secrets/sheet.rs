//! What a sealed file holds, and the file under its lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;

use mainstay_model::declared::Hidden;
use serde::{Deserialize, Serialize};

use super::key::Key;
use super::namespace::Namespace;
use super::{Secrets, SecretsError, disk, plain};

/// Counts up when a file of this version could not be read by the last one. The first one was not sealed.
const FORMAT: u32 = 2;

/// The values of one namespace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sheet {
    format: u32,
    /// Whose it is: a file that was moved under another name is not taken for the other's.
    stack: String,
    #[serde(default)]
    env: Option<String>,
    /// What a dialect leaves to be made up.
    #[serde(default)]
    pub(super) made_up: BTreeMap<String, Entry>,
    /// What people set, and what was generated for them.
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, Entry>,
    /// Values that were replaced or removed, the oldest first. Containers made with them may still run, and have said
    /// them in their logs: they are kept out of everything that is shown, and used for nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    former: Vec<Hidden>,
}

/// So many former values are remembered of a namespace.
const FORMER: usize = 100;

/// One value, and where it came from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) value: Hidden,
    pub(super) from: Origin,
    /// RFC 3339.
    pub(super) at: String,
    #[serde(default)]
    pub(super) by: Option<String>,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Generated,
    /// A container carried it.
    Container,
    /// Somebody set it.
    Set,
}

impl Sheet {
    fn empty(namespace: &Namespace) -> Self {
        Sheet {
            format: FORMAT,
            stack: namespace.stack.to_string(),
            env: namespace.env().map(str::to_owned),
            made_up: BTreeMap::new(),
            secrets: BTreeMap::new(),
            former: Vec::new(),
        }
    }

    /// Keeps a value under a name. Tells whether there was one before.
    pub(super) fn put(&mut self, name: &str, entry: Entry) -> bool {
        let before = self.secrets.insert(name.to_owned(), entry);
        let was_there = before.is_some();
        self.retire(before.map(|before| before.value));
        was_there
    }

    pub(super) fn remove(&mut self, names: &BTreeSet<String>) {
        let (gone, kept) = std::mem::take(&mut self.secrets).into_iter().partition(|(name, _)| names.contains(name));
        self.secrets = kept;
        let gone: BTreeMap<String, Entry> = gone;
        self.retire(gone.into_values().map(|entry| entry.value));
    }

    fn retire(&mut self, values: impl IntoIterator<Item = Hidden>) {
        for value in values {
            self.former.retain(|former| *former != value);
            self.former.push(value);
        }
        let surplus = self.former.len().saturating_sub(FORMER);
        self.former.drain(..surplus);
    }

    /// Every value, those that are not in force any more too.
    pub(super) fn everything(self) -> impl Iterator<Item = Hidden> {
        let kept = self.secrets.into_values().chain(self.made_up.into_values());
        kept.map(|entry| entry.value).chain(self.former)
    }
}

/// What is kept for a namespace, also what still lies in the file of an earlier version.
pub(super) fn read(secrets: &Secrets, namespace: &Namespace) -> Result<Sheet, SecretsError> {
    let path = namespace.path(&secrets.folder);
    let mut sheet = match disk::read(&path)? {
        None => Sheet::empty(namespace),
        Some(sealed) => {
            let damaged = |why: String| SecretsError::Damaged { path: path.clone(), why };
            let key = secrets.key_for(&path)?;
            let text = key.open(&path, &secrets.key, &sealed)?;
            // Not what serde says: it may quote what it could not read.
            let sheet: Sheet = serde_json::from_slice(&text)
                .map_err(|error| damaged(format!("line {}, column {} of it", error.line(), error.column())))?;
            if sheet.format > FORMAT {
                return Err(damaged(format!("its format is {}, and this version knows {FORMAT}", sheet.format)));
            }
            if sheet.stack != namespace.stack.as_str() || sheet.env.as_deref() != namespace.env() {
                return Err(damaged(format!("it was sealed for `{}`", sheet.stack)));
            }
            sheet
        }
    };
    if let Some(path) = secrets.plain(namespace) {
        for (name, entry) in plain::read(&path)?.into_iter().flatten() {
            sheet.made_up.entry(name).or_insert(entry);
        }
    }
    Ok(sheet)
}

/// The file under its lock, for writing.
pub(super) struct Writing<'s> {
    secrets: &'s Secrets,
    path: PathBuf,
    plain: Option<PathBuf>,
    _lock: File,
    pub(super) sheet: Sheet,
}

impl<'s> Writing<'s> {
    /// Waits for the lock and reads what is there: two who write at once lose nothing of each other's.
    pub(super) fn begin(secrets: &'s Secrets, namespace: &Namespace) -> Result<Self, SecretsError> {
        disk::make_folder(&secrets.folder)?;
        let path = namespace.path(&secrets.folder);
        let lock = disk::lock(&path.with_extension("lock"))?;
        let sheet = read(secrets, namespace)?;
        Ok(Writing { secrets, path, plain: secrets.plain(namespace), _lock: lock, sheet })
    }

    /// Whether the file of an earlier version is still there.
    pub(super) fn takes_over(&self) -> bool {
        self.plain.as_ref().is_some_and(|plain| plain.exists())
    }

    /// Seals and writes everything. What was plain goes once it is sealed.
    pub(super) fn write(self) -> Result<(), SecretsError> {
        let key = self.secrets.key_or_new()?;
        let text = serde_json::to_vec(&self.sheet)
            .map_err(|error| SecretsError::Damaged { path: self.path.clone(), why: error.to_string() })?;
        disk::replace(&self.path, &key.seal(&text)?)?;
        self.plain.map_or(Ok(()), |plain| disk::remove(&plain))
    }
}

impl Secrets {
    /// The key, which must be there: something was sealed with it.
    pub(super) fn key_for(&self, sealed: &std::path::Path) -> Result<Key, SecretsError> {
        Key::read(&self.key)?
            .ok_or_else(|| SecretsError::NoHostKey { key: self.key.clone(), sealed: sealed.to_owned() })
    }

    /// The key; a new one only where nothing is sealed yet.
    pub(super) fn key_or_new(&self) -> Result<Key, SecretsError> {
        // Before the key: somebody who makes the first one at this moment seals only after it is in its place.
        let sealed = self.sealed().into_iter().next().or_else(|| self.a_sealed_release());
        if let Some(key) = Key::read(&self.key)? {
            return Ok(key);
        }
        match sealed {
            Some(sealed) => Err(SecretsError::NoHostKey { key: self.key.clone(), sealed }),
            None => Key::make(&self.key),
        }
    }
}
