//! Values from the operating system's random source.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mainstay_model::compose::dialect::Kind;
use mainstay_model::secrets::{Format, Recipe};

use super::SecretsError;

const SMALL: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const LARGE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";
/// Such as stand in a password without a meaning to a shell, to YAML, or inside a URL.
const SYMBOLS: &[u8] = b"-._~!*+,";
const USER_LENGTH: usize = 16;

/// A fresh value. Tokens are not made here.
pub(super) fn value(kind: Kind) -> Result<String, SecretsError> {
    match kind {
        Kind::Password { length, symbols: false } => with_each(&[SMALL, LARGE, DIGITS], length),
        Kind::Password { length, symbols: true } => with_each(&[SMALL, LARGE, DIGITS, SYMBOLS], length),
        Kind::User => Ok(letters(SMALL, 1)? + &letters(&[SMALL, DIGITS].concat(), USER_LENGTH - 1)?),
        Kind::Letters { length } => letters(&[SMALL, LARGE, DIGITS].concat(), length),
        Kind::Base64 { bytes: count } => Ok(STANDARD.encode(bytes(count)?)),
        Kind::Hex { bytes: count } => hex(count),
        Kind::Token { .. } => Err(SecretsError::Random("a token is signed, and not random".into())),
    }
}

/// A fresh value by a stack's own recipe.
pub(super) fn of_recipe(recipe: Recipe) -> Result<String, SecretsError> {
    match recipe.format {
        Format::Alnum => with_each(&[SMALL, LARGE, DIGITS], recipe.size),
        Format::Hex => hex(recipe.size),
        Format::Base64 => Ok(STANDARD.encode(bytes(recipe.size)?)),
        Format::Base64Url => Ok(URL_SAFE_NO_PAD.encode(bytes(recipe.size)?)),
    }
}

fn hex(count: usize) -> Result<String, SecretsError> {
    Ok(bytes(count)?.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn bytes(count: usize) -> Result<Vec<u8>, SecretsError> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).map_err(|error| SecretsError::Random(error.to_string()))?;
    Ok(bytes)
}

/// Every letter of the alphabet is as likely as any other: bytes beyond its last whole multiple are thrown away.
fn letters(alphabet: &[u8], length: usize) -> Result<String, SecretsError> {
    let fair = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        for byte in bytes(length)? {
            if usize::from(byte) < fair && text.len() < length {
                text.push(char::from(alphabet[usize::from(byte) % alphabet.len()]));
            }
        }
    }
    Ok(text)
}

/// Letters of which each alphabet has one at least, as many programs ask of a password. Drawn again until it is so,
/// which leaves every such text as likely as any other.
fn with_each(alphabets: &[&[u8]], length: usize) -> Result<String, SecretsError> {
    loop {
        let text = letters(&alphabets.concat(), length)?;
        if alphabets.iter().all(|alphabet| text.bytes().any(|byte| alphabet.contains(&byte))) {
            return Ok(text);
        }
    }
}
