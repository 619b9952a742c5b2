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

/// An RFC 3339 time; the engine's own zero (`0001-01-01…`) is none.
pub fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|at: &Timestamp| at.as_second() > 0)
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
    }
}
