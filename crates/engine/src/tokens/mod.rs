//! Tokens for whoever gives orders from afar: `<state>/tokens/ID.json`, with the hash of the token and never the token.
//!
//! Each lies in a file of its own, and when it was last used in another beside it: the server notes uses while a
//! command makes or revokes tokens, and neither waits for the other.

mod scope;

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use mainstay_model::declared::Hidden;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::secrets::{SecretsError, disk};

pub use scope::{NoScope, Scope};

/// Starts every token, so that scanners of repositories know one when they see it.
const PREFIX: &str = "mainstay_";
const ID_BYTES: usize = 5;
const SECRET_BYTES: usize = 32;

/// The tokens of a state folder.
#[derive(Clone, Debug)]
pub struct Tokens {
    folder: PathBuf,
}

/// What is known of a token. The token itself is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    pub id: String,
    /// For people; several may share it while one is rotated.
    pub name: String,
    pub scopes: Vec<Scope>,
    pub made: Timestamp,
    pub made_by: String,
    /// From then on it is refused.
    pub expires: Option<Timestamp>,
    /// SHA-256 of the whole token. It is random and long, so that a slow hash would add nothing.
    hash: String,
    #[serde(skip)]
    pub last_used: Option<Timestamp>,
}

impl Token {
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    /// Whether one of its scopes includes this one.
    pub fn allows(&self, scope: &Scope) -> bool {
        self.scopes.iter().any(|mine| mine.includes(scope))
    }
}

/// Why a token is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It was revoked, or never was: whoever asks is not told which.
    #[error("this token is not known: it was revoked, or never was one of this host")]
    Unknown,
    #[error("the token `{name}` expired at {at}")]
    Expired { name: String, at: Timestamp },
    #[error(transparent)]
    Disk(#[from] SecretsError),
}

impl Tokens {
    pub fn of(state_dir: &Path) -> Tokens {
        Tokens { folder: state_dir.join("tokens") }
    }

    /// Makes a token; its text is given once, and kept by nobody here.
    ///
    /// # Errors
    /// When it cannot be drawn or written.
    pub fn create(
        &self,
        name: &str,
        scopes: Vec<Scope>,
        made_by: &str,
        expires: Option<Timestamp>,
    ) -> Result<(Token, Hidden), SecretsError> {
        let id = drawn(ID_BYTES)?.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let text = format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(drawn(SECRET_BYTES)?));
        let token = Token {
            hash: hash(&text),
            id,
            name: name.to_owned(),
            scopes,
            made: Timestamp::now(),
            made_by: made_by.to_owned(),
            expires,
            last_used: None,
        };
        self.write(&token)?;
        Ok((token, Hidden::new(text)))
    }

    /// Every token, by name and age.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn all(&self) -> Result<Vec<Token>, SecretsError> {
        let mut all = Vec::new();
        for file in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = file.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                all.extend(self.read(&path)?);
            }
        }
        all.sort_by(|one, other| (&one.name, one.made).cmp(&(&other.name, other.made)));
        Ok(all)
    }

    /// Takes a token back; from now on it is refused.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn revoke(&self, token: &Token) -> Result<(), SecretsError> {
        disk::remove(&self.path(&token.id))?;
        disk::remove(&self.used(&token.id))
    }

    /// Lets a token end at a time, unless it ends before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end_at(&self, token: &Token, at: Timestamp) -> Result<(), SecretsError> {
        let expires = Some(token.expires.map_or(at, |before| before.min(at)));
        self.write(&Token { expires, ..token.clone() })
    }

    /// Whose token this text is; notes that it was used.
    ///
    /// # Errors
    /// When it is nobody's, or too old.
    pub fn check(&self, text: &str) -> Result<Token, Refused> {
        let id = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).map(|(id, _)| id);
        let id = id.filter(|id| id.len() == 2 * ID_BYTES && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(token) = id.map(|id| self.read(&self.path(id))).transpose()?.flatten() else {
            return Err(Refused::Unknown);
        };
        if !is_same(token.hash.as_bytes(), hash(text).as_bytes()) {
            return Err(Refused::Unknown);
        }
        if let (true, Some(at)) = (token.is_expired(Timestamp::now()), token.expires) {
            return Err(Refused::Expired { name: token.name, at });
        }
        // When it was used is worth knowing, and no reason to refuse.
        let _ = fs::write(self.used(&token.id), Timestamp::now().to_string());
        Ok(token)
    }

    fn read(&self, path: &Path) -> Result<Option<Token>, SecretsError> {
        let Some(bytes) = disk::read(path)? else { return Ok(None) };
        let token: Token = serde_json::from_slice(&bytes)
            .map_err(|error| SecretsError::Damaged { path: path.to_owned(), why: error.to_string() })?;
        let used = fs::read_to_string(self.used(&token.id)).ok().and_then(|text| text.trim().parse().ok());
        Ok(Some(Token { last_used: used, ..token }))
    }

    fn write(&self, token: &Token) -> Result<(), SecretsError> {
        disk::make_folder(&self.folder)?;
        let path = self.path(&token.id);
        let text = serde_json::to_vec_pretty(token)
            .map_err(|error| SecretsError::Damaged { path: path.clone(), why: error.to_string() })?;
        disk::replace(&path, &text)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    fn used(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.used"))
    }
}

/// How long a token that was replaced is taken yet, when nothing else is said.
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

fn drawn(count: usize) -> Result<Vec<u8>, SecretsError> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).map_err(|error| SecretsError::Random(error.to_string()))?;
    Ok(bytes)
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// In a time that does not tell where they differ.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differ, (one, other)| differ | (one ^ other)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench() -> (tempfile::TempDir, Tokens) {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = Tokens::of(folder.path());
        (folder, tokens)
    }

    fn scopes() -> Vec<Scope> {
        vec!["release:shop".parse().expect("a scope")]
    }

    #[test]
    fn a_token_must_be_known_again_and_lie_nowhere() {
        let (folder, tokens) = bench();
        let (made, text) = tokens.create("ci", scopes(), "ada", None).expect("a token");
        let known = tokens.check(text.reveal()).expect("it is known");
        assert_eq!((known.id, known.scopes), (made.id, scopes()));
        assert!(tokens.all().expect("a list")[0].last_used.is_some());
        let secret = text.reveal().rsplit('_').next().expect("a secret").to_owned();
        for file in fs::read_dir(folder.path().join("tokens")).expect("the folder").flatten() {
            let content = fs::read_to_string(file.path()).expect("a file");
            assert!(!content.contains(&secret) && !content.contains(text.reveal()), "{content}");
        }
    }

    #[test]
    fn another_token_must_be_refused() {
        let (_folder, tokens) = bench();
        let (_, text) = tokens.create("ci", scopes(), "ada", None).expect("a token");
        let changed = format!("{}x", text.reveal());
        for wrong in [changed.as_str(), "", "mainstay_", "mainstay_../../etc_x", "mainstay_0000000000_x"] {
            assert!(matches!(tokens.check(wrong), Err(Refused::Unknown)), "{wrong}");
        }
    }

    #[test]
    fn a_token_must_end_when_it_is_revoked_or_its_time_is_over() {
        let (_folder, tokens) = bench();
        let (made, text) = tokens.create("ci", scopes(), "ada", None).expect("a token");
        tokens.end_at(&made, Timestamp::now() - SignedDuration::from_secs(1)).expect("it is written");
        assert!(matches!(tokens.check(text.reveal()), Err(Refused::Expired { .. })));
        tokens.revoke(&made).expect("it is revoked");
        assert!(matches!(tokens.check(text.reveal()), Err(Refused::Unknown)));
        assert_eq!(tokens.all().expect("a list"), []);
    }
}
