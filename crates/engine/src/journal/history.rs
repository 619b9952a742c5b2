//! Lines of history: written by operations and by the loop, read by `history`, `why` and whoever follows.

use mainstay_model::identity::{OperationId, StackName};
use rusqlite::{Connection, Row, ToSql, params};

use super::stacks::{json, parsed, parsed_name};
use super::{Entry, EntryKind, HistoryFilter, Journal, JournalError, now_text};

/// An entry before it has an id.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// RFC 3339; now, unless something is told later than it happened.
    pub at: String,
    pub stack: Option<StackName>,
    /// What `history --service` asks for; not shown by itself.
    pub service: Option<String>,
    pub subject: String,
    pub kind: EntryKind,
    pub summary: String,
    pub cause: Option<String>,
    pub operation: Option<OperationId>,
    pub evidence: serde_json::Value,
}

impl NewEntry {
    pub fn new(kind: EntryKind, stack: Option<StackName>, summary: impl Into<String>) -> Self {
        NewEntry {
            at: now_text(),
            stack,
            service: None,
            subject: String::new(),
            kind,
            summary: summary.into(),
            cause: None,
            operation: None,
            evidence: serde_json::Value::Null,
        }
    }
}

/// So many entries are kept: enough for months of a busy host, and a file of some tens of megabytes at most.
const KEPT_ENTRIES: i64 = 100_000;
/// So many operations are kept with their plans and steps.
const KEPT_OPERATIONS: i64 = 10_000;

impl Journal {
    /// Newest last.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn history(&self, filter: &HistoryFilter) -> Result<Vec<Entry>, JournalError> {
        self.read(|connection| select(connection, filter))
    }

    /// Writes an entry and gives its id.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn record(&self, entry: NewEntry) -> Result<i64, JournalError> {
        let entry = self.redactions.clean_entry(entry);
        self.writer.write(false, move |connection| insert(connection, &entry)).await
    }

    /// Writes an entry when there is time; for the loop, whose repairs do not wait for a disk.
    pub fn post(&self, entry: NewEntry) {
        let entry = self.redactions.clean_entry(entry);
        self.writer.post(move |connection| insert(connection, &entry));
    }
}

pub(super) fn select(connection: &Connection, filter: &HistoryFilter) -> rusqlite::Result<Vec<Entry>> {
    let mut wheres = vec!["1".to_owned()];
    let mut values: Vec<&dyn ToSql> = Vec::new();
    let stack = filter.stack.as_ref().map(StackName::as_str);
    let operation = filter.operation.as_ref().map(OperationId::as_str);
    if let Some(stack) = &stack {
        values.push(stack);
        wheres.push(format!("stack = ?{}", values.len()));
    }
    // What an order was to do to a service stands in its plan, and what it did later on in its steps.
    let planned =
        filter.service.as_ref().map(|service| format!("\"service\":{}", serde_json::Value::from(service.as_str())));
    if let (Some(service), Some(planned)) = (&filter.service, &planned) {
        values.push(service);
        values.push(planned);
        wheres.push(format!(
            "(service = ?{0} OR subject = ?{0} OR (kind = 'operation' AND (
                EXISTS (SELECT 1 FROM operations WHERE operations.id = history.operation
                        AND instr(operations.plan, ?{1}) > 0)
                OR EXISTS (SELECT 1 FROM history AS step WHERE step.operation = history.operation
                           AND step.kind = 'step' AND (step.service = ?{0} OR step.subject = ?{0})))))",
            values.len() - 1,
            values.len()
        ));
    }
    if let Some(operation) = &operation {
        values.push(operation);
        wheres.push(format!("operation = ?{}", values.len()));
    }
    if let Some(after) = &filter.after {
        values.push(after);
        wheres.push(format!("id > ?{}", values.len()));
    }
    if !filter.steps {
        wheres.push("kind <> 'step'".into());
    }
    let limit = filter.limit.map_or(-1, i64::from);
    values.push(&limit);
    let sql = format!(
        "SELECT id, at, stack, subject, kind, summary, cause, operation, evidence FROM history WHERE {} \
         ORDER BY id DESC LIMIT ?{}",
        wheres.join(" AND "),
        values.len()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut entries: Vec<Entry> = statement.query_map(&values[..], entry)?.collect::<Result<_, _>>()?;
    entries.reverse();
    Ok(entries)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let stack: Option<String> = row.get(2)?;
    Ok(Entry {
        id: row.get(0)?,
        at: row.get(1)?,
        stack: stack.map(|_| parsed_name(row, 2)).transpose()?,
        subject: row.get(3)?,
        kind: kind_of(&row.get::<_, String>(4)?),
        summary: row.get(5)?,
        cause: row.get(6)?,
        operation: row.get::<_, Option<String>>(7)?.map(OperationId),
        evidence: parsed(row, 8)?,
    })
}

pub(super) fn insert(connection: &Connection, entry: &NewEntry) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO history (at, stack, service, subject, kind, summary, cause, operation, evidence)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    statement.execute(params![
        entry.at,
        entry.stack.as_ref().map(StackName::as_str),
        entry.service,
        entry.subject,
        kind_text(entry.kind),
        entry.summary,
        entry.cause,
        entry.operation.as_ref().map(OperationId::as_str),
        json(&entry.evidence),
    ])?;
    let id = connection.last_insert_rowid();
    if id % 5_000 == 0 {
        trim(connection)?;
    }
    Ok(id)
}

/// Lets the oldest go. Open operations stay, and what is known of stacks is not history.
pub(super) fn trim(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM history WHERE id <= (SELECT id FROM history ORDER BY id DESC LIMIT 1 OFFSET ?1)",
        [KEPT_ENTRIES],
    )?;
    connection.execute(
        "DELETE FROM operations WHERE ended IS NOT NULL
         AND id <= (SELECT id FROM operations ORDER BY id DESC LIMIT 1 OFFSET ?1)",
        [KEPT_OPERATIONS],
    )?;
    Ok(())
}

fn kind_text(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Operation => "operation",
        EntryKind::Step => "step",
        EntryKind::Repair => "repair",
        EntryKind::Event => "event",
        EntryKind::Problem => "problem",
    }
}

fn kind_of(text: &str) -> EntryKind {
    match text {
        "operation" => EntryKind::Operation,
        "step" => EntryKind::Step,
        "repair" => EntryKind::Repair,
        "event" => EntryKind::Event,
        // What a newer mainstay may have written is rather shown than hidden.
        _ => EntryKind::Problem,
    }
}
