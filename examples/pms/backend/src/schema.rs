//! What this version needs of its schema, and which migration brings it.

use standing_pool::{Condition, Lease, SchemaBehind, tokio_postgres};

/// A relation, or a column of one, and the file that brings it.
const NEEDED: &[(&str, Option<&str>, &str)] = &[
    ("channel_sync_logs", None, "20251227000000_create_channel_sync_logs.sql"),
    ("guests", Some("total_bookings"), "20260103120000_ensure_guests_metrics_columns.sql"),
    ("guests", Some("first_booking_at"), "20260103123000_ensure_guests_booking_timeline_columns.sql"),
];

const APPLY: &str = "mainstay db migrate apply";

/// Reads the catalogue and not the ledger: a ledger can say that a migration ran whose work is gone.
pub async fn look(db: &mut Lease) -> Result<Condition, tokio_postgres::Error> {
    for (relation, column, file) in NEEDED {
        let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_attribute a \
                   ON a.attrelid = c.oid AND NOT a.attisdropped AND a.attname = $2 \
                   WHERE c.oid = pg_catalog.to_regclass($1) AND ($2 IS NULL OR a.attname IS NOT NULL))";
        let is_there: bool = db.query_one(sql, &[relation, column]).await?.get(0);
        if !is_there {
            let missing = match column {
                Some(column) => format!("column {column} of relation {relation}"),
                None => format!("relation {relation}"),
            };
            let behind = SchemaBehind { file: (*file).into(), missing, command: APPLY.into() };
            return Ok(Condition::SchemaBehind(behind));
        }
    }
    Ok(Condition::Ready)
}
