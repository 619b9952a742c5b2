//! Operations and their steps: the intent before, the outcome after, and what to say of those that never ended.

use std::collections::BTreeSet;

use mainstay_model::declared::Attachment;
use mainstay_model::identity::{OperationId, ServiceName, StackName};
use mainstay_model::operation::{Failure, Verdict};
use mainstay_model::plan::{Plan, Step, StepId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::history::{NewEntry, insert};
use super::stacks::{self, json as to_json, parsed, parsed_name};
use super::{EntryKind, Journal, JournalError, KnownStack, NewRelease, now_text, releases};

/// An operation about to be walked.
#[derive(Clone, Debug)]
pub struct Beginning {
    pub operation: OperationId,
    pub plan: Plan,
    pub digest: String,
    /// Who asked, in a few words: "`mainstay up` by root", "the loop".
    pub actor: String,
    /// On the disk before the first act. The loop's repairs do without: an fsync takes longer than the repair.
    pub durable: bool,
    pub entry: Option<NewEntry>,
    /// What there is before a release, when it is one: both are written down, or neither.
    pub release: Option<NewRelease>,
}

/// How a step ended.
#[derive(Clone, Debug)]
pub struct StepEnd {
    pub operation: OperationId,
    pub step: StepId,
    pub outcome: StepOutcome,
    pub detail: Option<String>,
    pub failure: Option<Failure>,
    pub entry: Option<NewEntry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    Done,
    Failed,
    Skipped,
    /// Dropped while it ran, because the operation was cancelled.
    Cancelled,
    /// The process ended in the middle: it may have been done or not.
    Unknown,
}

/// What an operation's end changes in what is known of stacks.
#[derive(Clone, Debug)]
pub enum KnownChange {
    Remember(Box<KnownStack>),
    /// Nothing is held of these services any longer; of none at all when the list is empty.
    Release(StackName, Vec<ServiceName>),
    /// Another stack, which is reached on these networks too now, or no longer: the edge.
    Meet {
        stack: StackName,
        joins: Vec<Attachment>,
        leaves: BTreeSet<String>,
    },
}

/// An operation as it was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationRecord {
    pub id: OperationId,
    pub stack: StackName,
    pub verb: String,
    pub plan: Plan,
    pub digest: String,
    pub started: String,
    /// `None` while it runs.
    pub ended: Option<String>,
    /// `done`, `unchanged`, `failed`, `cancelled`, `interrupted`; `None` while it runs.
    pub verdict: Option<String>,
    pub actor: String,
    /// Those that began or were skipped, by number.
    pub steps: Vec<StepRecord>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    pub step: StepId,
    pub started: String,
    pub ended: Option<String>,
    pub outcome: Option<StepOutcome>,
    pub detail: Option<String>,
    pub failure: Option<Failure>,
}

impl Journal {
    /// Writes down that an operation begins. Nothing is touched before this has succeeded.
    ///
    /// # Errors
    /// When it cannot be written; the operation must not be walked then.
    pub async fn begin(&self, beginning: Beginning) -> Result<(), JournalError> {
        let durable = beginning.durable;
        let beginning = self.cleaned(beginning);
        self.writer.write(durable, move |connection| begin(connection, &beginning)).await.map(drop)
    }

    /// Writes down that an operation decided once more: its plan is from now on the one with the further steps.
    ///
    /// # Errors
    /// When it cannot be written; the further steps must not be walked then.
    pub async fn decided_again(
        &self,
        operation: &OperationId,
        plan: Plan,
        entry: NewEntry,
    ) -> Result<(), JournalError> {
        let operation = operation.clone();
        let entry = self.redactions.clean_entry(entry);
        let job = move |connection: &Connection| {
            let sql = "UPDATE operations SET plan = ?2 WHERE id = ?1";
            connection.prepare_cached(sql)?.execute(params![operation.as_str(), to_json(&plan)])?;
            insert(connection, &entry)
        };
        self.writer.write(true, job).await.map(drop)
    }

    /// The intent: this step is about to be done.
    ///
    /// # Errors
    /// When it cannot be written; the step must not be done then.
    pub async fn step_begins(&self, operation: &OperationId, step: &Step) -> Result<(), JournalError> {
        self.writer.write(false, step_begins(operation, step)).await.map(drop)
    }

    /// As [`Journal::step_begins`], for the loop.
    pub fn post_step_begins(&self, operation: &OperationId, step: &Step) {
        self.writer.post(step_begins(operation, step));
    }

    /// # Errors
    /// When it cannot be written.
    pub async fn step_ends(&self, end: StepEnd) -> Result<(), JournalError> {
        let end = StepEnd {
            detail: end.detail.map(|detail| self.redactions.clean(&detail).into_owned()),
            failure: end.failure.map(|failure| self.redactions.clean_failure(failure)),
            entry: end.entry.map(|entry| self.redactions.clean_entry(entry)),
            ..end
        };
        self.writer.write(false, move |connection| step_ends(connection, &end)).await.map(drop)
    }

    /// Closes an operation, with what it changes in what is known of stacks: together or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn finish(
        &self,
        operation: OperationId,
        verdict: Verdict,
        durable: bool,
        entry: Option<NewEntry>,
        changes: Vec<KnownChange>,
    ) -> Result<(), JournalError> {
        let entry = entry.map(|entry| self.redactions.clean_entry(entry));
        let job = move |connection: &Connection| {
            close(connection, operation.as_str(), verdict_text(verdict))?;
            for change in &changes {
                match change {
                    KnownChange::Remember(known) => stacks::put(connection, known)?,
                    KnownChange::Release(stack, services) => {
                        stacks::let_go(connection, stack, services)?;
                        if services.is_empty() {
                            releases::went_down(connection, stack)?;
                        }
                    }
                    KnownChange::Meet { stack, joins, leaves } => stacks::meet(connection, stack, joins, leaves)?,
                }
            }
            entry.as_ref().map_or(Ok(0), |entry| insert(connection, entry))
        };
        self.writer.write(durable, job).await.map(drop)
    }

    /// As [`Journal::begin`], for the loop: written before any step that is written after it, and not waited for.
    pub fn post_begin(&self, beginning: Beginning) {
        let beginning = self.cleaned(beginning);
        self.writer.post(move |connection| begin(connection, &beginning));
    }

    fn cleaned(&self, beginning: Beginning) -> Beginning {
        Beginning { entry: beginning.entry.map(|entry| self.redactions.clean_entry(entry)), ..beginning }
    }

    /// As [`Journal::finish`], for the loop, which waits for no disk.
    pub fn post_finish(&self, operation: OperationId, verdict: Verdict) {
        self.writer.post(move |connection| close(connection, operation.as_str(), verdict_text(verdict)).map(|()| 0));
    }

    /// Closes an operation whose caller dropped it in the middle. Nobody is there to wait for the answer.
    pub fn abandon(&self, operation: OperationId) {
        self.writer.post(move |connection| {
            interrupt(connection, operation.as_str(), "the one who asked for it went away in the middle")?;
            Ok(0)
        });
    }

    /// # Errors
    /// When the file cannot be read.
    pub fn operation(&self, id: &OperationId) -> Result<Option<OperationRecord>, JournalError> {
        self.read(|connection| recorded(connection, id).optional())
    }
}

/// An operation with its steps.
pub(super) fn recorded(connection: &Connection, id: &OperationId) -> rusqlite::Result<OperationRecord> {
    let sql = "SELECT id, stack, verb, plan, digest, started, ended, verdict, actor FROM operations WHERE id = ?1";
    let mut found = connection.prepare_cached(sql)?.query_row([id.as_str()], operation)?;
    let sql = "SELECT step, started, ended, outcome, detail, failure FROM steps WHERE operation = ?1 ORDER BY step";
    found.steps = connection.prepare_cached(sql)?.query_map([id.as_str()], step)?.collect::<Result<_, _>>()?;
    Ok(found)
}

fn begin(connection: &Connection, beginning: &Beginning) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO operations (id, stack, verb, plan, digest, started, actor)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    connection.prepare_cached(sql)?.execute(params![
        beginning.operation.as_str(),
        beginning.plan.stack.as_str(),
        beginning.plan.verb,
        to_json(&beginning.plan),
        beginning.digest,
        now_text(),
        beginning.actor,
    ])?;
    if let Some(release) = &beginning.release {
        releases::begin(connection, release)?;
    }
    beginning.entry.as_ref().map_or(Ok(0), |entry| insert(connection, entry))
}

fn step_begins(operation: &OperationId, step: &Step) -> impl FnOnce(&Connection) -> rusqlite::Result<i64> + use<> {
    let (operation, number, action) = (operation.clone(), step.id.0, to_json(&step.action));
    move |connection| {
        let sql = "INSERT INTO steps (operation, step, action, started) VALUES (?1, ?2, ?3, ?4)";
        connection.prepare_cached(sql)?.execute(params![operation.as_str(), number, action, now_text()])?;
        Ok(0)
    }
}

fn step_ends(connection: &Connection, end: &StepEnd) -> rusqlite::Result<i64> {
    // A skipped step never began, so there is no row to change. The action of a step stands in the plan as well.
    let sql = "INSERT INTO steps (operation, step, action, started, ended, outcome, detail, failure)
               VALUES (?1, ?2, '', ?3, ?3, ?4, ?5, ?6)
               ON CONFLICT DO UPDATE SET ended = ?3, outcome = ?4, detail = ?5, failure = ?6";
    connection.prepare_cached(sql)?.execute(params![
        end.operation.as_str(),
        end.step.0,
        now_text(),
        outcome_text(end.outcome),
        end.detail,
        end.failure.as_ref().map(to_json),
    ])?;
    end.entry.as_ref().map_or(Ok(0), |entry| insert(connection, entry))
}

fn close(connection: &Connection, operation: &str, verdict: &str) -> rusqlite::Result<()> {
    let sql = "UPDATE operations SET ended = ?2, verdict = ?3 WHERE id = ?1 AND ended IS NULL";
    connection.prepare_cached(sql)?.execute(params![operation, now_text(), verdict])?;
    Ok(())
}

/// Only the owner of the lock opens the file, so an operation that is open now has nobody who walks it.
pub(super) fn close_interrupted(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let open: Vec<String> = transaction
        .prepare("SELECT id FROM operations WHERE ended IS NULL ORDER BY id")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for operation in &open {
        interrupt(&transaction, operation, "the process ended in the middle")?;
    }
    transaction.commit()
}

fn interrupt(connection: &Connection, operation: &str, how: &str) -> rusqlite::Result<()> {
    let found: Option<(String, String, String)> = connection
        .query_row("SELECT stack, verb, started FROM operations WHERE id = ?1 AND ended IS NULL", [operation], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((stack, verb, started)) = found else { return Ok(()) };
    let under_way: Vec<(u32, String)> = connection
        .prepare("SELECT step, action FROM steps WHERE operation = ?1 AND ended IS NULL ORDER BY step")?
        .query_map([operation], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let unknown = outcome_text(StepOutcome::Unknown);
    connection.execute(
        "UPDATE steps SET ended = ?2, outcome = ?3 WHERE operation = ?1 AND ended IS NULL",
        params![operation, now_text(), unknown],
    )?;
    close(connection, operation, "interrupted")?;
    let numbers: Vec<String> = under_way.iter().map(|(step, _)| step.to_string()).collect();
    let where_it_was = match numbers.len() {
        0 => "no step was under way".to_owned(),
        1 => format!("step {} was under way", numbers[0]),
        _ => format!("steps {} were under way", numbers.join(", ")),
    };
    let mut entry = NewEntry::new(
        EntryKind::Operation,
        StackName::new(stack).ok(),
        format!("`{verb}` was interrupted: {how}; {where_it_was}"),
    );
    entry.operation = Some(OperationId(operation.to_owned()));
    let actions: Vec<serde_json::Value> = under_way
        .iter()
        .map(|(step, action)| {
            json!({ "step": step, "action": serde_json::from_str::<serde_json::Value>(action).unwrap_or_default() })
        })
        .collect();
    entry.evidence = json!({ "started": started, "under_way": actions });
    insert(connection, &entry).map(drop)
}

fn operation(row: &Row<'_>) -> rusqlite::Result<OperationRecord> {
    Ok(OperationRecord {
        id: OperationId(row.get(0)?),
        stack: parsed_name(row, 1)?,
        verb: row.get(2)?,
        plan: parsed(row, 3)?,
        digest: row.get(4)?,
        started: row.get(5)?,
        ended: row.get(6)?,
        verdict: row.get(7)?,
        actor: row.get(8)?,
        steps: Vec::new(),
    })
}

fn step(row: &Row<'_>) -> rusqlite::Result<StepRecord> {
    let failure: Option<String> = row.get(5)?;
    Ok(StepRecord {
        step: StepId(row.get(0)?),
        started: row.get(1)?,
        ended: row.get(2)?,
        outcome: row.get::<_, Option<String>>(3)?.map(|text| outcome_of(&text)),
        detail: row.get(4)?,
        failure: failure.map(|_| parsed(row, 5)).transpose()?,
    })
}

pub(crate) fn verdict_text(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Done => "done",
        Verdict::Unchanged => "unchanged",
        Verdict::Failed => "failed",
        Verdict::Cancelled => "cancelled",
    }
}

fn outcome_text(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Done => "done",
        StepOutcome::Failed => "failed",
        StepOutcome::Skipped => "skipped",
        StepOutcome::Cancelled => "cancelled",
        StepOutcome::Unknown => "unknown",
    }
}

fn outcome_of(text: &str) -> StepOutcome {
    match text {
        "done" => StepOutcome::Done,
        "failed" => StepOutcome::Failed,
        "skipped" => StepOutcome::Skipped,
        "cancelled" => StepOutcome::Cancelled,
        _ => StepOutcome::Unknown,
    }
}
