//! Whether the schema that a service was written for is there: asked of the catalogue, cheaply, and answered with the file
//! that brings what is not.
//!
//! What is needed stands in a file that `mainstay db drift --write-expectation` writes at build time, out of the
//! migrations themselves. The question is one query over `pg_catalog`, restricted to the names in that file. It takes no
//! lock on any table, so a migration that holds one does not hold up readiness. The ledger of migrations is not
//! believed, for it can say that a file ran whose work is gone; it is only asked whether the database is ahead.
//!
//! ```no_run
//! use std::{sync::Arc, time::Duration};
//! use standing_pool::{Health, Settings, StandingPool, schema::Expectation};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = StandingPool::open(&Settings::from_env()?);
//! let health = Health::new().with_pool("database", &pool);
//! # let text = "{}";
//! let schema = Arc::new(Expectation::from_json(text)?); // include_str!("../schema.json")
//! health.watch("schema", &pool, Duration::from_secs(30), move |db| {
//!     let schema = schema.clone();
//!     Box::pin(async move { schema.look(db).await })
//! });
//! # Ok(()) }
//! ```

mod expectation;
mod judge;
mod seen;

use tokio_postgres::{Client, Error, Row};

pub use expectation::{Brought, Column, Enum, Expectation, ExpectationError, Relation};
pub use judge::{Gravity, Shortfall};

use crate::health::{Condition, SchemaBehind};
use crate::lease::Lease;

impl Expectation {
    /// Looks with a connection of a pool, and says how the component `schema` stands.
    ///
    /// # Errors
    /// When the server does not answer; then nothing is known.
    pub async fn look(&self, db: &mut Lease) -> Result<Condition, Error> {
        let (relations, enums) = self.names();
        let rows = db.query(seen::QUESTION, &[&relations, &enums, &self.privileges(), &self.ledger]).await?;
        let shortfalls = self.judge(&rows);
        if let Some(worst) = shortfalls.first().filter(|one| one.gravity >= Gravity::NotReady) {
            return Ok(worst.condition(&self.command));
        }
        let ahead: Vec<String> = if seen::has_ledger(&rows) {
            let rows = db.query(&self.ledger_question(), &[&self.files]).await;
            rows.map(|rows| rows.iter().map(|row| row.get(0)).collect()).unwrap_or_default()
        } else {
            Vec::new()
        };
        Ok(match (ahead.as_slice(), shortfalls.first()) {
            ([], None) => Condition::Ready,
            ([], Some(first)) => Condition::Note(first.to_string()),
            ([.., last], _) => Condition::Note(format!(
                "the database is ahead: {} of its migrations are newer than this version, the last one {last}",
                ahead.len()
            )),
        })
    }

    /// Everything that is not as expected, the worst first.
    ///
    /// # Errors
    /// As [`look`](Self::look).
    pub async fn ask(&self, client: &Client) -> Result<Vec<Shortfall>, Error> {
        let (relations, enums) = self.names();
        let rows = client.query(seen::QUESTION, &[&relations, &enums, &self.privileges(), &self.ledger]).await?;
        Ok(self.judge(&rows))
    }

    fn judge(&self, rows: &[Row]) -> Vec<Shortfall> {
        judge::judge(self, &seen::read(rows))
    }

    fn ledger_question(&self) -> String {
        let quoted = |part: &str| format!("\"{}\"", part.replace('"', "\"\""));
        let (schema, table) = self.ledger.split_once('.').unwrap_or(("public", &self.ledger));
        // Without a schema in front of the operator, one of somebody's own could answer.
        format!(
            "SELECT filename::text FROM {}.{} WHERE filename::text OPERATOR(pg_catalog.<>) ALL ($1) ORDER BY 1",
            quoted(schema),
            quoted(table)
        )
    }
}

impl Shortfall {
    fn condition(&self, command: &str) -> Condition {
        match (&self.file, self.gravity) {
            (Some(file), Gravity::NotReady) if self.is_of_schema => Condition::SchemaBehind(SchemaBehind {
                file: file.clone(),
                missing: self.what.clone(),
                command: command.to_owned(),
            }),
            _ => Condition::Failing { code: self.code.into(), message: self.what.clone(), hint: self.hint.clone() },
        }
    }
}
