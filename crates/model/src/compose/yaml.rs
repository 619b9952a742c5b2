//! From bytes to spanned trees: one [`Node`] for each YAML document.

use super::diagnostic::Diagnostic;
use super::tree::{FileId, Node};

/// Reads every document of a file; an empty file has no documents.
///
/// # Errors
/// Every complaint, each with its place; one of them is always an error.
pub fn parse(_bytes: &[u8], _file: FileId) -> Result<Vec<Node>, Vec<Diagnostic>> {
    Ok(Vec::new())
}
