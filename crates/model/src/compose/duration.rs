//! Durations as Compose writes them: `1m30s`.

use std::time::Duration;

/// Reads a Go-style duration (`1m30s`, `1.5h`, `500ms`).
///
/// # Errors
/// A sentence part that says what is wrong with the text.
pub fn parse(_text: &str) -> Result<Duration, String> {
    Ok(Duration::ZERO)
}

/// The canonical form: `1m30s`, `10s`, `1h0m0s`.
pub fn print(_duration: Duration) -> String {
    String::new()
}
