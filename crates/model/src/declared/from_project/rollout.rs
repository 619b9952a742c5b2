//! `x-mainstay.rollout` of a service.

use super::place::Place;
use super::routes::only;
use crate::declared::{Rollout, Strategy};

const WORDS: &[&str] = &["strategy", "stable", "drain"];
const NANOS_IN_A_MILLI: u64 = 1_000_000;
const NANOS_IN_A_SECOND: u64 = 1_000_000_000;

pub(super) fn rollout(place: &Place) -> Rollout {
    only(place, WORDS);
    Rollout {
        strategy: place.child("strategy").and_then(|strategy| named(&strategy)),
        stable_ms: place.nanos("stable").map(|nanos| nanos / NANOS_IN_A_MILLI),
        drain_secs: place.nanos("drain").map(|nanos| nanos.div_ceil(NANOS_IN_A_SECOND)),
    }
}

fn named(place: &Place) -> Option<Strategy> {
    match place.as_text()?.as_str() {
        "rolling" => Some(Strategy::Rolling),
        "stop-first" => Some(Strategy::StopFirst),
        _ => {
            place.refuse("must be `rolling` (the old container serves until the new one is proven) or `stop-first`");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{declared, refused, web_project};
    use super::*;

    fn keys(words: &str) -> String {
        web_project(&format!(r#""x-mainstay": {{"rollout": {words}}}"#))
    }

    #[test]
    fn a_rollout_says_how_long_a_container_has_to_stay_good_and_to_finish() {
        let service = declared(&keys(r#"{"strategy": "rolling", "stable": "2500ms", "drain": "1m"}"#)).services;
        let rollout = service.into_values().next().expect("a service").rollout;
        let wanted = Rollout { strategy: Some(Strategy::Rolling), stable_ms: Some(2500), drain_secs: Some(60) };
        assert_eq!(rollout, wanted);
    }

    #[test]
    fn another_strategy_is_refused_with_those_that_there_are() {
        assert!(refused(&keys(r#"{"strategy": "blue-green"}"#)).concat().contains("`rolling`"));
        assert!(refused(&keys(r#"{"stabel": "5s"}"#)).concat().contains("did you mean `stable`?"));
    }
}
