//! One file against one database: in a transaction with its row, or statement by statement.

use std::time::Instant;

use mainstay_model::postgres::migration::{LedgerName, MigrationFile, Note, Place, Statement};
use standing_pool::tokio_postgres::error::{DbError, ErrorPosition, SqlState};
use standing_pool::tokio_postgres::{Error, Row, SimpleQueryMessage};

use super::error::{PgError, StatementError};
use super::ledger;
use super::session::{Session, literal};

/// What became of a file.
pub(super) enum Ran {
    Applied {
        took_ms: u64,
    },
    /// Its row was there when the ledger was held: another runner was faster.
    ByAnother,
}

/// One run of one file.
pub(super) struct Single<'r> {
    pub session: &'r Session,
    pub ledger: &'r LedgerName,
    pub file: &'r MigrationFile,
    pub lock_timeout_ms: u64,
    /// For the row.
    pub by: &'r str,
}

impl Single<'_> {
    /// All of it and its row, or nothing.
    pub async fn in_a_transaction(&self) -> Result<Ran, PgError> {
        let began = Instant::now();
        self.session.begin_anew().await?;
        let ran = self.within(began).await;
        // Whatever it was: nothing stays open. A lost connection needs no rollback.
        if ran.is_err() || matches!(ran, Ok(Ran::ByAnother)) {
            let _ = self.session.client.batch_execute("ROLLBACK").await;
        }
        ran
    }

    /// All of it or nothing, and no row.
    pub async fn without_a_row(&self) -> Result<(), PgError> {
        self.session.begin_anew().await?;
        self.session.simple("BEGIN", "beginning a transaction").await?;
        let sql = format!("{};COMMIT", self.file.text);
        match self.session.client.batch_execute(&sql).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let _ = self.session.client.batch_execute("ROLLBACK").await;
                Err(self.failed(&error, None, 0))
            }
        }
    }

    async fn within(&self, began: Instant) -> Result<Ran, PgError> {
        // One question to the server: with a thousand files, each more is a thousand.
        let ledger = self.ledger.quoted();
        let hold = format!(
            "BEGIN; SET LOCAL lock_timeout = {}; LOCK TABLE {ledger} IN SHARE ROW EXCLUSIVE MODE; \
             SELECT txid_current(), EXISTS (SELECT 1 FROM {ledger} WHERE filename = {})",
            self.lock_timeout_ms,
            literal(&self.file.name)
        );
        let held = self.session.client.simple_query(&hold).await.map_err(|error| self.while_holding(&error))?;
        let [before, is_there] = [0, 1].map(|column| value(&held, column));
        if is_there.as_deref() == Some("t") {
            return Ok(Ran::ByAnother);
        }
        self.session.client.batch_execute(&self.file.text).await.map_err(|error| self.failed(&error, None, 0))?;
        if self.transaction().await? != before {
            return Err(PgError::TransactionEnded { file: self.file.name.clone() });
        }
        let took_ms = millis(began);
        // A role that the file took on may not write the ledger.
        let row = format!("RESET SESSION AUTHORIZATION; RESET ROLE; {}; COMMIT", self.row(took_ms));
        self.session.client.batch_execute(&row).await.map_err(|error| self.failed(&error, None, 0))?;
        Ok(Ran::Applied { took_ms })
    }

    /// From the statement after `done` on, each by itself; what ran is remembered beside the ledger.
    pub async fn by_statements(&self, done: usize, mut told: impl FnMut(usize)) -> Result<Ran, PgError> {
        let began = Instant::now();
        self.session.begin_anew().await?;
        if self.is_there().await? {
            return Ok(Ran::ByAnother);
        }
        ledger::make_attempts(&self.session.client, self.ledger).await?;
        let waits = format!("SET lock_timeout = {}", self.lock_timeout_ms);
        for (index, statement) in self.file.statements.iter().enumerate().skip(done) {
            told(index);
            self.session.simple(&waits, "preparing the session").await?;
            let text = statement.text(&self.file.text);
            let ran = self.session.client.batch_execute(text).await;
            ran.map_err(|error| self.failed(&error, Some(statement), index))?;
            self.remember(index, statement).await?;
        }
        if let Some(index) = self.invalid_index().await? {
            return Err(PgError::InvalidIndex { file: self.file.name.clone(), index });
        }
        let took_ms = millis(began);
        let row = format!(
            "RESET SESSION AUTHORIZATION; RESET ROLE; BEGIN; {}; DELETE FROM {} WHERE filename = {}; COMMIT",
            self.row(took_ms),
            self.ledger.attempts().quoted(),
            literal(&self.file.name)
        );
        self.session.simple(&row, "writing the ledger").await?;
        Ok(Ran::Applied { took_ms })
    }

    /// Drops the invalid indexes that the file is about to make, and says which.
    pub async fn drop_invalid(&self) -> Result<Vec<String>, PgError> {
        let mut dropped = Vec::new();
        while let Some(index) = self.invalid_index().await? {
            if dropped.contains(&index) {
                break;
            }
            self.session.simple(&format!("DROP INDEX CONCURRENTLY {index}"), "dropping an invalid index").await?;
            dropped.push(index);
        }
        Ok(dropped)
    }

    /// An index that the file names, and that is there without being usable.
    pub async fn invalid_index(&self) -> Result<Option<String>, PgError> {
        let sql = "SELECT c.relname::text, format('%I.%I', n.nspname, c.relname) FROM pg_index i \
                   JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE NOT i.indisvalid AND n.nspname NOT IN ('pg_catalog', 'pg_toast') ORDER BY 2";
        let rows = self.session.client.query(sql, &[]).await.map_err(PgError::lost("looking for invalid indexes"))?;
        Ok(rows.iter().find(|row| self.names(row.get(0))).map(|row: &Row| row.get(1)))
    }

    fn names(&self, index: &str) -> bool {
        let quoted = format!("\"{}\"", index.replace('"', "\"\""));
        let in_capitals = index.to_uppercase();
        self.file.statements.iter().any(|statement| {
            statement.words.iter().any(|word| *word == quoted || *word == in_capitals && index == index.to_lowercase())
        })
    }

    async fn is_there(&self) -> Result<bool, PgError> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {} WHERE filename = $1)", self.ledger.quoted());
        let row = self.session.client.query_one(&sql, &[&self.file.name]).await;
        Ok(row.map_err(PgError::lost("reading the ledger"))?.get(0))
    }

    async fn transaction(&self) -> Result<Option<String>, PgError> {
        let told = self.session.client.simple_query("SELECT txid_current()").await;
        Ok(value(&told.map_err(PgError::lost("asking for the transaction"))?, 0))
    }

    async fn remember(&self, index: usize, statement: &Statement) -> Result<(), PgError> {
        let sql = format!(
            "INSERT INTO {} (filename, position, sha256) VALUES ({}, {index}, {})",
            self.ledger.attempts().quoted(),
            literal(&self.file.name),
            literal(&self.file.hash_of(statement))
        );
        self.session.simple(&sql, "remembering a statement that ran").await
    }

    fn row(&self, took_ms: u64) -> String {
        let note = Note {
            tokens_sha256: Some(self.file.tokens_sha256.clone()),
            took_ms: Some(took_ms),
            by: Some(self.by.to_owned()),
        };
        ledger::insert(self.ledger, &self.file.name, &self.file.sha256, &note.to_string())
    }

    fn while_holding(&self, error: &Error) -> PgError {
        match error.as_db_error() {
            Some(_) => self.failed(error, None, 0),
            None => PgError::Lost {
                doing: "taking hold of the ledger".into(),
                failure: Box::new(standing_pool::Failure::of(error)),
            },
        }
    }

    /// An error of a statement; `statement` is the one that was sent, none when the whole file was.
    fn failed(&self, error: &Error, statement: Option<&Statement>, done: usize) -> PgError {
        let Some(told) = error.as_db_error() else {
            let doing = format!("{} ran", self.file.name);
            return PgError::Lost { doing, failure: Box::new(standing_pool::Failure::of(error)) };
        };
        if *told.code() == SqlState::QUERY_CANCELED && told.message().contains("user request") {
            return PgError::Interrupted { file: self.file.name.clone() };
        }
        let (place, first_line, text) = self.where_it_stands(told, statement);
        PgError::Statement(Box::new(StatementError {
            file: self.file.name.clone(),
            place,
            message: told.message().to_owned(),
            sqlstate: told.code().code().to_owned(),
            detail: told.detail().map(str::to_owned),
            hint: told.hint().map(str::to_owned),
            context: told.where_().map(str::to_owned),
            statement: text,
            first_line,
            done,
        }))
    }

    fn where_it_stands(&self, told: &DbError, sent: Option<&Statement>) -> (Place, u32, String) {
        let text = &self.file.text;
        let position = match told.position() {
            Some(ErrorPosition::Original(position)) => Some(*position),
            // In a body that the statement called: the context tells more.
            _ => None,
        };
        match (sent, position) {
            (Some(statement), Some(position)) => {
                let characters = text[..statement.range.start].chars().count();
                let position = position.saturating_add(u32::try_from(characters).unwrap_or(u32::MAX));
                (Place::of_character(text, position), statement.place.line, statement.text(text).to_owned())
            }
            (Some(statement), None) => (statement.place, statement.place.line, statement.text(text).to_owned()),
            (None, Some(position)) => {
                let statement = self.file.statement_at(position).or(self.file.statements.last());
                let whole = statement.map(|statement| statement.text(text).to_owned());
                let first = statement.map_or(1, |statement| statement.place.line);
                (Place::of_character(text, position), first, whole.unwrap_or_default())
            }
            (None, None) => (Place { line: 1, column: 1 }, 1, String::new()),
        }
    }
}

/// Of the one row among the answers to several statements.
fn value(answers: &[SimpleQueryMessage], column: usize) -> Option<String> {
    answers.iter().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => row.get(column).map(str::to_owned),
        _ => None,
    })
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
