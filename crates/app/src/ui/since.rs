//! Times for people: how long ago, how long it took.

use jiff::Timestamp;

/// How long ago, in one word: `just now`, `42s`, `5m`, `3h`, `12d`. Text that is not a time gives an empty word.
pub fn ago(at: &str, now: Timestamp) -> String {
    let Some(at) = time(at) else { return String::new() };
    let seconds = now.as_second() - at.as_second();
    match seconds {
        ..=0 => "just now".to_owned(),
        1..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The same, to stand after what was done then: `just now`, `5m ago`.
pub fn when(at: &str, now: Timestamp) -> String {
    match ago(at, now) {
        age if age.is_empty() || age == "just now" => age,
        age => format!("{age} ago"),
    }
}

/// An RFC 3339 time; the engine's own zero (`0001-01-01…`) is none.
pub fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|at: &Timestamp| at.as_second() > 0)
}

/// A moment as the engine takes it, seconds since 1970 with a fraction: from how long ago (`90s`, `10m`, `1h30m`),
/// an RFC 3339 time, or seconds since 1970.
pub fn moment(text: &str, now: Timestamp) -> Option<String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(format!("{}.{:09}", at.as_second(), at.subsec_nanosecond()));
    }
    if text.parse::<f64>().is_ok_and(|seconds| seconds >= 0.0) {
        return Some(text.to_owned());
    }
    let ago = seconds_of(text)?;
    Some(format!("{}.{:09}", now.as_second().checked_sub(ago)?, now.subsec_nanosecond()))
}

/// `1h30m` in seconds.
fn seconds_of(text: &str) -> Option<i64> {
    let mut seconds: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = rest.split_at(digits);
        let size = match unit.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        seconds = number.parse::<i64>().ok()?.checked_mul(size)?.checked_add(seconds)?;
        rest = &unit[1..];
    }
    (!text.is_empty()).then_some(seconds)
}

/// A duration: `0.2s`, `12.4s`, `3m 05s`.
pub fn took(milliseconds: u64) -> String {
    if milliseconds < 60_000 {
        let tenths = (milliseconds + 50) / 100;
        return format!("{}.{}s", tenths / 10, tenths % 10);
    }
    let seconds = milliseconds / 1000;
    format!("{}m {:02}s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_must_be_taken_in_every_form_and_nothing_else() {
        let now: Timestamp = "2026-07-01T12:00:00Z".parse().expect("a time");
        let taken = |text: &str| moment(text, now);
        assert_eq!(taken("1h30m").as_deref(), Some("1782901800.000000000"));
        assert_eq!(taken("2026-07-01T10:30:00Z"), taken("1h30m"));
        assert_eq!(taken("1700000000.5").as_deref(), Some("1700000000.5"));
        for nonsense in ["", "10x", "m", "yesterday", "-5m"] {
            assert_eq!(taken(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn durations_must_read_as_people_say_them() {
        assert_eq!(
            [took(0), took(49), took(151), took(59_400), took(185_000)].join(" "),
            "0.0s 0.0s 0.2s 59.4s 3m 05s"
        );
        let now: Timestamp = "2026-07-01T12:00:00Z".parse().expect("a time");
        let said = |at: &str| ago(at, now);
        assert_eq!(said("2026-07-01T11:59:30Z"), "30s");
        assert_eq!(said("2026-07-01T09:00:00.5Z"), "3h");
        assert_eq!(said("2026-05-01T12:00:00Z"), "61d");
        assert_eq!(said("0001-01-01T00:00:00Z"), "");
        assert_eq!(when("2026-07-01T09:00:00Z", now), "3h ago");
        assert_eq!(when("2026-07-01T12:00:00Z", now), "just now");
    }
}
