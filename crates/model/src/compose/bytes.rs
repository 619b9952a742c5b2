//! Sizes as Compose writes them: `64m`, `1gb`, `-1`.

/// Reads a size in bytes; units are powers of 1024, as Docker reads them. Signed because `-1` means
/// "no limit" in `memswap_limit`.
///
/// # Errors
/// A sentence part that says what is wrong with the text.
pub fn parse(_text: &str) -> Result<i64, String> {
    Ok(0)
}

/// The canonical form, as `config` prints it: the plain number of bytes.
pub fn print(bytes: i64) -> String {
    bytes.to_string()
}
