//! What was done with a database, in the history of its stack.

use mainstay_engine::journal::{EntryKind, NewEntry};
use mainstay_model::identity::StackName;
use serde_json::json;

use super::shelf::Shelf;
use crate::boot::Boot;
use crate::client::remember;

/// Writes it down. A history that cannot be written undoes nothing of what was done: it is told, and that is all.
pub async fn write(boot: &Boot, shelf: &Shelf, command: &str, sentence: &str) {
    let user = boot.environment.user();
    let stack = shelf.stack.as_deref().and_then(|name| StackName::new(name).ok());
    let entry = NewEntry {
        subject: shelf.name.clone(),
        cause: Some(format!("asked for by {user}")),
        evidence: json!({ "actor": format!("`mainstay {command}` by {user}"), "database": shelf.name }),
        ..NewEntry::new(EntryKind::Operation, stack, sentence.to_owned())
    };
    if let Err(problem) = remember::line(boot, entry).await {
        boot.ui.warn(&format!("it is done, and could not be written into the history: {}", problem.message));
    }
}
