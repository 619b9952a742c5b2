//! How far something is that has one number: bytes with their rate, on one line that is gone when it has ended.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Ui;

/// What is over sooner is not worth a line.
const DELAY: Duration = Duration::from_secs(1);
/// Where there is no terminal, a line comes so often.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// Heard from several tasks.
pub struct Meter {
    ui: Ui,
    began: Instant,
    state: Mutex<State>,
}

struct State {
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Meter {
    pub fn new(ui: &Ui) -> Meter {
        let now = Instant::now();
        Meter { ui: ui.clone(), began: now, state: Mutex::new(State { bar: None, told: now }) }
    }

    /// `text` is what it says now.
    pub fn set(&self, text: impl FnOnce() -> String) {
        if self.ui.quiet || self.began.elapsed() < DELAY {
            return;
        }
        let Ok(mut state) = self.state.lock() else { return };
        if self.ui.err_is_terminal {
            let bar = state.bar.get_or_insert_with(bar);
            bar.set_message(text());
            bar.tick();
        } else if state.told.elapsed() > LINE_EVERY {
            state.told = Instant::now();
            self.ui.talk(&text());
        }
    }

    /// A line that stays, above the one that moves.
    pub fn say(&self, line: &str) {
        let Ok(state) = self.state.lock() else { return };
        match &state.bar {
            Some(bar) => bar.suspend(|| self.ui.talk(line)),
            None => self.ui.talk(line),
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = self.state.lock().ok().and_then(|mut state| state.bar.take()) {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style =
        ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    bar.set_style(style);
    bar
}

/// `3.4 MB`, in steps of a thousand.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut unit = "";
    for next in UNITS {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// `12 MB/s`.
pub fn rate(bytes: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    format!("{}/s", size((bytes as f64 / seconds) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_digits_or_three() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (9_960, "10 kB"),
            (999_600, "1.0 MB"),
            (2_340_000_000, "2.3 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(rate(10_000_000, Duration::from_secs(2)), "5.0 MB/s");
    }
}
