//! The name of a backup, and of what lies beside it in a store.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NameProblem;

const RULE: &str = "the day, the time and six letters or digits, as in `20261126-030000-x7k2ma`";
/// How long the parts between the hyphens are.
const PARTS: [usize; 3] = [8, 6, 6];

/// One backup of one database. In the order of text it is in the order of time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackupId(String);

impl BackupId {
    /// Of the UTC time as digits, `20261126` and `030000`, and what makes it one of its own.
    ///
    /// # Errors
    /// When a part has not its length, or other characters.
    pub fn new(day: &str, time: &str, own: &str) -> Result<Self, NameProblem> {
        format!("{day}-{time}-{own}").parse()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When it was begun, as digits: `20261126-030000`.
    pub fn second(&self) -> &str {
        self.0.rsplit_once('-').map_or(self.as_str(), |(second, _)| second)
    }
}

impl FromStr for BackupId {
    type Err = NameProblem;

    fn from_str(text: &str) -> Result<Self, NameProblem> {
        let parts: Vec<&str> = text.split('-').collect();
        let fits = |(part, length): (&&str, &usize)| {
            part.len() == *length && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let is_time = || parts[..2].concat().bytes().all(|byte| byte.is_ascii_digit());
        if parts.len() == PARTS.len() && parts.iter().zip(&PARTS).all(fits) && is_time() {
            return Ok(BackupId(text.to_owned()));
        }
        Err(NameProblem { name: text.to_owned(), what: "name of a backup", rule: RULE })
    }
}

impl TryFrom<String> for BackupId {
    type Error = NameProblem;

    fn try_from(text: String) -> Result<Self, NameProblem> {
        text.parse()
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> String {
        id.0
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_one_is_read() {
        let id = BackupId::new("20261126", "030000", "x7k2ma").unwrap();
        assert_eq!(id.as_str().parse::<BackupId>().unwrap(), id);
        assert_eq!(id.second(), "20261126-030000");
        for text in ["", "20261126-030000", "20261126-030000-../..", "2026112x-030000-x7k2ma", "20261126-030000-X7K2MA"]
        {
            assert!(text.parse::<BackupId>().is_err(), "{text}");
        }
    }
}
