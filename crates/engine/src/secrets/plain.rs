//! The files of earlier versions, in which made-up values lay unsealed: read, taken over once, and removed.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;

use super::disk::trouble;
use super::{Entry, SecretsError};

/// The only format that there ever was.
const FORMAT: u32 = 1;

#[derive(Deserialize)]
struct Plain {
    format: u32,
    values: BTreeMap<String, Entry>,
}

/// The made-up values of a file; nothing when there is none.
pub(super) fn read(path: &Path) -> Result<Option<BTreeMap<String, Entry>>, SecretsError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(trouble(path, "read")(error)),
    };
    let unreadable = |why: String| SecretsError::Unreadable { path: path.to_owned(), why };
    // Not what serde says: it may quote what it could not read.
    let plain: Plain = serde_json::from_slice(&text)
        .map_err(|error| unreadable(format!("line {}, column {}", error.line(), error.column())))?;
    if plain.format > FORMAT {
        return Err(unreadable(format!("its format is {}, and this version knows {FORMAT}", plain.format)));
    }
    Ok(Some(plain.values))
}
