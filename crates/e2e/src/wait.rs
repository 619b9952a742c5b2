//! Waiting for the world without guessing how long it takes.

use std::thread;
use std::time::{Duration, Instant};

/// Asks again and again until the answer is there; panics with the sentence when it does not come in time.
#[track_caller]
pub fn eventually<T>(sentence: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {sentence}");
        // The interval is how often a test looks, not how long it hopes.
        thread::sleep(Duration::from_millis(20));
    }
}
