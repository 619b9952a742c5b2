//! Sizes as Compose writes them: `64m`, `1gb`, `-1`.

use super::cast;

/// Reads a size in bytes; units are powers of 1024, as Docker reads them. Signed because `-1` means
/// "no limit" in `memswap_limit`; no other negative size exists.
///
/// # Errors
/// A sentence part that says what is wrong with the text.
pub fn parse(text: &str) -> Result<i64, String> {
    if text == "-1" {
        return Ok(-1);
    }
    let refuse = || format!("`{text}` is not a size; write `64m`, `1.5g` or a number of bytes");
    if text.is_empty() {
        return Err("a size is empty; write `64m`, `1.5g` or a number of bytes".into());
    }
    let end = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ').ok_or_else(refuse)?;
    // One space may stand between the number and the unit; any other place for it is a slip.
    let number = if text.as_bytes()[end] == b' ' { &text[..end] } else { &text[..=end] };
    let power = match text[end + 1..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return Err(refuse()),
    };
    let number = &*cast::without_underscores(number).ok_or_else(refuse)?;
    let plain = number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+'));
    let value = number.parse::<f64>().ok().filter(|_| plain).ok_or_else(refuse)?;
    let bytes = value * 1024f64.powi(power);
    // The largest float below 2^63; past it the conversion would silently stop at the limit.
    if bytes > 9_223_372_036_854_774_784.0 {
        return Err(format!("`{text}` is larger than any machine"));
    }
    Ok(bytes as i64)
}

/// The canonical form, as `config` prints it: the plain number of bytes.
pub fn print(bytes: i64) -> String {
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_reference() {
        let cases = [
            ("64m", 67_108_864),
            ("1gb", 1_073_741_824),
            ("1.5GiB", 1_610_612_736),
            ("-1", -1),
            ("1024", 1024),
            ("1 g", 1_073_741_824),
            ("10b", 10),
            ("1kb", 1024),
            ("1kib", 1024),
            ("1tb", 1_099_511_627_776),
            ("1pb", 1_125_899_906_842_624),
            ("1e3", 1000),
            (".5g", 536_870_912),
            ("1.7k", 1740),
            ("0", 0),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_size_is_refused() {
        for text in ["", "1eb", "1x", "1gg", "1 mb ", "0x10", " 5m", "1  g", "-2", "m", "inf", "9e99", "é"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
