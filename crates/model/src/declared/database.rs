//! A database of a stack: where it is, who connects, and which migrations it has.

use serde::{Deserialize, Serialize};

use super::{Backup, DrillProbe, Hidden};
use crate::identity::ServiceName;
use crate::postgres::migration::LedgerName;

/// One entry of `x-mainstay.databases`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Database {
    pub whereabouts: Whereabouts,
    pub migrations: Option<Migrations>,
    #[serde(default)]
    pub backup: Option<Backup>,
    /// What `pg_dump` runs in for a server elsewhere; `postgres` of the server's version when it is left out.
    #[serde(default)]
    pub image: Option<String>,
    /// What every restored copy is asked.
    #[serde(default)]
    pub probes: Vec<DrillProbe>,
    #[serde(default)]
    pub drift: Option<DriftRules>,
}

/// How it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whereabouts {
    /// A service of the stack: at its container's address, whatever it is then.
    Service { service: ServiceName, port: u16, database: String, user: String, password: Option<Hidden> },
    /// A server that is none of the stack's, as `postgres://…`.
    Url(Hidden),
}

/// Passwords that are none.
const OPEN: &[&str] = &["postgres", "password", "postgresql"];

impl Whereabouts {
    /// What nobody is to be told. The name of the role, or a word that everybody tries first, keeps nobody out, and is
    /// all over what is said of a Postgres.
    pub fn password(&self) -> Option<Hidden> {
        let (user, password) = match self {
            Whereabouts::Service { user, password, .. } => (user.clone(), password.clone()?),
            Whereabouts::Url(url) => {
                let (_, rest) = url.reveal().split_once("://")?;
                let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
                let (user, password) = authority.rsplit_once('@')?.0.split_once(':')?;
                (without_percents(user), Hidden::new(without_percents(password)))
            }
        };
        let is_open = password.reveal() == user || OPEN.contains(&password.reveal());
        (!is_open).then_some(password)
    }
}

/// As it was before it was written into a URL.
fn without_percents(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The files that make its schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migrations {
    /// An absolute path.
    pub dir: String,
    pub ledger: LedgerName,
    /// Whether every release applies what is pending, before its new containers start.
    #[serde(default)]
    pub release: bool,
    /// What lies in the folder, as it was when the order was given: what is shown is what is applied. `None` where nobody
    /// has read it, as in a declaration that is kept with a release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<SqlFile>>,
}

/// A file of the folder. Its text may hold what nobody is to see, such as the password of a role that it makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlFile {
    pub name: String,
    text: Hidden,
    /// What follows the text is not UTF-8.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_broken: bool,
}

impl SqlFile {
    /// A file as it was read. Of one that is no text, nothing is kept but what leads to the place where it ceases to be
    /// one.
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> SqlFile {
        let name = name.into();
        match String::from_utf8(bytes) {
            Ok(text) => SqlFile { name, text: Hidden::new(text), is_broken: false },
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
                SqlFile { name, text: Hidden::new(text), is_broken: true }
            }
        }
    }

    /// Never for printing.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.text.reveal().as_bytes().to_vec();
        if self.is_broken {
            bytes.push(0xFF);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::migration::{FaultKind, MigrationSet};

    #[test]
    fn what_is_no_text_is_told_with_its_place() {
        let file = SqlFile::new("1.sql", b"select 1;\n-- caf\xe9\nselect 2;".to_vec());
        let set = MigrationSet::of(&[file]);
        let fault = &set.faulty["1.sql"][0];
        assert_eq!(
            (&fault.kind, fault.place.map(|place| place.to_string())),
            (&FaultKind::NotUtf8, Some("2:7".into()))
        );
    }

    #[test]
    fn the_password_in_a_url_is_known() {
        let of = |url: &str| Whereabouts::Url(Hidden::new(url)).password().map(|found| found.reveal().to_owned());
        assert_eq!(of("postgres://app:it%20is%40s@db.example.com:5432/crm?a=b@c").as_deref(), Some("it is@s"));
        assert_eq!(of("postgres://app:100%@db/crm").as_deref(), Some("100%"));
        assert_eq!(of("postgres://app@db/crm"), None);
        assert_eq!(of("postgres://db/crm"), None);
        assert_eq!(of("postgres://postgres:postgres@db/crm"), None, "it is a word, and no secret");
    }

    #[test]
    fn a_text_shows_nothing_of_itself() {
        let file = SqlFile::new("1.sql", b"create role app password 'hunter2'".to_vec());
        assert!(!format!("{file:?}").contains("hunter2"));
    }
}

/// What a comparison of the schema with its files is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftRules {
    /// Patterns of objects that are passed over.
    pub ignore: Vec<String>,
    /// The schemas that are judged; those that the files touch, when none is said.
    pub schemas: Vec<String>,
    /// A file of SQL that makes what was there before the first migration. An absolute path.
    pub before: Option<String>,
    pub scratch: Option<ScratchWish>,
}

/// Where files are tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScratchWish {
    /// In a database of its own on the server itself.
    Server,
    /// In a container of this image.
    Image(String),
}
