//! Releases: what each `up` that made something made, and which end it came to.

use mainstay_model::declared::Promoted;
use mainstay_model::identity::{OperationId, ServiceName, StackName};
use mainstay_model::plan::SettleOrder;
use mainstay_model::postgres::migration::SchemaLevel;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::stacks::{self, json, parsed, parsed_name};
use super::{Journal, JournalError, KnownStack, Logged, now_text, phases};

/// A release about to begin.
#[derive(Clone, Debug)]
pub struct NewRelease {
    pub operation: OperationId,
    pub stack: StackName,
    pub actor: String,
    /// `--env`.
    pub env: Option<String>,
    /// What there was, so that it can be taken back or finished without its files.
    pub before: SettleOrder,
    /// Service to image reference.
    pub images: BTreeMap<String, String>,
    /// What differs, in words, by service.
    pub changes: Vec<String>,
    /// A digest of everything that was declared, values included.
    pub fingerprint: String,
    /// The release that this one goes back to.
    pub back_to: Option<u32>,
    /// Service to the image that was promoted in the place of the one of the files.
    pub promoted: BTreeMap<ServiceName, Promoted>,
    /// By database: how far its migrations are before it, where that is known. Not written down.
    pub schemas: BTreeMap<String, SchemaLevel>,
}

/// A release as it was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Release {
    pub operation: OperationId,
    pub stack: StackName,
    /// Counted from 1 in its stack.
    pub number: u32,
    pub actor: String,
    pub env: Option<String>,
    /// RFC 3339, UTC.
    pub began: String,
    /// `None` while it is under way.
    pub ended: Option<String>,
    pub state: ReleaseState,
    /// Service to image reference.
    pub images: BTreeMap<String, String>,
    /// Service to the engine's id of the image that ran.
    pub image_ids: BTreeMap<String, String>,
    pub changes: Vec<String>,
    pub fingerprint: String,
    pub before: SettleOrder,
    /// The release that this one went back to.
    #[serde(default)]
    pub back_to: Option<u32>,
    /// Service to the image that was promoted in the place of the one of the files; in effect while the release serves.
    #[serde(default)]
    pub promoted: BTreeMap<ServiceName, Promoted>,
    /// By database: how far its migrations were at the end of the release, where that could be seen.
    #[serde(default)]
    pub schemas: BTreeMap<String, SchemaLevel>,
    /// RFC 3339, UTC: the whole stack was taken down, so it serves no longer.
    #[serde(default)]
    pub down_at: Option<String>,
}

/// What a look at the end of a release has seen. What could not be seen is not in it.
#[derive(Clone, Debug, Default)]
pub struct SeenAtEnd {
    /// Service to the engine's id of the image that runs.
    pub image_ids: BTreeMap<String, String>,
    /// By database.
    pub schemas: BTreeMap<String, SchemaLevel>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseState {
    /// Under way, or cut off.
    Begun,
    /// It serves, or did until the next one.
    Committed,
    /// It failed and nothing is left of it.
    Undone,
    /// It failed, and there was nothing before it to go back to.
    Failed,
}

const COLUMNS: &str = "operation, stack, number, actor, env, began, ended, state, images, image_ids, changes, fingerprint, \
                       before, back_to, promoted, down_at, schemas";

/// So many committed releases of a stack can be gone back to.
pub const KEPT: u32 = 20;

impl Journal {
    /// # Errors
    /// When it cannot be written.
    pub async fn release_ends(
        &self,
        operation: &OperationId,
        state: ReleaseState,
        seen: SeenAtEnd,
        remembered: Option<KnownStack>,
    ) -> Result<(), JournalError> {
        let operation = operation.clone();
        let job = move |connection: &Connection| {
            if let Some(known) = &remembered {
                stacks::put(connection, known)?;
            }
            let sql = "UPDATE releases SET state = ?2, ended = ?3, image_ids = ?4, schemas = ?5 WHERE operation = ?1";
            connection.prepare_cached(sql)?.execute(params![
                operation.as_str(),
                text_of(state),
                now_text(),
                json(&seen.image_ids),
                json(&seen.schemas)
            ])?;
            Ok(0)
        };
        self.writer.write(true, job).await.map(drop)
    }

    /// The newest so many releases of a stack, or of all, newest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn releases(&self, stack: Option<&StackName>, limit: u32) -> Result<Vec<Release>, JournalError> {
        self.read(|connection| of(connection, stack, limit))
    }

    /// Releases that neither were committed nor failed: their process was ended in the middle. Oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn releases_cut_off(&self) -> Result<Vec<Release>, JournalError> {
        self.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM releases WHERE state = 'begun' ORDER BY began");
            connection.prepare_cached(&sql)?.query_map([], release)?.collect()
        })
    }

    /// The release that is in effect: the newest that was committed, also when its stack was taken down since.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn release_that_serves(&self, stack: &StackName) -> Result<Option<Release>, JournalError> {
        self.read(|connection| that_serves(connection, stack))
    }

    /// Those of a stack whose declarations are kept: the newest that were committed, and any that is not at its end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn releases_to_keep(&self, stack: &StackName) -> Result<BTreeSet<OperationId>, JournalError> {
        self.read(|connection| {
            let sql = "SELECT operation FROM releases WHERE stack = ?1 AND (state = 'begun' OR operation IN
                       (SELECT operation FROM releases WHERE stack = ?1 AND state = 'committed'
                        ORDER BY number DESC LIMIT ?2))";
            let row = |row: &Row<'_>| row.get(0).map(OperationId);
            connection.prepare_cached(sql)?.query_map(params![stack.as_str(), KEPT], row)?.collect()
        })
    }

    /// As [`Journal::releases`], with the time that each part of them took.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn release_log(&self, stack: Option<&StackName>, limit: u32) -> Result<Vec<Logged>, JournalError> {
        self.read(|connection| phases::log(connection, stack, limit))
    }

    /// # Errors
    /// When the file cannot be read.
    pub fn release(&self, operation: &OperationId) -> Result<Option<Release>, JournalError> {
        self.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM releases WHERE operation = ?1");
            connection.prepare_cached(&sql)?.query_row([operation.as_str()], release).optional()
        })
    }
}

/// Writes down what there is before a release.
pub(super) fn begin(connection: &Connection, release: &NewRelease) -> rusqlite::Result<()> {
    let sql = "INSERT INTO releases (operation, stack, number, actor, env, began, state, images, image_ids,
                                     changes, fingerprint, before, back_to, promoted)
               VALUES (?1, ?2, (SELECT coalesce(max(number), 0) + 1 FROM releases WHERE stack = ?2),
                       ?3, ?4, ?5, 'begun', ?6, '{}', ?7, ?8, ?9, ?10, ?11)";
    connection.prepare_cached(sql)?.execute(params![
        release.operation.as_str(),
        release.stack.as_str(),
        release.actor,
        release.env,
        now_text(),
        json(&release.images),
        json(&release.changes),
        release.fingerprint,
        json(&release.before),
        release.back_to,
        json(&release.promoted),
    ])?;
    Ok(())
}

/// A whole stack was taken down.
pub(super) fn went_down(connection: &Connection, stack: &StackName) -> rusqlite::Result<()> {
    let sql = "UPDATE releases SET down_at = ?2 WHERE stack = ?1 AND state = 'committed' AND down_at IS NULL";
    connection.prepare_cached(sql)?.execute(params![stack.as_str(), now_text()])?;
    Ok(())
}

pub(super) fn that_serves(connection: &Connection, stack: &StackName) -> rusqlite::Result<Option<Release>> {
    let sql =
        format!("SELECT {COLUMNS} FROM releases WHERE stack = ?1 AND state = 'committed' ORDER BY number DESC LIMIT 1");
    connection.prepare_cached(&sql)?.query_row([stack.as_str()], release).optional()
}

pub(super) fn of(connection: &Connection, stack: Option<&StackName>, limit: u32) -> rusqlite::Result<Vec<Release>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM releases WHERE ?1 IS NULL OR stack = ?1 ORDER BY began DESC, number DESC LIMIT ?2"
    );
    connection.prepare_cached(&sql)?.query_map(params![stack.map(StackName::as_str), limit], release)?.collect()
}

fn release(row: &Row<'_>) -> rusqlite::Result<Release> {
    Ok(Release {
        operation: OperationId(row.get(0)?),
        stack: parsed_name(row, 1)?,
        number: row.get(2)?,
        actor: row.get(3)?,
        env: row.get(4)?,
        began: row.get(5)?,
        ended: row.get(6)?,
        state: state_of(&row.get::<_, String>(7)?),
        images: parsed(row, 8)?,
        image_ids: parsed(row, 9)?,
        changes: parsed(row, 10)?,
        fingerprint: row.get(11)?,
        before: parsed(row, 12)?,
        back_to: row.get(13)?,
        promoted: parsed(row, 14)?,
        down_at: row.get(15)?,
        schemas: parsed(row, 16)?,
    })
}

fn text_of(state: ReleaseState) -> &'static str {
    match state {
        ReleaseState::Begun => "begun",
        ReleaseState::Committed => "committed",
        ReleaseState::Undone => "undone",
        ReleaseState::Failed => "failed",
    }
}

fn state_of(text: &str) -> ReleaseState {
    match text {
        "committed" => ReleaseState::Committed,
        "undone" => ReleaseState::Undone,
        "failed" => ReleaseState::Failed,
        _ => ReleaseState::Begun,
    }
}
