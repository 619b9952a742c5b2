//! Values that were made up for a stack and stay: kept in the state folder, a file a stack, for its owner's eyes.
//!
//! The files are `<state>/secrets/<stack>.json` (0600), written whole or not at all, under a lock of their own: a
//! command may keep a value while a server owns the rest of the folder. Nothing here is printed: a value is a
//! [`Hidden`] or a text on its way into a load.

mod random;
mod store;
mod token;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mainstay_model::compose::dialect::{Generated, Kind, magic::TOKEN_KEY};
use mainstay_model::declared::Hidden;
use mainstay_model::identity::StackName;

use store::{Kept, Origin, Store, Value};

/// The folder of kept values.
#[derive(Clone, Debug)]
pub struct Secrets {
    folder: PathBuf,
}

/// The values of a load, and which of them are new.
#[derive(Clone, Debug, Default)]
pub struct Filled {
    /// By name, for [`mainstay_model::compose::LoadRequest::generated`].
    pub values: BTreeMap<String, Hidden>,
    /// Names whose value was made up now.
    pub made_up: Vec<String>,
    /// Names whose value was taken up from containers now.
    pub taken_up: Vec<String>,
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
    #[error("the operating system gave no random bytes: {0}")]
    Random(String),
    /// A token cannot be signed without its key.
    #[error("`{token}` is signed with `{TOKEN_KEY}`, which has no value")]
    NoKey { token: String },
}

impl Secrets {
    /// The values that are kept below a state folder.
    pub fn of(state_dir: &Path) -> Self {
        Secrets { folder: state_dir.join("secrets") }
    }

    /// Where the values of a stack are.
    pub fn path(&self, stack: &StackName) -> PathBuf {
        self.folder.join(format!("{stack}.json"))
    }

    /// The values that are kept for a stack; nothing when none ever were.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn kept(&self, stack: &StackName) -> Result<Option<BTreeMap<String, Hidden>>, SecretsError> {
        let kept = store::read(&self.path(stack))?;
        Ok(kept.map(|kept| kept.values.into_iter().map(|(name, value)| (name, value.value)).collect()))
    }

    /// Answers every value that a load asked for: as kept, else as found in containers, else made up; and keeps what is
    /// new. Two commands at once get the same values: the second waits for the first and reads what it wrote.
    ///
    /// # Errors
    /// When the file cannot be read or written, or no randomness is to be had.
    pub fn fill(
        &self,
        stack: &StackName,
        wanted: &[Generated],
        found: &BTreeMap<String, Hidden>,
    ) -> Result<Filled, SecretsError> {
        let store = Store::open(&self.folder, self.path(stack))?;
        let mut kept = store.read()?.unwrap_or_default();
        let filled = fill(&mut kept, wanted, found)?;
        if !filled.made_up.is_empty() || !filled.taken_up.is_empty() {
            store.write(&kept)?;
        }
        Ok(filled)
    }

    /// The same without keeping anything: for showing what would be done.
    ///
    /// # Errors
    /// As [`Secrets::fill`].
    pub fn try_fill(
        &self,
        stack: &StackName,
        wanted: &[Generated],
        found: &BTreeMap<String, Hidden>,
    ) -> Result<Filled, SecretsError> {
        let mut kept = store::read(&self.path(stack))?.unwrap_or_default();
        fill(&mut kept, wanted, found)
    }
}

fn fill(kept: &mut Kept, wanted: &[Generated], found: &BTreeMap<String, Hidden>) -> Result<Filled, SecretsError> {
    let mut filled = Filled::default();
    // Keys before the tokens that are signed with them.
    let (tokens, others): (Vec<_>, Vec<_>) = wanted.iter().partition(|one| matches!(one.kind, Kind::Token { .. }));
    for one in others.into_iter().chain(tokens) {
        let value = match (fitting(kept, one), found.get(&one.name)) {
            (Some(value), _) => value,
            (None, Some(value)) => {
                filled.taken_up.push(one.name.clone());
                keep(kept, one, value.clone(), Origin::Container)
            }
            (None, None) => {
                filled.made_up.push(one.name.clone());
                let value = Hidden::new(made_up(kept, one)?);
                keep(kept, one, value, Origin::Generated)
            }
        };
        filled.values.insert(one.name.clone(), value);
    }
    Ok(filled)
}

/// What is kept; a token only while its key is the one that it was signed with.
fn fitting(kept: &Kept, one: &Generated) -> Option<Hidden> {
    let value = &kept.values.get(&one.name)?.value;
    let is_good = match one.kind {
        Kind::Token { .. } => key_of(kept, one).is_some_and(|key| token::is_signed_with(value.reveal(), key.reveal())),
        _ => true,
    };
    is_good.then(|| value.clone())
}

fn keep(kept: &mut Kept, one: &Generated, value: Hidden, from: Origin) -> Hidden {
    let at = Timestamp::now().to_string();
    kept.values.insert(one.name.clone(), Value { value: value.clone(), from, at });
    value
}

fn key_of(kept: &Kept, token: &Generated) -> Option<Hidden> {
    token.key.clone().or_else(|| kept.values.get(TOKEN_KEY).map(|key| key.value.clone()))
}

fn made_up(kept: &Kept, one: &Generated) -> Result<String, SecretsError> {
    let Kind::Token { role } = one.kind else { return random::value(one.kind) };
    let key = key_of(kept, one);
    let token = key.and_then(|key| token::signed(role, Timestamp::now(), key.reveal()));
    token.ok_or_else(|| SecretsError::NoKey { token: one.name.clone() })
}

#[cfg(test)]
mod tests;
