//! An image that was promoted in the place of the one of the files, pinned to what its tag was then.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Promoted {
    /// As it was asked for: `ghcr.io/acme/web:1.4`.
    pub image: String,
    /// `None` for what was promoted before tags were pinned.
    pub pin: Option<Pin>,
}

/// What a tag was in the moment in which it was promoted. It may be moved; this may not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pin {
    /// The digest that the registry has under the tag: `sha256:…`.
    Digest(String),
    /// The engine's id of an image that is on this host only: `sha256:…`.
    Local(String),
}

/// The forms in which it was written down: just the image, in former times.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Image(String),
    Pinned { image: String, pin: Option<Pin> },
}

impl From<Written> for Promoted {
    fn from(written: Written) -> Self {
        match written {
            Written::Image(image) => Promoted { image, pin: None },
            Written::Pinned { image, pin } => Promoted { image, pin },
        }
    }
}

impl Promoted {
    /// What the engine is told: no tag that could be moved.
    pub fn reference(&self) -> String {
        match &self.pin {
            Some(Pin::Digest(digest)) => format!("{}@{digest}", self.image),
            Some(Pin::Local(id)) => id.clone(),
            None => self.image.clone(),
        }
    }

    pub fn is_local(&self) -> bool {
        matches!(self.pin, Some(Pin::Local(_)))
    }
}

impl Pin {
    /// The digest or the id.
    pub fn text(&self) -> &str {
        match self {
            Pin::Digest(text) | Pin::Local(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_before_tags_were_pinned_is_read() {
        let read = |text: &str| serde_json::from_str::<Promoted>(text).unwrap();
        let before = read(r#""acme/web:1""#);
        assert_eq!((before.reference().as_str(), before.is_local()), ("acme/web:1", false));
        for pin in [Pin::Digest("sha256:ab".into()), Pin::Local("sha256:cd".into())] {
            let promoted = Promoted { image: "acme/web:1".into(), pin: Some(pin) };
            assert_eq!(read(&serde_json::to_string(&promoted).unwrap()), promoted);
        }
    }

    #[test]
    fn the_engine_is_told_a_reference_that_cannot_move() {
        let of = |pin| Promoted { image: "acme/web:1".into(), pin: Some(pin) }.reference();
        assert_eq!(of(Pin::Digest("sha256:ab".into())), "acme/web:1@sha256:ab");
        assert_eq!(of(Pin::Local("sha256:cd".into())), "sha256:cd");
    }
}
