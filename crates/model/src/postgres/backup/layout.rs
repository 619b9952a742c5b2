//! Under which keys a store holds backups.
//!
//! ```text
//! STACK[@ENV]/DATABASE/ID.dump.age           the data
//! STACK[@ENV]/DATABASE/ID.begun              while it is being written: what to clear away when that never ends
//! STACK[@ENV]/DATABASE/ID.manifest.age       written last
//! STACK[@ENV]/DATABASE/ID.proof-TIME.age     what came of a drill
//! ```

use crate::identity::BackupId;

const DUMP: &str = "dump.age";
const BEGUN: &str = "begun";
const MANIFEST: &str = "manifest.age";
const PROOF: &str = "proof-";
const SEALED: &str = ".age";

/// One object of a backup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Dump,
    Begun,
    Manifest,
    /// With its time as digits, `20261126T050000Z`.
    Proof(String),
}

/// Where the backups of a database lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelf(String);

impl Shelf {
    /// `owner` is a stack, or a server by its name. What a key cannot have is written in another way.
    pub fn new(owner: &str, env: Option<&str>, database: &str) -> Shelf {
        let owner = match env {
            Some(env) => format!("{}@{}", segment(owner), segment(env)),
            None => segment(owner),
        };
        Shelf(format!("{owner}/{}", segment(database)))
    }

    /// The folder, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn key(&self, id: &BackupId, part: &Part) -> String {
        format!("{}/{}", self.0, name(id, part))
    }

    /// The backup and the part that a key belongs to; nothing when it is none of ours.
    pub fn read(&self, key: &str) -> Option<(BackupId, Part)> {
        read_name(key.strip_prefix(self.0.as_str())?.strip_prefix('/')?)
    }
}

/// The last part of a key.
pub fn name(id: &BackupId, part: &Part) -> String {
    match part {
        Part::Dump => format!("{id}.{DUMP}"),
        Part::Begun => format!("{id}.{BEGUN}"),
        Part::Manifest => format!("{id}.{MANIFEST}"),
        Part::Proof(time) => format!("{id}.{PROOF}{time}{SEALED}"),
    }
}

fn read_name(name: &str) -> Option<(BackupId, Part)> {
    let (id, rest) = name.split_once('.')?;
    let part = match rest {
        DUMP => Part::Dump,
        BEGUN => Part::Begun,
        MANIFEST => Part::Manifest,
        _ => {
            let time = rest.strip_prefix(PROOF)?.strip_suffix(SEALED)?;
            let is_time = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_alphanumeric());
            is_time.then(|| Part::Proof(time.to_owned()))?
        }
    };
    Some((id.parse().ok()?, part))
}

/// Letters, digits, `_`, `-` and single dots stay; every other byte is written as `=41`, so that no two names are one.
fn segment(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if is_plain || byte == b'.' && !out.is_empty() && !out.ends_with('.') {
            out.push(char::from(byte));
        } else {
            out += &format!("={byte:02x}");
        }
    }
    if out.is_empty() { "=".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_back_to_what_it_was_made_of() {
        let id: BackupId = "20261126-030000-x7k2ma".parse().unwrap();
        let shelf = Shelf::new("pms", Some("staging"), "crm");
        for part in [Part::Dump, Part::Begun, Part::Manifest, Part::Proof("20261126T050000Z".into())] {
            let key = shelf.key(&id, &part);
            assert!(key.starts_with("pms@staging/crm/20261126-030000-x7k2ma."), "{key}");
            assert_eq!(shelf.read(&key), Some((id.clone(), part)));
        }
        for key in
            ["pms@staging/crm/notes.txt", "pms@staging/crm/sub/20261126-030000-x7k2ma.begun", "other/crm/x.begun"]
        {
            assert_eq!(shelf.read(key), None, "{key}");
        }
    }

    #[test]
    fn no_name_leads_out_of_its_folder_or_into_anothers() {
        assert_eq!(Shelf::new("a", None, "../b").as_str(), "a/=2e.=2fb");
        assert_eq!(Shelf::new("a", None, "").as_str(), "a/=");
        assert_ne!(Shelf::new("a@b", None, "c"), Shelf::new("a", Some("b"), "c"));
        assert_ne!(Shelf::new("a", None, "ä"), Shelf::new("a", None, "=c3=a4"));
    }
}
