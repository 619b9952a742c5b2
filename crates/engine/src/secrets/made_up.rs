//! Values that a dialect leaves to be made up. They belong to the volumes of a stack, which are the same in every
//! environment that has its name: they are kept for the stack alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mainstay_model::compose::dialect::{Generated, Kind, magic::TOKEN_KEY};
use mainstay_model::declared::Hidden;
use mainstay_model::identity::StackName;

use super::sheet::{self, Entry, Sheet, Writing};
use super::{Namespace, Origin, Secrets, SecretsError, random, token};

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

impl Secrets {
    /// The values that were made up for a stack and are kept; nothing when none ever were.
    ///
    /// # Errors
    /// When they are there and cannot be opened.
    pub fn kept(&self, stack: &StackName) -> Result<Option<BTreeMap<String, Hidden>>, SecretsError> {
        let sheet = sheet::read(self, &Namespace::of(stack))?;
        let values: BTreeMap<String, Hidden> =
            sheet.made_up.into_iter().map(|(name, entry)| (name, entry.value)).collect();
        Ok((!values.is_empty()).then_some(values))
    }

    /// Answers every value that a load asked for: as kept, else as found in containers, else made up; and keeps what is
    /// new. Two commands at once get the same values: the second waits for the first and reads what it wrote.
    ///
    /// # Errors
    /// When what is kept cannot be opened or written, or no randomness is to be had.
    pub fn fill(
        &self,
        stack: &StackName,
        wanted: &[Generated],
        found: &BTreeMap<String, Hidden>,
    ) -> Result<Filled, SecretsError> {
        let mut writing = Writing::begin(self, &Namespace::of(stack))?;
        let filled = fill(&mut writing.sheet, wanted, found)?;
        if !filled.made_up.is_empty() || !filled.taken_up.is_empty() || writing.takes_over() {
            writing.write()?;
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
        fill(&mut sheet::read(self, &Namespace::of(stack))?, wanted, found)
    }
}

fn fill(sheet: &mut Sheet, wanted: &[Generated], found: &BTreeMap<String, Hidden>) -> Result<Filled, SecretsError> {
    let mut filled = Filled::default();
    // Keys before the tokens that are signed with them.
    let (tokens, others): (Vec<_>, Vec<_>) = wanted.iter().partition(|one| matches!(one.kind, Kind::Token { .. }));
    for one in others.into_iter().chain(tokens) {
        let value = match (fitting(sheet, one), found.get(&one.name)) {
            (Some(value), _) => value,
            (None, Some(value)) => {
                filled.taken_up.push(one.name.clone());
                keep(sheet, one, value.clone(), Origin::Container)
            }
            (None, None) => {
                filled.made_up.push(one.name.clone());
                let value = Hidden::new(made_up(sheet, one)?);
                keep(sheet, one, value, Origin::Generated)
            }
        };
        filled.values.insert(one.name.clone(), value);
    }
    Ok(filled)
}

/// What is kept; a token only while its key is the one that it was signed with.
fn fitting(sheet: &Sheet, one: &Generated) -> Option<Hidden> {
    let value = &sheet.made_up.get(&one.name)?.value;
    let is_good = match one.kind {
        Kind::Token { .. } => key_of(sheet, one).is_some_and(|key| token::is_signed_with(value.reveal(), key.reveal())),
        _ => true,
    };
    is_good.then(|| value.clone())
}

fn keep(sheet: &mut Sheet, one: &Generated, value: Hidden, from: Origin) -> Hidden {
    let at = Timestamp::now().to_string();
    sheet.made_up.insert(one.name.clone(), Entry { value: value.clone(), from, at, by: None });
    value
}

fn key_of(sheet: &Sheet, token: &Generated) -> Option<Hidden> {
    token.key.clone().or_else(|| sheet.made_up.get(TOKEN_KEY).map(|key| key.value.clone()))
}

fn made_up(sheet: &Sheet, one: &Generated) -> Result<String, SecretsError> {
    let Kind::Token { role } = one.kind else { return random::value(one.kind) };
    let key = key_of(sheet, one);
    let token = key.and_then(|key| token::signed(role, Timestamp::now(), key.reveal()));
    token.ok_or_else(|| SecretsError::NoKey { token: one.name.clone() })
}
