//! Values that stay: secrets that people set or have generated, and values that a dialect leaves to be made up.
//!
//! They are kept in `<state>/secrets/<stack>.age`, or `<stack>@<env>.age` for an environment: each file is sealed with
//! [age](https://age-encryption.org) for the key of the host (`<state>/host.key`, or where `--key-file` says), written
//! whole or not at all, under a lock of its own: a command may keep a value while a server owns the rest of the folder.
//! Nothing here is printed: a value is a [`Hidden`] or a text on its way into a load.

pub(crate) mod disk;
mod key;
pub mod kit;
mod made_up;
mod namespace;
mod plain;
mod random;
mod redactions;
mod released;
mod seals;
mod sheet;
mod timetables;
mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mainstay_model::declared::Hidden;
use mainstay_model::identity::StackName;
use mainstay_model::secrets::Recipe;

pub use made_up::Filled;
pub use namespace::Namespace;
pub use redactions::Redactions;
pub use released::Released;
pub use seals::Seals;
pub use sheet::Origin;
use sheet::{Entry, Writing};

/// Where values are kept, and the key that opens them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Secrets {
    folder: PathBuf,
    /// What releases declared.
    releases: PathBuf,
    key: PathBuf,
}

/// One kept value, without the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    /// A value that a dialect leaves to be made up, rather than a secret of the stack.
    pub is_made_up: bool,
    /// In characters.
    pub length: usize,
    pub from: Origin,
    /// RFC 3339.
    pub at: String,
    /// Who set it or had it generated, where that is known.
    pub by: Option<String>,
}

/// What came of generating.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Names with a new value.
    pub made: Vec<String>,
    /// Names whose value was there, and stays.
    pub there: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("`{}` could not be {doing}", path.display())]
    Disk {
        path: PathBuf,
        doing: &'static str,
        #[source]
        source: io::Error,
    },
    /// Written by hand, by a newer version, or damaged.
    #[error("`{}` is not what Mainstay wrote: {why}", path.display())]
    Unreadable { path: PathBuf, why: String },
    /// A sealed file that the right key does not open, or with something else in it.
    #[error("`{}` is damaged: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    /// Sealed for another key.
    #[error("the key `{}` does not open `{}`", key.display(), path.display())]
    WrongKey { path: PathBuf, key: PathBuf },
    /// Something is sealed, and what opens it is gone.
    #[error("the key of this host is missing: `{}`; `{}` is sealed with it", key.display(), sealed.display())]
    NoHostKey { key: PathBuf, sealed: PathBuf },
    /// Others may read it.
    #[error("the key `{}` can be read by others than its owner (its mode is {mode:03o})", path.display())]
    OpenKey { path: PathBuf, mode: u32 },
    /// A file that should hold a key.
    #[error("`{}` holds no key: a line that begins with `AGE-SECRET-KEY-1` is missing, or damaged", path.display())]
    NoIdentity { path: PathBuf },
    #[error("the operating system gave no random bytes: {0}")]
    Random(String),
    /// A token cannot be signed without its key.
    #[error("`{token}` is signed with a key that has no value")]
    NoKey { token: String },
    #[error("`{env}` cannot be the name of an environment: letters, digits, `_`, `-` and `.` only")]
    BadEnvironment { env: String },
    #[error("this is no recovery kit: it holds no key")]
    BadKit,
    #[error("the passphrase does not open it")]
    WrongPassphrase,
    #[error("another key is in place: `{}`", path.display())]
    OtherKey { path: PathBuf },
    #[error("`{text}` is no age recipient: it begins with `age1`")]
    NoRecipient { text: String },
    #[error("`{name}` is sealed for other keys than the one of this host")]
    OtherRecipients { name: String },
    #[error("`{}` is there already", path.display())]
    InTheWay { path: PathBuf },
}

impl Secrets {
    /// The values that are kept below a state folder. The key is there too, unless it is said where it is.
    pub fn of(state_dir: &Path, key: Option<PathBuf>) -> Self {
        let releases = state_dir.join("releases");
        Secrets { folder: state_dir.join("secrets"), releases, key: key.unwrap_or_else(|| key::usual_path(state_dir)) }
    }

    /// Where the values of a namespace are.
    pub fn path(&self, namespace: &Namespace) -> PathBuf {
        namespace.path(&self.folder)
    }

    /// Where the key is.
    pub fn key_path(&self) -> &Path {
        &self.key
    }

    /// The secrets of a namespace, by name; what a dialect has made up is not among them.
    ///
    /// # Errors
    /// When they are there and cannot be opened.
    pub fn values(&self, namespace: &Namespace) -> Result<BTreeMap<String, Hidden>, SecretsError> {
        let sheet = sheet::read(self, namespace)?;
        Ok(sheet.secrets.into_iter().map(|(name, entry)| (name, entry.value)).collect())
    }

    /// Everything that is kept for a namespace, by name, without the values.
    ///
    /// # Errors
    /// As [`Secrets::values`].
    pub fn list(&self, namespace: &Namespace) -> Result<Vec<Listed>, SecretsError> {
        let sheet = sheet::read(self, namespace)?;
        let listed = |is_made_up: bool| {
            move |(name, entry): (String, Entry)| Listed {
                name,
                is_made_up,
                length: entry.value.reveal().chars().count(),
                from: entry.from,
                at: entry.at,
                by: entry.by,
            }
        };
        let mut all: Vec<Listed> = sheet.secrets.into_iter().map(listed(false)).collect();
        all.extend(sheet.made_up.into_iter().map(listed(true)));
        Ok(all)
    }

    /// Keeps a value. Tells whether there was one before.
    ///
    /// # Errors
    /// When it cannot be sealed and written; then what was there stays.
    pub fn set(&self, namespace: &Namespace, name: &str, value: Hidden, by: &str) -> Result<bool, SecretsError> {
        let mut writing = Writing::begin(self, namespace)?;
        let was_there = writing.sheet.put(name, entry(value, Origin::Set, by));
        writing.write()?;
        Ok(was_there)
    }

    /// Forgets these. Names that are not there are given back, and nothing is forgotten then.
    ///
    /// # Errors
    /// As [`Secrets::set`].
    pub fn remove(&self, namespace: &Namespace, names: &BTreeSet<String>) -> Result<Vec<String>, SecretsError> {
        let mut writing = Writing::begin(self, namespace)?;
        let kept = &writing.sheet.secrets;
        let unknown: Vec<String> = names.iter().filter(|name| !kept.contains_key(*name)).cloned().collect();
        if unknown.is_empty() {
            writing.sheet.remove(names);
            writing.write()?;
        }
        Ok(unknown)
    }

    /// Draws a value for each recipe whose name has none, or for each when `rotate` says so. Two at once draw one: the
    /// second waits for the first and finds its value.
    ///
    /// # Errors
    /// As [`Secrets::set`]; then nothing was drawn.
    pub fn generate(
        &self,
        namespace: &Namespace,
        recipes: &BTreeMap<String, Recipe>,
        rotate: bool,
        by: &str,
    ) -> Result<Drawn, SecretsError> {
        let mut writing = Writing::begin(self, namespace)?;
        let mut drawn = Drawn::default();
        for (name, recipe) in recipes {
            if writing.sheet.secrets.contains_key(name) && !rotate {
                drawn.there.push(name.clone());
                continue;
            }
            let value = Hidden::new(random::of_recipe(*recipe)?);
            writing.sheet.put(name, entry(value, Origin::Generated, by));
            drawn.made.push(name.clone());
        }
        if !drawn.made.is_empty() {
            writing.write()?;
        }
        Ok(drawn)
    }

    /// Values by these recipes that are not kept: for showing what would be done.
    ///
    /// # Errors
    /// When no randomness is to be had.
    pub fn draw(recipes: &BTreeMap<String, Recipe>) -> Result<BTreeMap<String, Hidden>, SecretsError> {
        recipes.iter().map(|(name, recipe)| Ok((name.clone(), Hidden::new(random::of_recipe(*recipe)?)))).collect()
    }

    /// Every value of a stack, in all environments and of every origin, former ones too; of all stacks when none is named: for keeping
    /// them out of what is said.
    ///
    /// # Errors
    /// When something is sealed and cannot be opened.
    pub fn everything(&self, stack: Option<&StackName>) -> Result<Vec<Hidden>, SecretsError> {
        let mut namespaces: Vec<Namespace> = self.sealed().iter().filter_map(|path| Namespace::of_path(path)).collect();
        if let Some(stack) = stack {
            // What an earlier version made up is not sealed.
            namespaces.retain(|namespace| namespace.stack == *stack && namespace.env().is_some());
            namespaces.push(Namespace::of(stack));
        }
        let mut all = Vec::new();
        for namespace in namespaces {
            all.extend(sheet::read(self, &namespace)?.everything());
        }
        Ok(all)
    }

    /// Every sealed file, sorted.
    fn sealed(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        let mut sealed: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|extension| extension == "age")).collect();
        sealed.sort();
        sealed
    }

    /// The file in which an earlier version kept what was made up for a stack; there never was one for an environment.
    fn plain(&self, namespace: &Namespace) -> Option<PathBuf> {
        namespace.env().is_none().then(|| self.folder.join(format!("{}.json", namespace.stack)))
    }
}

fn entry(value: Hidden, from: Origin, by: &str) -> Entry {
    Entry { value, from, at: Timestamp::now().to_string(), by: Some(by.to_owned()) }
}

#[cfg(test)]
mod made_up_tests;
#[cfg(test)]
mod tests;
