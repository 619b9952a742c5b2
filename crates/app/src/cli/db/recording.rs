//! What is done to a database goes into the history as well, where one is kept.

use std::time::Instant;

use mainstay_engine::journal::{EntryKind, NewEntry, new_operation_id};
use mainstay_engine::pg::PgError;
use mainstay_model::identity::OperationId;
use mainstay_model::postgres::migration::MigrationPlan;
use serde_json::{Value, json};

use super::which::Chosen;
use crate::boot::Boot;
use crate::client::remember;
use crate::ui::show::count;
use crate::ui::since::took;

/// One run of a verb, from its first line of history to its last.
pub struct Recording<'a> {
    boot: &'a Boot,
    chosen: &'a Chosen,
    /// `apply`, `rehearse`, `adopt`, `accept`.
    verb: &'static str,
    operation: OperationId,
    files: Vec<String>,
    /// Of the plan that it is about.
    digest: Option<String>,
    began: Instant,
}

impl<'a> Recording<'a> {
    /// Begins one about these files.
    pub fn new(boot: &'a Boot, chosen: &'a Chosen, verb: &'static str, files: Vec<String>) -> Recording<'a> {
        Recording { boot, chosen, verb, operation: new_operation_id(), files, digest: None, began: Instant::now() }
    }

    /// Remembers which plan it is about.
    pub fn of(self, plan: &MigrationPlan) -> Recording<'a> {
        Recording { digest: Some(plan.digest.clone()), ..self }
    }

    /// Says that it begins, for what may take long or be ended in the middle.
    pub async fn begins(&self) {
        let files = listed(&self.files);
        self.write(format!("`db migrate {}` of {} began: {files}", self.verb, self.database()), Value::Null).await;
    }

    /// Says how it ended. `done` are the files that it has really done, whatever came after them.
    pub async fn ends(&self, done: &[String], failure: Option<&PgError>) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let what = match self.verb {
            "apply" => "applied",
            "rehearse" => "rehearsed",
            "adopt" => "adopted",
            _ => "accepted",
        };
        let did = match (done, failure) {
            // Of a file without a transaction, what ran before its error stays.
            (_, Some(PgError::Statement(told))) if told.done > 0 => {
                let files = if done.is_empty() { "no file".to_owned() } else { listed(done) };
                format!("{what} {files}, and {} of {} before the error", count(told.done, "statement"), told.file)
            }
            ([], _) => format!("nothing was {what}"),
            (some, _) => format!("{what} {}", listed(some)),
        };
        let (verdict, summary) = match failure {
            None => ("done", did),
            Some(PgError::Interrupted { .. }) => ("cancelled", format!("cancelled; {did}")),
            Some(error) => ("failed", format!("failed: {error}; {did}")),
        };
        let causes = failure.map(PgError::causes);
        let facts = json!({ "verdict": verdict, "done": done, "took_ms": ms, "causes": causes });
        let words = format!("`db migrate {}` of {}: {summary} ({})", self.verb, self.database(), took(ms));
        self.write(words, facts).await;
    }

    async fn write(&self, summary: String, mut facts: Value) {
        let name = self.chosen.server.name();
        let of = self.chosen.of.as_ref();
        let mut evidence = json!({
            "actor": format!("`mainstay db migrate {}` by {}", self.verb, self.boot.environment.user()),
            "database": of.map_or(&name.database, |of| &of.database),
            "server": format!("{}:{}", name.host, name.port),
            "ledger": self.chosen.ledger.to_string(),
            "files": self.files,
            "verb": self.verb,
            "digest": self.digest,
        });
        if let (Some(evidence), Some(facts)) = (evidence.as_object_mut(), facts.as_object_mut()) {
            evidence.append(facts);
        }
        let entry = NewEntry {
            service: of.and_then(|of| of.service.as_ref()).map(ToString::to_string),
            subject: of.map_or_else(|| name.database.clone(), |of| of.database.clone()),
            cause: Some(format!("asked for by {}", self.boot.environment.user())),
            operation: Some(self.operation.clone()),
            evidence,
            ..NewEntry::new(EntryKind::Operation, of.map(|of| of.stack.clone()), summary)
        };
        if let Err(problem) = remember::line(self.boot, entry).await {
            let why = std::iter::once(problem.message.as_str()).chain(problem.causes.first().map(String::as_str));
            let why = why.collect::<Vec<_>>().join(": ");
            self.boot.ui.warn(&format!("the history does not have this, only the ledger: {why}"));
        }
    }

    /// `crm`, or where it is when nothing declares it.
    fn database(&self) -> String {
        let name = self.chosen.server.name();
        match &self.chosen.of {
            Some(of) => format!("`{}`", of.database),
            None => format!("`{}` at {}:{}", name.database, name.host, name.port),
        }
    }
}

/// All of a few, the first and the last of many.
fn listed(files: &[String]) -> String {
    match files {
        [first, .., last] if files.len() > 5 => format!("{} files from `{first}` to `{last}`", files.len()),
        few => few.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join(", "),
    }
}
