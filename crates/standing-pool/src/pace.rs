//! How often a database is tried: pure functions of what has happened.

use std::time::Duration;

use crate::settings::Settings;

/// What only a person can mend is tried this many times less often.
pub(crate) const SLOW: u32 = 5;

/// How long to wait for the next attempt while the process starts; `None` when the time is up. The last attempt is made at
/// the very end, so that a server which comes up a second before it is still found.
pub(crate) fn at_start(settings: &Settings, elapsed: Duration, is_yours: bool) -> Option<Duration> {
    let left = settings.startup_max_wait.saturating_sub(elapsed);
    if left.is_zero() {
        return None;
    }
    let every = if is_yours { settings.startup_retry_interval * SLOW } else { settings.startup_retry_interval };
    Some(every.min(left))
}

/// How long to wait in the background before attempt `number` (from 1) of an outage. After a start that failed it is the
/// full interval at once; after a loss the first attempts come quickly, because most losses are restarts, and the
/// waits double up to the interval.
pub(crate) fn in_background(settings: &Settings, number: u32, was_normal: bool, is_yours: bool) -> Duration {
    let full = settings.reconnect_interval;
    if is_yours {
        return full * SLOW;
    }
    if !was_normal {
        return full;
    }
    let doubled = 1u32.checked_shl(number.saturating_sub(1)).unwrap_or(u32::MAX);
    settings.startup_retry_interval.saturating_mul(doubled).min(full)
}

/// Spreads a wait by a fifth to either side, so that many processes do not come back at once. `chance` is in 0..1.
pub(crate) fn spread(wait: Duration, chance: f64) -> Duration {
    wait.mul_f64(0.8 + 0.4 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::for_url("postgres://app@db/crm").unwrap()
    }

    #[test]
    fn the_last_attempt_at_start_is_made_when_the_time_is_up() {
        let seconds = Duration::from_secs_f64;
        assert_eq!(at_start(&settings(), seconds(0.2), false), Some(seconds(2.0)));
        assert_eq!(at_start(&settings(), seconds(59.5), false), Some(seconds(0.5)));
        assert_eq!(at_start(&settings(), seconds(60.0), false), None);
        assert_eq!(at_start(&settings(), seconds(1.0), true), Some(seconds(10.0)));
    }

    #[test]
    fn a_loss_is_tried_quickly_and_then_at_the_interval() {
        let waits: Vec<u64> = (1..=6).map(|n| in_background(&settings(), n, true, false).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 30, 30]);
        assert_eq!(in_background(&settings(), 1, false, false).as_secs(), 30);
        assert_eq!(in_background(&settings(), 40, true, false).as_secs(), 30);
        assert_eq!(in_background(&settings(), 1, true, true).as_secs(), 150);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        assert_eq!(spread(Duration::from_secs(30), 0.0).as_secs(), 24);
        assert_eq!(spread(Duration::from_secs(30), 1.0).as_secs(), 36);
    }
}
