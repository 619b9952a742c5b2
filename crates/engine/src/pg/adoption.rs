//! Files whose work is there already: many at once, and the ledgers of other tools.

use mainstay_model::postgres::migration::{ForeignRow, LedgerName, MigrationFile, Note, Tool};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::error::PgError;
use super::ledger;
use super::migrator::Migrator;
use super::session::literal;

/// A row that is written without running its file.
#[derive(Clone, Debug)]
pub struct Adopting<'f> {
    pub name: &'f str,
    /// Without one, the row has no hash.
    pub file: Option<&'f MigrationFile>,
    /// When another tool says that it ran.
    pub at: Option<String>,
    /// How it is known, in a few words.
    pub how: String,
}

impl Migrator {
    /// Writes the rows of all of these, or of none; those that are there stay as they are. How many were written.
    ///
    /// # Errors
    /// When the ledger cannot be had or written.
    pub async fn adopt_all(&self, all: &[Adopting<'_>], cancelled: &CancellationToken) -> Result<u64, PgError> {
        let Some(first) = all.first() else { return Ok(0) };
        let (lock, _) = self.locked(first.name, cancelled, |_| {}).await?;
        let client = &lock.session.client;
        ledger::make(client, &self.ledger).await?;
        let values: Vec<String> = all.iter().map(|one| self.row_of(one)).collect();
        let sql = format!(
            "INSERT INTO {} (filename, applied_at, sha256, notes) VALUES {} ON CONFLICT (filename) DO NOTHING",
            self.ledger.quoted(),
            values.join(", ")
        );
        client.execute(&sql, &[]).await.map_err(PgError::lost("writing the ledger"))
    }

    fn row_of(&self, one: &Adopting<'_>) -> String {
        let tokens_sha256 = one.file.map(|file| file.tokens_sha256.clone());
        let note = Note { tokens_sha256, took_ms: None, by: Some(self.by.clone()) };
        format!(
            "({}, {}, {}, {})",
            literal(one.name),
            one.at.as_deref().map_or_else(|| "now()".to_owned(), |at| format!("{}::timestamptz", literal(at))),
            one.file.map_or_else(|| "NULL".to_owned(), |file| literal(&file.sha256)),
            literal(&format!("adopted: {}; {note}", one.how))
        )
    }

    /// The rows of another tool's ledger; nothing when there is no such table.
    ///
    /// # Errors
    /// When the database cannot be asked, or the table is none of that tool.
    pub async fn foreign(&self, tool: Tool, table: &LedgerName) -> Result<Option<Vec<ForeignRow>>, PgError> {
        let session = self.server.open().await?;
        let doing = || PgError::lost("reading the other tool's ledger");
        let there = session.client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table.quoted()]).await;
        if !there.map_err(doing())?.get::<_, bool>(0) {
            return Ok(None);
        }
        // However its columns are called by this version of the tool.
        let sql = format!("SELECT to_jsonb(l)::text FROM {} l", table.quoted());
        let rows = session.client.query(&sql, &[]).await.map_err(doing())?;
        let rows: Vec<Value> = rows.iter().filter_map(|row| serde_json::from_str(row.get(0)).ok()).collect();
        let read = ForeignRow::read_all(tool, &rows);
        read.map(Some).map_err(|problem| PgError::NotALedger { ledger: table.clone(), problem })
    }
}
