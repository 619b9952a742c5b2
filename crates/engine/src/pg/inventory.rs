//! Reads what is in a database's schemas: a few queries over the catalogue, in one snapshot, that take no lock which
//! anybody would wait for, and wait for none.

use std::collections::BTreeMap;

use mainstay_model::postgres::schema::{Facet, Facets, Inventory, ObjectKey, ObjectKind};
use standing_pool::tokio_postgres::error::SqlState;
use standing_pool::tokio_postgres::{Client, Error, Row};

use super::catalogue::{self, Query};
use super::error::PgError;

/// No look takes longer; a server that is that slow has other troubles.
const STATEMENT: &str = "30s";
/// Some definitions are told only with the table's lightest lock.
const LOCK: &str = "200ms";
/// How often a look is begun again because somebody took a lock meanwhile.
const TRIES: u32 = 4;

/// Reads everything, as far as `role` may see it; what it may do with it is told of each relation. Without one, it is the
/// role of the session.
///
/// # Errors
/// When the database cannot be asked.
pub(super) async fn read(client: &Client, role: Option<&str>) -> Result<Inventory, PgError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let looked = look(client, role).await;
        let _ = client.batch_execute("ROLLBACK").await;
        match looked {
            // Locked between the list of locks and the look.
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) && tries < TRIES => {}
            Err(error) => return Err(PgError::lost("reading the schema")(error)),
            Ok(inventory) => return Ok(inventory),
        }
    }
}

async fn look(client: &Client, role: Option<&str>) -> Result<Inventory, Error> {
    // What a name without a schema means to who asks is read before it is pinned for the definitions.
    let path: Vec<String> = client.query_one("SELECT current_schemas(false)::text[]", &[]).await?.get(0);
    client
        .batch_execute(&format!(
            "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '{STATEMENT}'; \
             SET LOCAL lock_timeout = '{LOCK}'; SET LOCAL search_path = pg_catalog; SET LOCAL jit = off; \
             SET LOCAL quote_all_identifiers = off"
        ))
        .await?;
    let version: i32 = client.query_one("SELECT current_setting('server_version_num')::int", &[]).await?.get(0);
    let role: String = match role {
        Some(role) => role.to_owned(),
        None => client.query_one("SELECT current_user::text", &[]).await?.get(0),
    };
    let locked: Vec<u32> = client.query_one(catalogue::LOCKED, &[]).await?.get(0);
    let mut objects = BTreeMap::new();
    for query in catalogue::queries(version) {
        let rows = match query {
            Query::Plain(sql) => client.query(&sql, &[]).await?,
            Query::WithLocks(sql) => client.query(&sql, &[&locked]).await?,
            Query::OfRole(sql) => client.query(&sql, &[&locked, &role]).await?,
        };
        objects.extend(rows.iter().filter_map(object));
    }
    Ok(Inventory { objects, path })
}

/// A row: kind, schema, what it is a part of, name, and facts as JSON.
fn object(row: &Row) -> Option<(ObjectKey, Facets)> {
    let kind: ObjectKind = serde_json::from_value(row.get::<_, String>(0).into()).ok()?;
    let facets: BTreeMap<Facet, Option<String>> = serde_json::from_str(row.get(4)).ok()?;
    let facets = facets.into_iter().filter_map(|(facet, value)| Some((facet, value?))).collect();
    Some((ObjectKey { schema: row.get(1), of: row.get(2), kind, name: row.get(3) }, facets))
}
