//! Durations as Compose writes them: `1m30s`.
//!
//! The grammar is Go's, with days and weeks added: one or more pairs of a number and a unit. A number
//! without a unit is refused (only `0` needs none), because nobody can know whether it meant seconds.

use std::time::Duration;

const NANOS_IN_SECOND: u64 = 1_000_000_000;

/// Reads a duration (`1m30s`, `1.5h`, `500ms`, `2d`).
///
/// # Errors
/// A sentence part that says what is wrong with the text.
pub fn parse(text: &str) -> Result<Duration, String> {
    let body = text.strip_prefix('+').unwrap_or(text);
    if body == "0" {
        return Ok(Duration::ZERO);
    }
    if body.starts_with('-') {
        return Err(format!("`{text}` is negative, and no wait can be"));
    }
    if body.is_empty() {
        return Err("a duration is empty; write `30s`, `1m30s` or `500ms`".into());
    }
    let mut nanos = 0u64;
    let mut rest = body;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        nanos = amount(number, unit, text)?
            .and_then(|part| nanos.checked_add(part))
            .filter(|sum| i64::try_from(*sum).is_ok())
            .ok_or_else(|| format!("`{text}` is longer than 290 years"))?;
        rest = tail;
    }
    Ok(Duration::from_nanos(nanos))
}

/// One pair in nanoseconds; `None` when it overflows.
fn amount(number: &str, unit: &str, text: &str) -> Result<Option<u64>, String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return Err(format!("`{text}` is not a duration; write `30s`, `1m30s` or `500ms`"));
    }
    let scale: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOS_IN_SECOND,
        "m" => 60 * NANOS_IN_SECOND,
        "h" => 3_600 * NANOS_IN_SECOND,
        "d" => 86_400 * NANOS_IN_SECOND,
        "w" => 604_800 * NANOS_IN_SECOND,
        "" => return Err(format!("`{text}` has a number without a unit; write `{text}s` for seconds")),
        _ => {
            return Err(format!(
                "`{}` in `{text}` is not a unit; the units are `ms`, `s`, `m`, `h`, `d` and `w`",
                unit.trim()
            ));
        }
    };
    let whole = if whole.is_empty() { Some(0) } else { whole.parse::<u64>().ok() };
    // More digits than these cannot move a nanosecond.
    let digits = &fraction[..fraction.len().min(18)];
    let part = digits.parse::<u128>().unwrap_or(0) * u128::from(scale) / 10u128.pow(digits.len() as u32);
    Ok(whole.and_then(|whole| whole.checked_mul(scale)).and_then(|nanos| nanos.checked_add(u64::try_from(part).ok()?)))
}

/// The canonical form, as `config` prints it: `1m30s`, `10s`, `1h0m0s`, `1.5s`, `500ms`.
pub fn print(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let second = u128::from(NANOS_IN_SECOND);
    match nanos {
        0 => "0s".into(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(nanos, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(nanos, 1_000_000)),
        _ => {
            let (hours, rest) = (nanos / (3_600 * second), nanos % (3_600 * second));
            let (minutes, rest) = (rest / (60 * second), rest % (60 * second));
            let seconds = decimal(rest, second);
            match (hours, minutes) {
                (0, 0) => format!("{seconds}s"),
                (0, _) => format!("{minutes}m{seconds}s"),
                _ => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// A quotient in decimal digits, without zeros at its end.
fn decimal(value: u128, unit: u128) -> String {
    let fraction = value % unit;
    if fraction == 0 {
        return (value / unit).to_string();
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{fraction:0width$}");
    format!("{}.{}", value / unit, digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms_are_those_of_the_reference() {
        let cases = [
            ("1m30s", "1m30s"),
            ("1.5h", "1h30m0s"),
            ("40s", "40s"),
            ("500ms", "500ms"),
            ("1d", "24h0m0s"),
            ("1w", "168h0m0s"),
            ("0", "0s"),
            ("0s", "0s"),
            ("1h", "1h0m0s"),
            ("1us", "1µs"),
            ("1µs", "1µs"),
            ("100ns", "100ns"),
            ("1.5s", "1.5s"),
            ("0.5ms", "500µs"),
            ("1d12h", "36h0m0s"),
            ("+1s", "1s"),
            ("1h30m1.001s", "1h30m1.001s"),
            (".5s", "500ms"),
            ("1.s", "1s"),
            ("1500ms", "1.5s"),
            ("100000h", "100000h0m0s"),
        ];
        for (text, printed) in cases {
            assert_eq!(parse(text).map(print), Ok(printed.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in
            ["90", "", " 1s", "1S", "1 s", "1h1", "-1s", ".", ".s", "1..5s", "s", "99999999999999999999s", "300000000h"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_missing_unit_is_named() {
        assert_eq!(parse("90"), Err("`90` has a number without a unit; write `90s` for seconds".into()));
    }
}
