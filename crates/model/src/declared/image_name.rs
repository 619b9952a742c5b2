//! The name of an image, in its parts: `ghcr.io/acme/web:1.4@sha256:…`.

/// A reference to an image. A port belongs to the registry, and only what follows the last slash can hold a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageName<'a> {
    /// With the registry, as it is written: `ghcr.io/acme/web`.
    pub repository: &'a str,
    pub tag: Option<&'a str>,
    /// With the algorithm: `sha256:…`.
    pub digest: Option<&'a str>,
}

impl<'a> ImageName<'a> {
    /// Takes a reference apart; whether the engine takes it is for the engine to say.
    pub fn of(reference: &'a str) -> Self {
        let (name, digest) = match reference.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (reference, None),
        };
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        match name[last..].split_once(':') {
            Some((short, tag)) => ImageName { repository: &name[..last + short.len()], tag: Some(tag), digest },
            None => ImageName { repository: name, tag: None, digest },
        }
    }

    /// Whether a text can be a tag: the rule of the registries.
    pub fn is_tag(text: &str) -> bool {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        text.len() <= 128 && !text.is_empty() && !text.starts_with(['.', '-']) && text.chars().all(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_a_repository_a_tag_and_a_digest() {
        let of = |reference| {
            let name = ImageName::of(reference);
            (name.repository, name.tag, name.digest)
        };
        assert_eq!(of("web"), ("web", None, None));
        assert_eq!(of("acme/web:1.4"), ("acme/web", Some("1.4"), None));
        assert_eq!(of("localhost:5000/web"), ("localhost:5000/web", None, None));
        assert_eq!(of("localhost:5000/web:1"), ("localhost:5000/web", Some("1"), None));
        assert_eq!(of("web:1@sha256:ab"), ("web", Some("1"), Some("sha256:ab")));
        assert_eq!(of("web@sha256:ab"), ("web", None, Some("sha256:ab")));
    }

    #[test]
    fn a_tag_has_no_colon_no_slash_and_no_dot_in_front() {
        assert!(["1", "v1.2-rc_3", "_x"].into_iter().all(ImageName::is_tag));
        let long = "x".repeat(129);
        assert!(!["", ".x", "-x", "a:b", "a/b", "a b", "ä", &long].into_iter().any(ImageName::is_tag));
    }
}
