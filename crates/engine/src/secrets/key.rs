//! The key of the host: an age identity in a file of its own, made when something is first sealed.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret as _;
use age::x25519::{Identity, Recipient};
use jiff::Timestamp;

use super::{SecretsError, disk};

/// How an identity begins.
const PREFIX: &str = "AGE-SECRET-KEY-1";

/// Seals and opens.
pub(super) struct Key(Identity);

impl Key {
    /// Reads the file; nothing when there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Key>, SecretsError> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(disk::trouble(path, "read")(error)),
        };
        let mode = metadata.permissions().mode() & 0o777;
        if metadata.mode() & 0o077 != 0 {
            return Err(SecretsError::OpenKey { path: path.to_owned(), mode });
        }
        let bytes = disk::read(path)?.unwrap_or_default();
        let key = std::str::from_utf8(&bytes).ok().and_then(Key::of_text);
        key.map(Some).ok_or_else(|| SecretsError::NoIdentity { path: path.to_owned() })
    }

    /// Makes a new one. When somebody else makes one at the same moment, it is theirs.
    pub(super) fn make(path: &Path) -> Result<Key, SecretsError> {
        let key = Key::generate();
        if let Some(folder) = path.parent() {
            disk::make_folder(folder)?;
        }
        if disk::create(path, key.text("the key of this host: it opens what Mainstay keeps sealed").as_bytes())? {
            return Ok(key);
        }
        Key::read(path)?.ok_or_else(|| SecretsError::NoIdentity { path: path.to_owned() })
    }

    pub(super) fn generate() -> Key {
        Key(Identity::generate())
    }

    pub(super) fn into_identity(self) -> Identity {
        self.0
    }

    /// The first identity in a text in which other lines are comments.
    pub(super) fn of_text(text: &str) -> Option<Key> {
        let line = text.lines().map(str::trim).find(|line| line.starts_with(PREFIX))?;
        line.parse().ok().map(Key)
    }

    /// The file's content: what `age -i` reads as well.
    pub(super) fn text(&self, says: &str) -> String {
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        let identity = self.0.to_string();
        format!("# {says}\n# created: {now}\n# public key: {}\n{}\n", self.recipient(), identity.expose_secret())
    }

    /// What may be told of it.
    pub(super) fn recipient(&self) -> Recipient {
        self.0.to_public()
    }

    pub(super) fn seal(&self, bytes: &[u8]) -> Result<Vec<u8>, SecretsError> {
        age::encrypt(&self.recipient(), bytes).map_err(|error| SecretsError::Random(error.to_string()))
    }

    /// Opens the content of `path`.
    pub(super) fn open(&self, path: &Path, key: &Path, sealed: &[u8]) -> Result<Vec<u8>, SecretsError> {
        age::decrypt(&self.0, sealed).map_err(|error| match error {
            age::DecryptError::NoMatchingKeys => SecretsError::WrongKey { path: path.to_owned(), key: key.to_owned() },
            other => SecretsError::Damaged { path: path.to_owned(), why: other.to_string() },
        })
    }

    pub(super) fn is(&self, other: &Key) -> bool {
        self.recipient() == other.recipient()
    }
}

/// Where the key is, unless somebody said where.
pub(super) fn usual_path(state_dir: &Path) -> PathBuf {
    state_dir.join("host.key")
}
