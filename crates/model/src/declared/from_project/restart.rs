//! When the engine starts a container again by itself.

use super::place::Place;
use crate::compose::Value;
use crate::compose::schema::suggest;
use crate::declared::container::Restart;

/// `deploy.restart_policy` wins over `restart`, as in Compose; where both stand and differ, that is told.
pub(super) fn read(service: &Place) -> Restart {
    let plain = service.child("restart").and_then(|restart| of_text(&restart));
    let policy = service.child("deploy").and_then(|deploy| deploy.child("restart_policy"));
    let Some((place, policy)) = policy.and_then(|place| of_policy(&place).map(|policy| (place, policy))) else {
        return plain.unwrap_or_default();
    };
    if plain.is_some_and(|plain| plain != policy) {
        place.warn("restart-twice", "wins over the service's `restart`, as in Compose, and they differ");
    }
    policy
}

/// `no`, `always`, `unless-stopped`, `on-failure`, `on-failure:3`.
fn of_text(place: &Place) -> Option<Restart> {
    if let Value::Bool(false) = place.node.value {
        return Some(Restart::No);
    }
    let text = place.as_text()?;
    let (word, times) = text.split_once(':').map_or((text.as_str(), None), |(word, times)| (word, Some(times)));
    let found = match (word, times) {
        ("" | "no" | "none", None) => Some(Restart::No),
        ("always" | "any", None) => Some(Restart::Always),
        ("unless-stopped", None) => Some(Restart::UnlessStopped),
        ("on-failure", None) => Some(Restart::OnFailure { max_retries: 0 }),
        ("on-failure", Some(times)) => times.parse().ok().map(|max_retries| Restart::OnFailure { max_retries }),
        _ => None,
    };
    if found.is_none() {
        const WORDS: &[&str] = &["no", "always", "unless-stopped", "on-failure"];
        let hint = match suggest(word, WORDS.iter().copied()) {
            Some(meant) if times.is_none() => format!("did you mean `{meant}`?"),
            _ => "write `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`".to_owned(),
        };
        place.refuse(format!("is `{text}`, which is no restart policy; {hint}"));
    }
    found
}

fn of_policy(place: &Place) -> Option<Restart> {
    let times: Option<u32> = place.int("max_attempts");
    let found = match place.word("condition").as_deref() {
        None => {
            place.warn(
                "restart-condition",
                "has no `condition`: Compose then restarts nothing, although its specification says `any`; write `condition: any`, or `none`",
            );
            return Some(Restart::No);
        }
        Some("any" | "always") => Restart::Always,
        Some("none" | "no") => Restart::No,
        Some("unless-stopped") => Restart::UnlessStopped,
        Some("on-failure") => return Some(Restart::OnFailure { max_retries: times.unwrap_or(0) }),
        Some(text) => {
            place.refuse(format!("has the condition `{text}`, and it must be `none`, `on-failure` or `any`"));
            return None;
        }
    };
    if times.is_some() {
        place.warn(
            "not-honoured",
            "has `max_attempts`, which is not honoured: the engine counts only with the condition `on-failure`",
        );
    }
    Some(found)
}
