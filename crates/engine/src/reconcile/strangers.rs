//! What somebody else did to a stack, as a line of history.

use jiff::Timestamp;
use mainstay_model::identity::StackName;
use serde_json::{Value, json};

use crate::docker::{EngineEvent, EventKind};
use crate::journal::{EntryKind, NewEntry, text_of};

/// The line for an event about a stack; `None` for events that tell nothing worth keeping (`exec_start`, `attach`…).
pub(super) fn entry_of(event: &EngineEvent, stack: StackName) -> Option<NewEntry> {
    let (summary, by_somebody) = match event.kind {
        EventKind::Container => container_summary(event)?,
        EventKind::Network => network_summary(event)?,
        _ => return None,
    };
    let mut entry = NewEntry::new(EntryKind::Event, Some(stack), summary);
    entry.at = told_at(event);
    entry.subject.clone_from(&event.name);
    entry.service = event.service.as_ref().map(|service| service.as_str().to_owned());
    entry.cause = by_somebody.then(|| "another client of the engine ordered it".to_owned());
    entry.evidence = evidence_of(event);
    Some(entry)
}

/// When the engine says that it happened.
pub(super) fn told_at(event: &EngineEvent) -> String {
    moment_of(event).map_or_else(crate::journal::now_text, text_of)
}

pub(super) fn moment_of(event: &EngineEvent) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(event.time_nanos)).ok()
}

/// What is kept of an event: no label of the user's, since those may say anything.
pub(super) fn evidence_of(event: &EngineEvent) -> Value {
    const KEPT: [&str; 6] = ["exitCode", "signal", "image", "oldName", "execDuration", "type"];
    let kept = KEPT.iter().filter_map(|key| Some(((*key).to_owned(), json!(event.attributes.get(*key)?))));
    let attributes: serde_json::Map<String, Value> = kept.collect();
    json!({
        "action": event.action,
        "id": event.actor_id,
        "name": event.name,
        "container": event.container_id,
        "time_nanos": event.time_nanos,
        "attributes": attributes,
    })
}

/// The sentence, and whether only a client of the engine can have caused it.
fn container_summary(event: &EngineEvent) -> Option<(String, bool)> {
    let name = &event.name;
    let told = |words: &str, by_somebody| Some((format!("`{name}` {words}"), by_somebody));
    match event.action.as_str() {
        "create" => told("was created", true),
        "start" => told("started", false),
        "restart" => told("was restarted", true),
        "stop" => told("was stopped", true),
        "pause" => told("was paused", true),
        "unpause" => told("was resumed", true),
        "destroy" => told("was removed", true),
        "oom" => told("ran out of memory", false),
        "update" => told("was changed (limits or restart policy)", true),
        "kill" => {
            let signal = event.attributes.get("signal").map_or("?", String::as_str);
            told(&format!("was sent signal {signal}"), true)
        }
        "die" => {
            let code = event.attributes.get("exitCode").map_or("?", String::as_str);
            told(&format!("ended with exit code {code}"), false)
        }
        "rename" => {
            let old = event.attributes.get("oldName").map_or("?", |name| name.trim_start_matches('/'));
            Some((format!("`{old}` was renamed to `{name}`"), true))
        }
        "health_status: unhealthy" => told("became unhealthy", false),
        "health_status: healthy" => told("became healthy", false),
        _ => None,
    }
}

fn network_summary(event: &EngineEvent) -> Option<(String, bool)> {
    let name = &event.name;
    match event.action.as_str() {
        "create" => Some((format!("the network `{name}` was made"), true)),
        "destroy" => Some((format!("the network `{name}` was removed"), true)),
        // Joining and leaving also come with every start and stop; the repair tells of those that matter.
        _ => None,
    }
}
