//! Up to when the engine's events were heard, and what we did ourselves since then.

use jiff::Timestamp;
use mainstay_model::identity::StackName;
use mainstay_model::plan::Action;
use rusqlite::{Connection, OptionalExtension, params};

use super::stacks::parsed_name;
use super::{Journal, JournalError, text_of};

/// A step that was begun, and when; for one whose process ended in the middle, until when it was known to be open.
#[derive(Clone, Debug, PartialEq)]
pub struct PastAct {
    pub stack: StackName,
    pub action: Action,
    /// What was remarked about it.
    pub detail: Option<String>,
    pub from: Timestamp,
    /// `None` while it runs.
    pub to: Option<Timestamp>,
}

impl Journal {
    /// The engine's time (nanoseconds since 1970) of the last event that was heard and judged.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn heard(&self) -> Result<Option<i64>, JournalError> {
        self.read(heard)
    }

    /// Notes up to when events were heard; for the loop, which waits for no disk.
    pub fn post_heard(&self, nanos: i64) {
        self.writer.post(move |connection| put(connection, nanos));
    }

    /// The steps that were under way at a moment or later, of whatever process.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn acts_since(&self, nanos: i64) -> Result<Vec<PastAct>, JournalError> {
        let since = text_of(Timestamp::from_nanosecond(nanos.into()).unwrap_or(Timestamp::UNIX_EPOCH));
        self.read(|connection| {
            let sql = "SELECT operations.stack, steps.action, steps.started, steps.ended, steps.detail
                       FROM operations JOIN steps ON steps.operation = operations.id
                       WHERE (operations.ended IS NULL OR operations.ended >= ?1)
                       AND (steps.ended IS NULL OR steps.ended >= ?1)
                       ORDER BY steps.started";
            let mut statement = connection.prepare_cached(sql)?;
            let acts = statement.query_map([since], |row| {
                let time = |text: String| text.parse::<Timestamp>().ok();
                let (stack, action): (_, String) = (parsed_name(row, 0)?, row.get(1)?);
                let (from, to) = (time(row.get(2)?), row.get::<_, Option<String>>(3)?.and_then(time));
                // A step that was skipped has no action.
                let action = serde_json::from_str(&action).ok();
                let detail = row.get(4)?;
                Ok(action.zip(from).map(|(action, from)| PastAct { stack, action, detail, from, to }))
            })?;
            acts.filter_map(Result::transpose).collect()
        })
    }
}

/// Events are heard from the birth of the file on: what others do during the first order is remembered too. A file from
/// before this was kept begins at its newest line.
pub(super) fn begin(connection: &Connection) -> rusqlite::Result<()> {
    if heard(connection)?.is_some() {
        return Ok(());
    }
    let newest = connection.query_row("SELECT at FROM history ORDER BY id DESC LIMIT 1", [], |row| row.get(0));
    let newest: Option<String> = newest.optional()?;
    let from = newest.and_then(|at| at.parse().ok()).unwrap_or_else(Timestamp::now);
    put(connection, i64::try_from(from.as_nanosecond()).unwrap_or_default()).map(drop)
}

fn heard(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached("SELECT nanos FROM heard")?.query_row([], |row| row.get(0)).optional()
}

fn put(connection: &Connection, nanos: i64) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO heard (only, nanos) VALUES (1, ?1)
               ON CONFLICT DO UPDATE SET nanos = max(nanos, excluded.nanos)";
    connection.prepare_cached(sql)?.execute(params![nanos])?;
    Ok(0)
}
