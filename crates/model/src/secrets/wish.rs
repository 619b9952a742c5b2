//! What `x-mainstay.secrets` says of one secret.

use serde::{Deserialize, Serialize};

/// One secret that the files declare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretWish {
    /// How it is made when nobody set it; nothing when a person has to.
    pub generate: Option<Recipe>,
    /// In characters; 0 where nothing was said.
    pub min_length: usize,
    /// Whether the stack may not come up without it. True unless the files say otherwise.
    pub required: bool,
    /// For people: where the value comes from, what it opens.
    pub description: Option<String>,
}

/// How a value is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    pub format: Format,
    /// Characters for [`Format::Alnum`], random bytes for the others, as `openssl rand` counts them.
    pub size: usize,
}

impl Recipe {
    /// The sizes that can be asked for. Eight letters can be guessed, but some programs take no more.
    pub const SIZES: std::ops::RangeInclusive<usize> = 8..=4096;

    /// In characters.
    pub fn length(&self) -> usize {
        match self.format {
            Format::Alnum => self.size,
            Format::Hex => self.size * 2,
            Format::Base64 => self.size.div_ceil(3) * 4,
            Format::Base64Url => (self.size * 4).div_ceil(3),
        }
    }
}

/// The alphabet of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Letters and digits: no shell, URL or file format has a meaning for them.
    #[default]
    Alnum,
    Hex,
    /// With padding, as `openssl rand -base64` prints it.
    Base64,
    /// `-` and `_` for `+` and `/`, without padding.
    Base64Url,
}

impl Format {
    /// Every format by its word.
    pub const WORDS: &[(&str, Format)] =
        &[("alnum", Format::Alnum), ("hex", Format::Hex), ("base64", Format::Base64), ("base64url", Format::Base64Url)];

    /// The format of a word.
    pub fn named(word: &str) -> Option<Format> {
        Format::WORDS.iter().find(|(known, _)| *known == word).map(|(_, format)| *format)
    }
}

/// Whether a secret can have this name: it is the name of a variable.
///
/// # Errors
/// Why not, in words that fit after the name.
pub fn is_name(name: &str) -> Result<(), &'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(fits) {
        return Err("cannot be the name of a variable: letters, digits and `_`, and no digit first");
    }
    // They decide which files are read and for whom; by then the secrets of the stack are not known yet.
    if name.starts_with("COMPOSE_") {
        return Err("is read by Compose itself, before there are secrets");
    }
    Ok(())
}
