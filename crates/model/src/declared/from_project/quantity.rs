//! Sizes and durations in the notations that Compose takes.

/// Nanoseconds in each unit of a Go duration. Longer names first, so that `ms` is not read as `m`.
const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

/// A Go duration (`1m30s`, `1.5h`, `500ms`, `0`) in nanoseconds. Weeks and days are Compose's own addition.
pub(super) fn nanos(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let days = [("d", 24.0 * 3600e9), ("w", 7.0 * 24.0 * 3600e9)];
        let (unit, factor) = UNITS.iter().chain(&days).find(|(unit, _)| rest.starts_with(unit))?;
        total += number * factor;
        rest = rest.get(unit.len()..)?;
    }
    (total <= u64::MAX as f64).then_some(total.round() as u64)
}

/// A size in bytes: units are powers of 1024 whatever their spelling (`k`, `kb`, `KiB`), as Docker reads them.
pub(super) fn bytes(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let power = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<i64>() {
        return whole.checked_mul(1024_i64.checked_pow(power)?);
    }
    let number: f64 = number.parse().ok()?;
    let total = number * 1024_f64.powi(power as i32);
    (total.is_finite() && total.abs() < i64::MAX as f64).then_some(total as i64)
}

/// Permission bits: text is octal with or without `0o`, as YAML's own reading already made numbers of octal ones.
pub(super) fn mode(text: &str) -> Option<u32> {
    let digits = text.trim().trim_start_matches("0o");
    u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        assert_eq!(nanos("1m30s"), Some(90_000_000_000));
        assert_eq!(nanos("1.5h"), Some(5_400_000_000_000));
        assert_eq!(nanos("500ms"), Some(500_000_000));
        assert_eq!(nanos("2m0s"), Some(120_000_000_000));
        assert_eq!(nanos("0"), Some(0));
        assert_eq!(nanos("30"), None);
        assert_eq!(nanos("-1s"), None);
        assert_eq!(nanos("soon"), None);
        assert_eq!(nanos(""), None);
    }

    #[test]
    fn sizes_are_powers_of_1024_whatever_their_spelling() {
        assert_eq!(bytes("64m"), Some(64 << 20));
        assert_eq!(bytes("1.5GB"), Some(3 << 29));
        assert_eq!(bytes("1073741824"), Some(1 << 30));
        assert_eq!(bytes("10GiB"), Some(10 << 30));
        assert_eq!(bytes("-1"), Some(-1));
        assert_eq!(bytes("12q"), None);
        assert_eq!(bytes(""), None);
        assert_eq!(bytes("9999999999t"), None);
    }

    #[test]
    fn permission_bits_in_text_are_octal() {
        assert_eq!(mode("0440"), Some(0o440));
        assert_eq!(mode("0o644"), Some(0o644));
        assert_eq!(mode("99"), None);
    }
}
