//! Who undoes a repair again and again has a reason, or a script. The loop then steps back instead of fighting.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// What was repaired: a container's name, and the network or the start.
pub(super) type Key = (String, String);

/// So many repairs of one thing within [`WINDOW`] are a fight. A person who tears at a network by hand is slower.
const REPAIRS: usize = 20;
const WINDOW: Duration = Duration::from_secs(10);
/// After so long without trouble, everything is forgiven.
const CALM: Duration = Duration::from_secs(120);
const LONGEST_FIGHT: Duration = Duration::from_secs(30);
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

#[derive(Default)]
pub(super) struct Fights {
    fights: BTreeMap<Key, Fight>,
}

#[derive(Default)]
struct Fight {
    repairs: VecDeque<Instant>,
    /// How often the loop stepped back; each time twice as long.
    rounds: u32,
    failures: u32,
    until: Option<Instant>,
    last: Option<Instant>,
}

impl Fights {
    /// The containers that are left alone now, and until when.
    pub(super) fn left_alone(&self, now: Instant) -> BTreeMap<String, Instant> {
        let until = |(key, fight): (&Key, &Fight)| Some((key.0.clone(), fight.until.filter(|until| *until > now)?));
        self.fights.iter().filter_map(until).collect()
    }

    /// Counts a repair; gives how long to step back when it has become a fight.
    pub(super) fn repaired(&mut self, key: Key, now: Instant) -> Option<Duration> {
        let fight = self.fight(key, now);
        fight.failures = 0;
        fight.repairs.push_back(now);
        while fight.repairs.front().is_some_and(|first| now.duration_since(*first) > WINDOW) {
            fight.repairs.pop_front();
        }
        // Undone at once after the loop came back: the same fight goes on.
        let goes_on = fight.until.is_some_and(|until| now.saturating_duration_since(until) < WINDOW);
        if fight.repairs.len() < REPAIRS && !(goes_on && fight.repairs.len() > 1) {
            return None;
        }
        fight.repairs.clear();
        let wait = doubled(Duration::from_secs(1), fight.rounds, LONGEST_FIGHT);
        fight.rounds += 1;
        fight.until = Some(now + wait);
        Some(wait)
    }

    /// Counts a repair that failed; gives when to try again. An event may lead to another try before that.
    pub(super) fn failed(&mut self, key: Key, now: Instant) -> Duration {
        let fight = self.fight(key, now);
        let wait = doubled(FIRST_RETRY, fight.failures, LONGEST_RETRY);
        fight.failures += 1;
        wait
    }

    fn fight(&mut self, key: Key, now: Instant) -> &mut Fight {
        let old = |fight: &Fight| {
            let quiet_since = fight.until.max(fight.last);
            quiet_since.is_none_or(|quiet_since| now.saturating_duration_since(quiet_since) > CALM)
        };
        self.fights.retain(|_, fight| !old(fight));
        let fight = self.fights.entry(key).or_default();
        fight.last = Some(now);
        fight
    }
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(2u32.saturating_pow(times.min(20))).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        ("nocodb-nocodb-1".into(), "supabase_default".into())
    }

    #[test]
    fn twenty_repairs_in_ten_seconds_are_a_fight_and_each_round_is_twice_as_long() {
        let mut fights = Fights::default();
        let mut now = Instant::now();
        for _ in 0..19 {
            assert_eq!(fights.repaired(key(), now), None);
            now += Duration::from_millis(400);
        }
        assert_eq!(fights.repaired(key(), now), Some(Duration::from_secs(1)));
        assert_eq!(fights.left_alone(now).len(), 1);
        now += Duration::from_millis(1001);
        assert!(fights.left_alone(now).is_empty());
        assert_eq!(fights.repaired(key(), now), None, "one try");
        assert_eq!(fights.repaired(key(), now), Some(Duration::from_secs(2)), "undone again at once");
    }

    #[test]
    fn repairs_now_and_then_are_no_fight() {
        let mut fights = Fights::default();
        let mut now = Instant::now();
        for _ in 0..100 {
            assert_eq!(fights.repaired(key(), now), None);
            now += Duration::from_secs(3);
        }
    }

    #[test]
    fn a_repair_that_fails_is_tried_again_ever_more_seldom() {
        let mut fights = Fights::default();
        let now = Instant::now();
        let waits: Vec<u128> = (0..14).map(|_| fights.failed(key(), now).as_millis()).collect();
        assert_eq!((waits[0], waits[1], waits[13]), (200, 400, 300_000));
        assert_eq!(fights.repaired(key(), now), None);
        assert_eq!(fights.failed(key(), now).as_millis(), 200, "a success forgives");
    }
}
