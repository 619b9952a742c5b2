//! The ledger in the database: read, made, completed, written.

use std::collections::BTreeMap;

use mainstay_model::postgres::migration::{LedgerName, LedgerRow};
use standing_pool::tokio_postgres::error::SqlState;
use standing_pool::tokio_postgres::{Client, Error};

use super::error::PgError;
use super::session::literal;

/// The columns of a ledger beside its key.
const COLUMNS: &[(&str, &str)] =
    &[("applied_at", "timestamptz NOT NULL DEFAULT now()"), ("sha256", "text"), ("notes", "text")];

/// The columns that the table has, with their types; none when there is no such table.
async fn columns(client: &Client, ledger: &LedgerName) -> Result<BTreeMap<String, String>, PgError> {
    // Asked of the catalogue: what `information_schema` does not show may be there all the same.
    let sql = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a \
               JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped";
    let rows =
        client.query(sql, &[&ledger.schema, &ledger.table]).await.map_err(PgError::lost("reading the ledger"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Every row, in the order in which they were written. A ledger that is not there is empty; one that lacks columns is read as far as it goes.
pub(super) async fn read(client: &Client, ledger: &LedgerName) -> Result<Vec<LedgerRow>, PgError> {
    let columns = columns(client, ledger).await?;
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    must_be_one(ledger, &columns)?;
    let part = |name: &str| if columns.contains_key(name) { name.to_owned() } else { "NULL".to_owned() };
    let sql = format!(
        "SELECT filename::text, coalesce(to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), ''), \
         {}::text, {}::text FROM {} ORDER BY {}, filename",
        match columns.get("applied_at").map(String::as_str) {
            Some("timestamp without time zone") => "applied_at AT TIME ZONE 'UTC'".to_owned(),
            Some(_) => "applied_at::timestamptz".to_owned(),
            None => "NULL::timestamptz".to_owned(),
        },
        part("sha256"),
        part("notes"),
        ledger.quoted(),
        if columns.contains_key("applied_at") { "applied_at" } else { "1" }
    );
    let rows = client.query(&sql, &[]).await.map_err(PgError::lost("reading the ledger"))?;
    let row = |row: &standing_pool::tokio_postgres::Row| LedgerRow {
        filename: row.get(0),
        applied_at: row.get(1),
        sha256: row.get::<_, Option<String>>(2).filter(|hash| !hash.trim().is_empty()),
        notes: row.get(3),
    };
    Ok(rows.iter().map(row).collect())
}

/// Makes the ledger where there is none, and gives it the columns that it lacks. Another runner may do the same now.
pub(super) async fn make(client: &Client, ledger: &LedgerName) -> Result<(), PgError> {
    let found = columns(client, ledger).await?;
    if found.is_empty() {
        let schema = ledger.schema.replace('"', "\"\"");
        let has_schema = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)";
        let row = client.query_one(has_schema, &[&ledger.schema]).await.map_err(PgError::lost("reading the ledger"))?;
        if !row.get::<_, bool>(0) {
            by_whoever(client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"")).await)?;
        }
        let rest: Vec<String> = COLUMNS.iter().map(|(name, sort)| format!("{name} {sort}")).collect();
        let sql =
            format!("CREATE TABLE IF NOT EXISTS {} (filename text PRIMARY KEY, {})", ledger.quoted(), rest.join(", "));
        return by_whoever(client.batch_execute(&sql).await);
    }
    must_be_one(ledger, &found)?;
    for (name, sort) in COLUMNS.iter().filter(|(name, _)| !found.contains_key(*name)) {
        let sql = format!("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {name} {sort}", ledger.quoted());
        by_whoever(client.batch_execute(&sql).await)?;
    }
    Ok(())
}

/// `IF NOT EXISTS` looks before it makes, and two may look at the same time: then one gets a violation of the
/// catalogue's keys, and what it wanted is there.
fn by_whoever(made: Result<(), Error>) -> Result<(), PgError> {
    match made {
        Err(error) => match error.code() {
            Some(
                &(SqlState::UNIQUE_VIOLATION
                | SqlState::DUPLICATE_TABLE
                | SqlState::DUPLICATE_COLUMN
                | SqlState::DUPLICATE_SCHEMA),
            ) => Ok(()),
            _ => Err(PgError::lost("making the ledger")(error)),
        },
        Ok(()) => Ok(()),
    }
}

fn must_be_one(ledger: &LedgerName, columns: &BTreeMap<String, String>) -> Result<(), PgError> {
    if columns.contains_key("filename") {
        return Ok(());
    }
    let names: Vec<&str> = columns.keys().map(String::as_str).collect();
    let problem = format!("it has no column `filename`; it has `{}`", names.join("`, `"));
    Err(PgError::NotALedger { ledger: ledger.clone(), problem })
}

/// The statement that writes a row, or anew over one without a hash.
pub(super) fn insert(ledger: &LedgerName, file: &str, sha256: &str, notes: &str) -> String {
    format!(
        "INSERT INTO {} (filename, sha256, notes) VALUES ({}, {}, {})",
        ledger.quoted(),
        literal(file),
        literal(sha256),
        literal(notes)
    )
}

/// How far files without a transaction have come: the hashes of the statements that ran, in their order.
pub(super) async fn attempts(client: &Client, ledger: &LedgerName) -> Result<BTreeMap<String, Vec<String>>, PgError> {
    let table = ledger.attempts();
    if columns(client, &table).await?.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = format!("SELECT filename, sha256 FROM {} ORDER BY filename, position", table.quoted());
    let rows = client.query(&sql, &[]).await.map_err(PgError::lost("reading the attempts"))?;
    let mut attempts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        attempts.entry(row.get(0)).or_default().push(row.get(1));
    }
    Ok(attempts)
}

/// Makes the table of attempts, which is there only once a file needs it.
pub(super) async fn make_attempts(client: &Client, ledger: &LedgerName) -> Result<(), PgError> {
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS {} (filename text NOT NULL, position integer NOT NULL, sha256 text NOT NULL, \
         ran_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (filename, position))",
        ledger.attempts().quoted()
    );
    by_whoever(client.batch_execute(&sql).await)
}
