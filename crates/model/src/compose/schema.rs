//! Which keys and types a Compose project may have.

use super::diagnostic::Diagnostic;
use super::tree::Node;

/// Checks the structure of a merged project, in the short or the long form.
pub fn check(_project: &Node) -> Vec<Diagnostic> {
    Vec::new()
}

/// The candidate that a mistyped word most likely meant.
pub fn suggest<'a>(_word: &str, _candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    None
}
