//! The dialect of `.env` and `env_file`.

use super::diagnostic::Diagnostic;
use super::tree::FileId;

/// Keys in the order of the file (a repeated key stands once, with its last value);
/// `None` for a bare `KEY` that `lookup` does not know.
///
/// `lookup` is the caller's environment. A value may use earlier keys of the same file; the
/// environment wins over them, as it does everywhere in Compose.
///
/// # Errors
/// Every complaint with its line.
pub fn parse(
    _bytes: &[u8],
    _file: FileId,
    _lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<(String, Option<String>)>, Vec<Diagnostic>> {
    Ok(Vec::new())
}

/// `format: raw`: `KEY=everything up to the line end`, no quotes, no variables.
///
/// # Errors
/// Every complaint with its line.
pub fn parse_raw(_bytes: &[u8], _file: FileId) -> Result<Vec<(String, Option<String>)>, Vec<Diagnostic>> {
    Ok(Vec::new())
}
