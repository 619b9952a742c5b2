//! One file against one database: in a transaction with its row, or statement by statement.

use std::pin::pin;
use std::time::Instant;

use futures_util::StreamExt;
use mainstay_model::postgres::migration::{LedgerName, MigrationFile, Note, Place, Statement};
use standing_pool::tokio_postgres::error::{DbError, ErrorPosition, SqlState};
use standing_pool::tokio_postgres::{Error, Row, SimpleQueryMessage};

use super::error::{PgError, StatementError};
use super::ledger;
use super::onlooker::Onlooker;
use super::session::{Session, literal};

/// What became of a file.
pub(super) enum Ran {
    Applied {
        took_ms: u64,
    },
    /// Its row was there when the ledger was held: another runner was faster.
    ByAnother,
}

/// Why a statement did not come to its end.
enum Broken {
    Statement(Error),
    Other(PgError),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Broken::Statement(error)
    }
}

impl From<PgError> for Broken {
    fn from(error: PgError) -> Self {
        Broken::Other(error)
    }
}

/// One run of one file.
pub(super) struct Single<'r> {
    pub session: &'r Session,
    pub ledger: &'r LedgerName,
    pub file: &'r MigrationFile,
    pub lock_timeout_ms: u64,
    /// For the row.
    pub by: &'r str,
    /// Who looks on at every statement.
    pub onlooker: Option<&'r Onlooker>,
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
        match self.whole(&sql).await {
            Ok(()) => Ok(()),
            Err((error, at)) => {
                let _ = self.session.client.batch_execute("ROLLBACK").await;
                Err(self.failed_in_whole(&error, at))
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
        self.run_all().await?;
        if self.transaction().await? != before {
            return Err(PgError::TransactionEnded { file: self.file.name.clone() });
        }
        let took_ms = millis(began);
        // A role that the file took on may not write the ledger.
        let row = format!("RESET SESSION AUTHORIZATION; RESET ROLE; {}; COMMIT", self.row(took_ms));
        let committing = Instant::now();
        let committed = self.session.client.batch_execute(&row).await;
        if let Some(onlooker) = self.onlooker {
            onlooker.transaction_ended(committing.elapsed());
        }
        committed.map_err(|error| self.failed(&error, None, 0))?;
        if let Some(onlooker) = self.onlooker {
            onlooker.ended().await?;
        }
        Ok(Ran::Applied { took_ms })
    }

    /// All statements of the file, inside a transaction: in one go, or one by one where somebody looks on.
    async fn run_all(&self) -> Result<(), PgError> {
        let Some(onlooker) = self.onlooker else {
            return self.whole(&self.file.text).await.map_err(|(error, at)| self.failed_in_whole(&error, at));
        };
        let pid = self.session.pid().await?;
        onlooker.begins(self.file).await?;
        // What the parser does not understand may be split wrongly.
        if self.file.statements.iter().any(|statement| !statement.is_understood) {
            let began = Instant::now();
            let ran = self.whole(&self.file.text).await;
            return match ran {
                Ok(()) => onlooker.saw(pid, 1, self.file.statements.len(), began.elapsed()).await,
                Err((error, at)) => {
                    onlooker.transaction_ended(began.elapsed());
                    Err(self.failed_in_whole(&error, at))
                }
            };
        }
        for statement in &self.file.statements {
            self.looked_on(onlooker, pid, statement).await.map_err(|broken| self.told(broken, statement, 0))?;
        }
        Ok(())
    }

    /// The text of the file in one go; with an error, how many statements of it had come to their end.
    async fn whole(&self, text: &str) -> Result<(), (Error, usize)> {
        let mut ended = 0;
        let answers = self.session.client.simple_query_raw(text).await.map_err(|error| (error, 0))?;
        let mut answers = pin!(answers);
        while let Some(answer) = answers.next().await {
            if let SimpleQueryMessage::CommandComplete(_) = answer.map_err(|error| (error, ended))? {
                ended += 1;
            }
        }
        Ok(())
    }

    /// The server says where in a text an error of the grammar is, and of one that comes while it runs nothing: that is
    /// of the statement after those that have ended, where all of them were told apart.
    fn failed_in_whole(&self, error: &Error, ended: usize) -> PgError {
        let has_place = error.as_db_error().is_some_and(|told| told.position().is_some());
        let statements = &self.file.statements;
        let are_known = statements.iter().all(|statement| statement.is_understood);
        let statement = if has_place || !are_known { None } else { statements.get(ended) };
        self.failed(error, statement, 0)
    }

    /// One statement of a transaction that stays open.
    async fn looked_on(&self, onlooker: &Onlooker, pid: i32, statement: &Statement) -> Result<(), Broken> {
        let began = Instant::now();
        let ran = self.session.client.batch_execute(statement.text(&self.file.text)).await;
        match ran {
            Ok(()) => Ok(onlooker.saw(pid, statement.place.line, 1, began.elapsed()).await?),
            Err(error) => {
                onlooker.transaction_ended(began.elapsed());
                Err(Broken::Statement(error))
            }
        }
    }

    /// One statement that is its own transaction. Where somebody looks on, one is made around it, if it may stand in one.
    async fn by_itself(&self, statement: &Statement) -> Result<(), Broken> {
        let text = statement.text(&self.file.text);
        let client = &self.session.client;
        let Some(onlooker) = self.onlooker else { return Ok(client.batch_execute(text).await?) };
        let began = Instant::now();
        if statement.outside_transactions().is_some() || statement.begins(&["CALL"]) || statement.begins(&["DO"]) {
            client.batch_execute(text).await?;
            onlooker.could_not_see(statement.place.line, began.elapsed());
            return Ok(());
        }
        let pid = self.session.pid().await?;
        client.batch_execute("BEGIN").await?;
        let ran = self.looked_on(onlooker, pid, statement).await;
        let committing = Instant::now();
        client.batch_execute(if ran.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
        if ran.is_ok() {
            onlooker.transaction_ended(committing.elapsed());
        }
        ran
    }

    fn told(&self, broken: Broken, statement: &Statement, done: usize) -> PgError {
        match broken {
            Broken::Statement(error) => self.failed(&error, Some(statement), done),
            Broken::Other(error) => error,
        }
    }

    /// From the statement after `done` on, each by itself; what ran is remembered beside the ledger.
    pub async fn by_statements(&self, done: usize, mut told: impl FnMut(usize)) -> Result<Ran, PgError> {
        let began = Instant::now();
        self.session.begin_anew().await?;
        if self.is_there().await? {
            return Ok(Ran::ByAnother);
        }
        ledger::make_attempts(&self.session.client, self.ledger).await?;
        if let Some(onlooker) = self.onlooker {
            onlooker.begins(self.file).await?;
        }
        let waits = format!("SET lock_timeout = {}", self.lock_timeout_ms);
        for (index, statement) in self.file.statements.iter().enumerate().skip(done) {
            told(index);
            self.session.simple(&waits, "preparing the session").await?;
            self.by_itself(statement).await.map_err(|broken| self.told(broken, statement, index))?;
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
        if let Some(onlooker) = self.onlooker {
            onlooker.ended().await?;
        }
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
