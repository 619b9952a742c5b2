//! The recovery kit: the key of the host as a text to be kept elsewhere, and the way back from it.

use std::path::{Path, PathBuf};

use age::armor::ArmoredReader;
use age::secrecy::SecretString;
use age::{Decryptor, scrypt};
use mainstay_model::declared::Hidden;

use super::key::Key;
use super::{Secrets, SecretsError, disk};

/// What came of a restored key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The very key was in place already.
    pub was_there: bool,
    /// Sealed files that it opens.
    pub opened: usize,
    /// Sealed files that it does not open.
    pub closed: Vec<PathBuf>,
}

impl Secrets {
    /// The text of the kit; the key is made when there is none yet. What may be told of the key comes beside it.
    ///
    /// # Errors
    /// When the key cannot be read or made.
    pub fn kit(&self) -> Result<(Hidden, String), SecretsError> {
        let key = self.key_or_new()?;
        let says = format!(
            "Mainstay recovery kit\n\
             #\n\
             # Whoever has this file can open every secret that is kept on the host it was made on. Keep it where that\n\
             # host is not: in a password manager, on paper in a safe. It opens secrets that are set later as well; make\n\
             # a new one only after a new key.\n\
             #\n\
             # It is the key, and not the secrets: keep copies of the folder\n\
             #   {}\n\
             # too, and put them back below the state folder of the new host. Then:\n\
             #   mainstay secret restore-kit THIS-FILE\n\
             #\n\
             # Without Mainstay: age --decrypt -i THIS-FILE STACK.age\n#",
            self.folder.display()
        );
        Ok((Hidden::new(key.text(&says)), key.recipient().to_string()))
    }

    /// Puts the key of a kit in place.
    ///
    /// # Errors
    /// When the text has no key, or another key is in place.
    pub fn restore(&self, kit: &Hidden) -> Result<Restored, SecretsError> {
        let key = Key::of_text(kit.reveal()).ok_or(SecretsError::BadKit)?;
        let was_there = match Key::read(&self.key)? {
            Some(there) if there.is(&key) => true,
            Some(_) => return Err(SecretsError::OtherKey { path: self.key.clone() }),
            None => {
                if let Some(folder) = self.key.parent() {
                    disk::make_folder(folder)?;
                }
                let text = key.text("the key of this host, from a recovery kit");
                if !disk::create(&self.key, text.as_bytes())? {
                    return Err(SecretsError::OtherKey { path: self.key.clone() });
                }
                false
            }
        };
        let (mut opened, mut closed) = (0, Vec::new());
        for path in self.sealed() {
            let sealed = disk::read(&path)?.unwrap_or_default();
            match key.open(&path, &self.key, &sealed) {
                Ok(_) => opened += 1,
                Err(_) => closed.push(path),
            }
        }
        Ok(Restored { was_there, opened, closed })
    }
}

/// Closes a text with a passphrase: it then is one that `age --decrypt` asks the passphrase for.
///
/// # Errors
/// When there is no randomness to be had.
pub fn close(text: &Hidden, passphrase: &Hidden) -> Result<String, SecretsError> {
    let recipient = scrypt::Recipient::new(SecretString::from(passphrase.reveal().to_owned()));
    age::encrypt_and_armor(&recipient, text.reveal().as_bytes())
        .map_err(|error| SecretsError::Random(error.to_string()))
}

/// Whether a file wants a passphrase before it can be read.
pub fn is_closed(content: &[u8]) -> bool {
    Decryptor::new_buffered(ArmoredReader::new(content)).is_ok_and(|decryptor| decryptor.is_scrypt())
}

/// Opens what [`close`] closed.
///
/// # Errors
/// When it is another passphrase, or no such text.
pub fn open(content: &[u8], passphrase: &Hidden) -> Result<Hidden, SecretsError> {
    let identity = scrypt::Identity::new(SecretString::from(passphrase.reveal().to_owned()));
    let text = age::decrypt(&identity, content).map_err(|error| match error {
        age::DecryptError::DecryptionFailed
        | age::DecryptError::KeyDecryptionFailed
        | age::DecryptError::NoMatchingKeys => SecretsError::WrongPassphrase,
        _ => SecretsError::BadKit,
    })?;
    String::from_utf8(text).map(Hidden::new).map_err(|_| SecretsError::BadKit)
}

/// Writes a kit into a new file for its owner alone.
///
/// # Errors
/// When something is there already, or it cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), SecretsError> {
    match disk::create(path, text.as_bytes())? {
        true => Ok(()),
        false => Err(SecretsError::InTheWay { path: path.to_owned() }),
    }
}
