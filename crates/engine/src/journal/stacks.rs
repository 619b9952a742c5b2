//! The stacks that were brought up here.

use std::collections::BTreeSet;

use mainstay_model::declared::Attachment;
use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::plan::HeldService;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Journal, JournalError, KnownStack};

const COLUMNS: &str = "stack, directory, files, env, profiles, requires, held, up_at";

impl Journal {
    /// By name.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn stacks(&self) -> Result<Vec<KnownStack>, JournalError> {
        self.read(all)
    }

    /// # Errors
    /// When the file cannot be read.
    pub fn stack(&self, stack: &StackName) -> Result<Option<KnownStack>, JournalError> {
        self.read(|connection| one(connection, stack))
    }
}

pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<KnownStack>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM stacks ORDER BY stack"))?;
    statement.query_map([], known)?.collect()
}

fn one(connection: &Connection, stack: &StackName) -> rusqlite::Result<Option<KnownStack>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM stacks WHERE stack = ?1"))?;
    statement.query_row([stack.as_str()], known).optional()
}

/// Ends the holding of these services of a stack; of all of them when none is named.
pub(super) fn let_go(connection: &Connection, stack: &StackName, services: &[ServiceName]) -> rusqlite::Result<()> {
    let Some(mut known) = one(connection, stack)? else { return Ok(()) };
    known.held.retain(|held: &HeldService| !services.is_empty() && !services.contains(&held.service));
    put(connection, &known)
}

/// Holds a stack on further networks, and on some no longer. Of one that is not known nothing is held.
pub(super) fn meet(
    connection: &Connection,
    stack: &StackName,
    joins: &[Attachment],
    leaves: &BTreeSet<String>,
) -> rusqlite::Result<()> {
    let Some(mut known) = one(connection, stack)? else { return Ok(()) };
    for held in &mut known.held {
        held.attachments.retain(|at| !leaves.contains(&at.network));
        let new = joins.iter().filter(|join| held.attachments.iter().all(|at| at.network != join.network));
        let new: Vec<Attachment> = new.cloned().collect();
        held.attachments.extend(new);
    }
    put(connection, &known)
}

/// In place of what was known of it.
pub(super) fn put(connection: &Connection, stack: &KnownStack) -> rusqlite::Result<()> {
    let sql = format!("INSERT OR REPLACE INTO stacks ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    connection.prepare_cached(&sql)?.execute(params![
        stack.stack.as_str(),
        stack.directory,
        json(&stack.files),
        stack.env,
        json(&stack.profiles),
        json(&stack.requires),
        json(&stack.held),
        stack.up_at,
    ])?;
    Ok(())
}

fn known(row: &Row<'_>) -> rusqlite::Result<KnownStack> {
    Ok(KnownStack {
        stack: parsed_name(row, 0)?,
        directory: row.get(1)?,
        files: parsed(row, 2)?,
        env: row.get(3)?,
        profiles: parsed(row, 4)?,
        requires: parsed(row, 5)?,
        held: parsed(row, 6)?,
        up_at: row.get(7)?,
    })
}

/// Model values always become JSON; should one not, an empty text fails to be read rather than to be written.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

pub(super) fn parsed<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| unreadable(column, error))
}

pub(super) fn parsed_name(row: &Row<'_>, column: usize) -> rusqlite::Result<StackName> {
    StackName::new(row.get::<_, String>(column)?).map_err(|error| unreadable(column, error))
}

pub(super) fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}
