//! For whom backups are sealed: the key of the host, and at least one that is kept elsewhere.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use age::stream::StreamWriter;
use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};
use mainstay_model::declared::Hidden;

use super::key::Key;
use super::{Secrets, SecretsError, disk};

/// Below the state folder: the public half of a recovery key.
const RECOVERY: &str = "recovery.recipient";

/// Seals for its recipients, and opens with its keys. Cheap to clone.
#[derive(Clone)]
pub struct Seals {
    recipients: Vec<Recipient>,
    identities: Vec<Identity>,
}

impl Secrets {
    /// Seals of backups: for the key of the host, which is made when there is none, for the recovery key of the host when it
    /// has one, and for `others`.
    ///
    /// # Errors
    /// When a key cannot be read, or one of `others` is none.
    pub fn seals(&self, others: &[String]) -> Result<Seals, SecretsError> {
        let key = self.key_or_new()?;
        let mut seals = Seals { recipients: vec![key.recipient()], identities: vec![key.into_identity()] };
        let recovery = self.recovery_recipient()?;
        for text in others.iter().chain(&recovery) {
            let recipient = text.parse().map_err(|_| SecretsError::NoRecipient { text: text.clone() })?;
            if !seals.recipients.contains(&recipient) {
                seals.recipients.push(recipient);
            }
        }
        Ok(seals)
    }

    /// The public half of the recovery key, when one was made.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn recovery_recipient(&self) -> Result<Option<String>, SecretsError> {
        let path = self.recovery_path();
        let bytes = disk::read(&path)?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
        Ok(bytes.map(text).filter(|text| !text.is_empty()))
    }

    /// Makes a recovery key: its text, to be kept where this host is not, and its public half, which stays here once
    /// [`Secrets::keep_recovery_recipient`] has been called with it.
    pub fn new_recovery_key() -> (Hidden, String) {
        let key = Key::generate();
        let says = "Mainstay recovery key\n#\n\
                    # It opens the backups of databases that a host sealed for it. The host does not have it: keep it in a\n\
                    # password manager, on paper in a safe. Without Mainstay: age --decrypt -i THIS-FILE ID.dump.age\n#";
        (Hidden::new(key.text(says)), key.recipient().to_string())
    }

    /// # Errors
    /// When it cannot be written.
    pub fn keep_recovery_recipient(&self, recipient: &str) -> Result<(), SecretsError> {
        let path = self.recovery_path();
        if let Some(folder) = path.parent() {
            disk::make_folder(folder)?;
        }
        disk::replace(&path, format!("{recipient}\n").as_bytes())
    }

    fn recovery_path(&self) -> PathBuf {
        self.folder.with_file_name(RECOVERY)
    }
}

impl Seals {
    /// Opens with the keys of a text alone, such as a recovery key or a kit: the way that is left when the host is gone.
    ///
    /// # Errors
    /// When the text has no key.
    pub fn of_key(text: &Hidden) -> Result<Seals, SecretsError> {
        let key = Key::of_text(text.reveal()).ok_or(SecretsError::BadKit)?;
        Ok(Seals { recipients: vec![key.recipient()], identities: vec![key.into_identity()] })
    }

    /// Opens with the keys of another one, and still seals for its own recipients: what is written meanwhile can be read by
    /// those who read the rest.
    #[must_use]
    pub fn opened_with(&self, keys: &Seals) -> Seals {
        Seals { recipients: self.recipients.clone(), identities: keys.identities.clone() }
    }

    /// What may be told of them.
    pub fn recipients(&self) -> Vec<String> {
        self.recipients.iter().map(ToString::to_string).collect()
    }

    /// Whether somebody else than this host can open what it seals.
    pub fn has_a_second(&self) -> bool {
        self.recipients.len() > 1
    }

    /// # Errors
    /// When there is no randomness.
    pub fn seal(&self, bytes: &[u8]) -> Result<Vec<u8>, SecretsError> {
        let sealed = self.sealing(Vec::new()).and_then(|mut writer| {
            writer.write_all(bytes)?;
            writer.finish()
        });
        sealed.map_err(|error| SecretsError::Random(error.to_string()))
    }

    /// Opens the small object `name`.
    ///
    /// # Errors
    /// When it is sealed for other keys, or damaged.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, SecretsError> {
        let mut bytes = Vec::new();
        self.opening(name, sealed)?.read_to_end(&mut bytes).map_err(|error| damaged(name, error.to_string()))?;
        Ok(bytes)
    }

    /// What is written comes out sealed; it is whole only after `finish`.
    ///
    /// # Errors
    /// When the head cannot be written.
    pub fn sealing<W: Write>(&self, output: W) -> io::Result<StreamWriter<W>> {
        let recipients = self.recipients.iter().map(|one| one as &dyn age::Recipient);
        Encryptor::with_recipients(recipients).map_err(io::Error::other)?.wrap_output(output)
    }

    /// What is read comes out opened. An end that comes too early, and every byte that is not as it was, is an error.
    ///
    /// # Errors
    /// When it is sealed for other keys, or its head is damaged.
    pub fn opening<R: Read>(&self, name: &str, input: R) -> Result<impl Read + use<R>, SecretsError> {
        let explain = |error: DecryptError| match error {
            DecryptError::NoMatchingKeys => SecretsError::OtherRecipients { name: name.to_owned() },
            other => damaged(name, other.to_string()),
        };
        let decryptor = Decryptor::new(input).map_err(explain)?;
        decryptor.decrypt(self.identities.iter().map(|one| one as &dyn age::Identity)).map_err(explain)
    }
}

impl std::fmt::Debug for Seals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seals").field("recipients", &self.recipients()).finish_non_exhaustive()
    }
}

fn damaged(name: &str, why: String) -> SecretsError {
    SecretsError::Damaged { path: Path::new(name).to_owned(), why }
}
