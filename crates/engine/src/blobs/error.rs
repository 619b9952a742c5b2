//! What went wrong with a store, in words.

use object_store::Error;

/// Holds no key: what the library says of a request names neither keys nor signatures.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("`{place}` cannot be used: {why}")]
    Place { place: String, why: String, hints: Vec<String> },
    #[error("`{key}` is not at {place}")]
    NotThere { place: String, key: String },
    #[error("{place} refused access while {doing}: {why}")]
    Refused { place: String, doing: String, why: String },
    #[error("{place} failed while {doing}: {why}")]
    Failed { place: String, doing: String, why: String },
    #[error("`{key}` at {place} is larger than anything of its kind")]
    TooLarge { place: String, key: String },
}

impl BlobError {
    pub(super) fn of(place: &str, doing: impl Into<String>, key: &str, error: &Error) -> BlobError {
        let (place, doing) = (place.to_owned(), doing.into());
        match error {
            Error::NotFound { .. } => BlobError::NotThere { place, key: key.to_owned() },
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                BlobError::Refused { place, doing, why: chain(error) }
            }
            _ => BlobError::Failed { place, doing, why: chain(error) },
        }
    }

    pub fn is_not_there(&self) -> bool {
        matches!(self, BlobError::NotThere { .. })
    }

    pub fn hints(&self) -> Vec<String> {
        match self {
            BlobError::Place { hints, .. } => hints.clone(),
            BlobError::Refused { .. } => {
                vec!["the keys need the rights to list, read, write and delete below that prefix".into()]
            }
            BlobError::Failed { why, .. } if why.contains("No space left") => {
                vec!["make room, or name another place: `to`, or `--to`".into()]
            }
            _ => Vec::new(),
        }
    }
}

/// The deepest cause first: the library's own words begin with its name and the retries.
fn chain(error: &Error) -> String {
    let mut causes = Vec::new();
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    let last = causes.pop().unwrap_or_default();
    match causes.first() {
        Some(first) if !first.contains(&last) => format!("{last} ({first})"),
        Some(first) => first.clone(),
        None => last,
    }
}
