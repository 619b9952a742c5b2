//! Strings that interpolation left where Compose wants a number or a boolean.

use super::diagnostic::Diagnostic;
use super::tree::Node;

/// Turns strings on Compose's fixed list of paths into numbers and booleans.
/// `project` is one whole file (its root mapping), after interpolation and before merging.
pub fn cast(_project: &mut Node) -> Vec<Diagnostic> {
    Vec::new()
}
